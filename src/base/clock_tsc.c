/* Counter to nanoseconds by an anchor: at count TSC it was NS, and each tick is MULT / 2^32 ns. An
 * anchor holds for one span; who finds it expired compares with CLOCK_MONOTONIC and makes the next
 * one. That begins where the old one ended at the latest, or at the true time when that is more, so
 * nothing read before is ever undercut; its slope is such that it meets the true time at its end.
 * So a frequency that time synchronization bends is followed, and a long sleep is made up at once.
 *
 * Readers take no lock: an anchor is written beside the current one, then the number of the current
 * one changes; who was interrupted between sees another number and looks again. */
#include "base/clock_tsc.h"

#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "base/fd.h"
#include "base/strbuf.h"

static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = text; (at = strstr(at, word)) != NULL; at += n)
		if ((at == text || at[-1] == ' ' || at[-1] == '\t') &&
		    (at[n] == ' ' || at[n] == '\n' || at[n] == '\0'))
			return true;
	return false;
}

/* The kernel takes the counter off its list when it finds it unstable. */
bool clock_tsc_fit(const char *cpuinfo, const char *clocksources)
{
	return has_word(cpuinfo, "constant_tsc") && has_word(cpuinfo, "nonstop_tsc") &&
	       has_word(clocksources, "tsc");
}

#if defined(__x86_64__)

#include <x86intrin.h>

#define ANCHORS 4u
#define TRIES 4
#define FIRST_SLACK_NS 1000	/* more than a comparison may be wrong by */

struct anchor {
	_Atomic uint64_t tsc, ticks;	/* from where, and for how many it holds */
	_Atomic int64_t ns;
	_Atomic uint64_t mult;
};

static struct anchor anchors[ANCHORS];
static _Atomic uint32_t current;	/* 0: none yet */
static atomic_flag renewing = ATOMIC_FLAG_INIT;
static int64_t span_ns, started_ns;
/* Under RENEWING: the last comparison, the frequency since the one before, and one that was found
 * twice (as MULT). */
static struct {
	uint64_t tsc;
	int64_t ns;
	uint64_t measured, trusted;
} seen;

bool clock_tsc_usable(void)
{
	auto_free(strbuf_fini) struct strbuf cpuinfo = STRBUF_INIT, sources = STRBUF_INIT;
	const char *path = "/sys/devices/system/clocksource/clocksource0/available_clocksource";

	return file_read("/proc/cpuinfo", 1 << 22, &cpuinfo) == 0 &&
	       file_read(path, 4096, &sources) == 0 && clock_tsc_fit(cpuinfo.buf, sources.buf);
}

/* Not before what stands before it. */
static inline uint64_t counter(void)
{
	_mm_lfence();
	return __rdtsc();
}

static int64_t true_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

/* Both clocks at one moment: the narrowest of a few looks. */
static void compare(uint64_t *tsc, int64_t *ns)
{
	uint64_t width = UINT64_MAX;

	for (int i = 0; i < TRIES; i++) {
		uint64_t before = counter();
		int64_t now = true_ns();
		uint64_t after = counter();

		if (after - before >= width)
			continue;
		width = after - before;
		*tsc = before + width / 2;
		*ns = now;
	}
}

static int64_t scaled(uint64_t ticks, uint64_t mult)
{
	return (int64_t)((unsigned __int128)ticks * mult >> 32);
}

static void publish(uint64_t tsc, uint64_t ticks, int64_t ns, uint64_t mult)
{
	uint32_t next = atomic_load_explicit(&current, memory_order_relaxed) + 1;
	struct anchor *a = &anchors[next % ANCHORS];

	atomic_store_explicit(&a->tsc, tsc, memory_order_release);
	atomic_store_explicit(&a->ticks, ticks, memory_order_release);
	atomic_store_explicit(&a->ns, ns, memory_order_release);
	atomic_store_explicit(&a->mult, mult, memory_order_release);
	atomic_store_explicit(&current, next != 0 ? next : ANCHORS, memory_order_release);
}

/* The most that any reader of the current anchor can have been told. */
static int64_t highest_told(void)
{
	const struct anchor *a = &anchors[atomic_load(&current) % ANCHORS];

	return atomic_load(&a->ns) + scaled(atomic_load(&a->ticks), atomic_load(&a->mult));
}

/* What was measured across a sleep of the machine, or a counter that was set, is no frequency. */
static uint64_t frequency(uint64_t tsc, int64_t ns)
{
	uint64_t before = seen.measured;

	if (tsc > seen.tsc && ns > seen.ns)
		seen.measured = (uint64_t)(((unsigned __int128)(ns - seen.ns) << 32) /
					   (tsc - seen.tsc));
	if (before == 0 || (seen.measured > before - before / 128 &&
			    seen.measured < before + before / 128))
		seen.trusted = MAX(seen.measured, (uint64_t)1);
	return seen.trusted;
}

static void renew(uint32_t expired)
{
	uint64_t tsc = 0, slope, ticks;
	int64_t ns = 0, begin, ahead;

	while (atomic_flag_test_and_set(&renewing))
		sched_yield();
	if (atomic_load(&current) == expired) {
		compare(&tsc, &ns);
		slope = frequency(tsc, ns);
		ticks = (uint64_t)(((unsigned __int128)span_ns << 32) / slope);
		begin = expired == 0 ? ns + FIRST_SLACK_NS : MAX(ns, highest_told());
		ahead = MIN(begin - ns, span_ns / 2);
		slope -= (uint64_t)((unsigned __int128)slope * (uint64_t)ahead / (uint64_t)span_ns);
		publish(tsc, ticks, begin, slope);
		seen.tsc = tsc;
		seen.ns = ns;
	}
	atomic_flag_clear(&renewing);
}

void clock_tsc_start(int64_t span)
{
	span_ns = span;
	compare(&seen.tsc, &seen.ns);
	started_ns = seen.ns;
}

/* The first anchor: as soon as enough time has passed to know the frequency. */
static int64_t not_yet(void)
{
	int64_t now = true_ns();

	if (now - started_ns > span_ns / 10)
		renew(0);
	return now;
}

int64_t clock_tsc_ns(void)
{
	for (;;) {
		uint32_t number = atomic_load_explicit(&current, memory_order_acquire);
		const struct anchor *a = &anchors[number % ANCHORS];
		uint64_t tsc, ticks, mult;
		int64_t ns, passed;

		if (number == 0) {
			ns = not_yet();
			if (atomic_load(&current) == 0)
				return ns;
			continue;
		}
		tsc = atomic_load_explicit(&a->tsc, memory_order_acquire);
		ticks = atomic_load_explicit(&a->ticks, memory_order_acquire);
		ns = atomic_load_explicit(&a->ns, memory_order_acquire);
		mult = atomic_load_explicit(&a->mult, memory_order_acquire);
		if (atomic_load_explicit(&current, memory_order_relaxed) != number)
			continue;
		passed = (int64_t)(counter() - tsc);
		/* another processor may be a moment behind; a counter that was set back is not */
		if (passed < 0 && (uint64_t)-passed < ticks)
			passed = 0;
		if ((uint64_t)passed <= ticks)
			return ns + scaled((uint64_t)passed, mult);
		renew(number);
	}
}

#else	/* a counter of this kind is known of one family of processors only */

bool clock_tsc_usable(void)
{
	return false;
}

void clock_tsc_start(int64_t span)
{
	(void)span;
}

int64_t clock_tsc_ns(void)
{
	return 0;
}

#endif
