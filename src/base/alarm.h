/* One alarm on the time of day: a turn of the loop at that moment, and whenever somebody has set
 * the clock meanwhile or the machine has slept. Nothing wakes up in between. The loop's thread. */
#ifndef BASE_ALARM_H
#define BASE_ALARM_H

#include "base/loop.h"

#define ALARM_NEVER INT64_MAX

struct alarm;

struct alarm *alarm_new(struct ev_loop *loop);
void alarm_free(struct alarm *a);	/* NULL is fine */
/* Ring at REAL_NS (clock_real_ns()), at once when that is past; ALARM_NEVER: not at all, and the
 * clock does not matter. To be called in each turn; the same moment again costs nothing. */
void alarm_set(struct alarm *a, int64_t real_ns);

#endif
