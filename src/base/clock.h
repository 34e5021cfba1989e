/* The clocks. Deadlines and delays are CLOCK_MONOTONIC; only time stamps for people are real time.
 * Tests and `procd simulate` replace them. Any thread. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/strbuf.h"

int64_t clock_mono_ns(void);
/* Read the monotonic clock from the processor's counter from now on, where that was built and is
 * fit for it (base/clock_tsc.h). Before other threads. */
void clock_use_best(void);
const char *clock_source(void);		/* "tsc" or "clock_gettime": what that leads to here */
int64_t clock_real_ns(void);		/* since the epoch */
/* As the monotonic one, but it goes on while the machine sleeps. */
int64_t clock_boot_ns(void);
/* Tests, and what is simulated: FN replaces the monotonic clock and the one above (NULL: the real
 * ones again). */
void clock_set_fake(int64_t (*fn)(void *ctx), void *ctx);
void clock_set_fake_real(int64_t (*fn)(void *ctx), void *ctx);	/* likewise, the time of day */

/* RFC 3339, UTC, nine digits: "2026-11-22T20:21:07.123456789Z". */
void clock_format_rfc3339(int64_t real_ns, struct strbuf *out);

#endif
