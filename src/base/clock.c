/* The clocks. Calendar dates are computed here, because gmtime_r() may read time zone files and
 * takes a lock that a thread could hold for long. */
#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

#define SECONDS_PER_DAY 86400
#define DAYS_PER_400_YEARS 146097
#define DAYS_PER_100_YEARS 36524
#define DAYS_PER_4_YEARS 1461
/* From 0000-03-01 to 1970-01-01. A year that starts in March has its leap day at the end. */
#define EPOCH_DAY 719468

typedef int64_t (*clock_fn)(void *ctx);

/* Replaced by tests only. */
static _Atomic(clock_fn) fake;
static _Atomic(void *) fake_ctx;

static int64_t now_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

int64_t clock_mono_ns(void)
{
	clock_fn fn = atomic_load_explicit(&fake, memory_order_acquire);

	return fn != NULL ? fn(atomic_load(&fake_ctx)) : now_ns(CLOCK_MONOTONIC);
}

int64_t clock_real_ns(void)
{
	return now_ns(CLOCK_REALTIME);
}

void clock_set_fake(int64_t (*fn)(void *ctx), void *ctx)
{
	atomic_store(&fake_ctx, ctx);
	atomic_store_explicit(&fake, fn, memory_order_release);
}

struct date {
	int year;
	int month;	/* 1..12 */
	int day;	/* 1..31 */
};

/* DAY counts from 1970-01-01. The range of int64_t nanoseconds (years 1677 to 2262) keeps every
 * intermediate value positive. */
static struct date date_of(int64_t day)
{
	int n = (int)(day + EPOCH_DAY);
	int year = n / DAYS_PER_400_YEARS * 400;
	int centuries, fours, years, month;

	n %= DAYS_PER_400_YEARS;
	centuries = MIN(n / DAYS_PER_100_YEARS, 3);
	n -= centuries * DAYS_PER_100_YEARS;
	fours = n / DAYS_PER_4_YEARS;
	n -= fours * DAYS_PER_4_YEARS;
	years = MIN(n / 365, 3);
	n -= years * 365;
	year += centuries * 100 + fours * 4 + years;
	/* From March on, months repeat 31 30 31 30 31: 153 days in each five. */
	month = (5 * n + 2) / 153;
	n -= (153 * month + 2) / 5;
	if (month >= 10)
		return (struct date){ year + 1, month - 9, n + 1 };
	return (struct date){ year, month + 3, n + 1 };
}

void clock_format_rfc3339(int64_t real_ns, struct strbuf *out)
{
	int64_t sec = real_ns / NS_PER_SEC;
	int64_t ns = real_ns % NS_PER_SEC;
	int64_t day;
	int in_day;
	struct date date;

	if (ns < 0) {
		ns += NS_PER_SEC;
		sec--;
	}
	day = sec / SECONDS_PER_DAY;
	if (sec % SECONDS_PER_DAY < 0)
		day--;
	in_day = (int)(sec - day * SECONDS_PER_DAY);
	date = date_of(day);
	strbuf_addf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", date.year, date.month, date.day,
		    in_day / 3600, in_day / 60 % 60, in_day % 60, (int)ns);
}
