/* Times of day that come again, as crontab(5) writes them: "minute hour day-of-month month
 * day-of-week". Pure; any thread.
 *
 *	*  5  1-5  1,3,5  10-40/10  (a step also behind *)  jan-dec  sun-sat  0 and 7: Sunday
 *	@hourly @daily (@midnight) @weekly @monthly @yearly (@annually)
 *
 * Where both days are given (neither begins with *), either of them is enough. In front there may be
 * "TZ=ZONE " (or "CRON_TZ="): the zone that the times are meant in.
 *
 * When clocks are changed:
 *	A line that allows every hour follows the clock: it has nothing to make up for in the time
 *	that is left out, and goes on in the time that comes twice.
 *	Any other line names hours. What falls into the time that is left out runs once, right after
 *	it. In the time that comes twice it runs the first time only. */
#ifndef BASE_CRON_H
#define BASE_CRON_H

#include "base/zone.h"

#define CRON_NEVER INT64_MAX

struct cron {
	uint64_t minutes;	/* bit N: minute N is allowed; likewise the others */
	uint32_t hours;
	uint32_t days;		/* 1 to 31 */
	uint32_t months;	/* 1 to 12 */
	uint32_t weekdays;	/* 0: Sunday, to 6 */
	bool either_day;	/* day of the month or of the week; else both */
	size_t zone_at, zone_len;	/* in the text; length 0: none given */
};

struct cron_error {
	size_t at;		/* offset in the text */
	char message[160];
};

/* False: *E says what is wrong and where. A line that never comes (30 February) is wrong, too. */
bool cron_parse(const char *text, struct cron *out, struct cron_error *e);

/* Does it allow every hour (and so follows elapsed time, see above)? */
bool cron_is_steady(const struct cron *c);

/* The first time after AFTER (seconds since the epoch) in Z; CRON_NEVER: not within 100 years. The
 * number of steps is bounded. */
int64_t cron_next(const struct cron *c, const struct zone *z, int64_t after);

#endif
