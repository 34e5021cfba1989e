/* The clocks. Calendar dates come from base/calendar, because gmtime_r() may read time zone files
 * and takes a lock that a thread could hold for long. */
#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

#include "base/calendar.h"
#include "base/clock_tsc.h"
#include "config.h"

typedef int64_t (*clock_fn)(void *ctx);

/* Replaced by tests only. */
static _Atomic(clock_fn) fake, fake_real;
static _Atomic(void *) fake_ctx, fake_real_ctx;

static int64_t now_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

#define COMPARE_EVERY_NS NS_PER_SEC

static _Atomic bool by_counter;

void clock_use_best(void)
{
	if (!WITH_HIGH_RES_TIMING || !clock_tsc_usable())
		return;
	clock_tsc_start(COMPARE_EVERY_NS);
	atomic_store(&by_counter, true);
}

const char *clock_source(void)
{
	return WITH_HIGH_RES_TIMING && clock_tsc_usable() ? "tsc" : "clock_gettime";
}

int64_t clock_mono_ns(void)
{
	clock_fn fn = atomic_load_explicit(&fake, memory_order_acquire);

	if (fn != NULL)
		return fn(atomic_load(&fake_ctx));
	if (WITH_HIGH_RES_TIMING && atomic_load_explicit(&by_counter, memory_order_relaxed))
		return clock_tsc_ns();
	return now_ns(CLOCK_MONOTONIC);
}

int64_t clock_boot_ns(void)
{
	clock_fn fn = atomic_load_explicit(&fake, memory_order_acquire);

	return fn != NULL ? fn(atomic_load(&fake_ctx)) : now_ns(CLOCK_BOOTTIME);
}

int64_t clock_real_ns(void)
{
	clock_fn fn = atomic_load_explicit(&fake_real, memory_order_acquire);

	return fn != NULL ? fn(atomic_load(&fake_real_ctx)) : now_ns(CLOCK_REALTIME);
}

void clock_set_fake(int64_t (*fn)(void *ctx), void *ctx)
{
	atomic_store(&fake_ctx, ctx);
	atomic_store_explicit(&fake, fn, memory_order_release);
}

void clock_set_fake_real(int64_t (*fn)(void *ctx), void *ctx)
{
	atomic_store(&fake_real_ctx, ctx);
	atomic_store_explicit(&fake_real, fn, memory_order_release);
}

void clock_format_rfc3339(int64_t real_ns, struct strbuf *out)
{
	int64_t sec = floor_div(real_ns, NS_PER_SEC);
	int64_t day = floor_div(sec, SECONDS_PER_DAY);
	int in_day = (int)(sec - day * SECONDS_PER_DAY);
	struct date date = date_of_day(day);

	strbuf_addf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", (int)date.year, date.month,
		    date.day, in_day / 3600, in_day / 60 % 60, in_day % 60,
		    (int)((real_ns % NS_PER_SEC + NS_PER_SEC) % NS_PER_SEC));
}
