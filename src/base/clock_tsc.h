/* The monotonic clock, read from the processor's time stamp counter: a few ns instead of a call. It
 * follows CLOCK_MONOTONIC within microseconds and never goes backward, on any thread. */
#ifndef BASE_CLOCK_TSC_H
#define BASE_CLOCK_TSC_H

#include <stdbool.h>
#include <stdint.h>

/* Is the counter fit for it: constant, running in sleep states, and trusted by the kernel? CPUINFO
 * and CLOCKSOURCES are the texts of /proc/cpuinfo and of available_clocksource in /sys. Pure. */
bool clock_tsc_fit(const char *cpuinfo, const char *clocksources);
bool clock_tsc_usable(void);	/* of this machine; any thread */

/* Compare with CLOCK_MONOTONIC each SPAN_NS; until the first tenth of that has passed the answers
 * are that clock's own. Before other threads. */
void clock_tsc_start(int64_t span_ns);
int64_t clock_tsc_ns(void);	/* any thread, after the start */

#endif
