/* Deadlines on the monotonic clock: a binary heap of intrusive timers. Main thread. */
#ifndef CORE_TIMER_H
#define CORE_TIMER_H

#include <stdbool.h>

#include "base/util.h"

#define TIMER_NEVER INT64_MAX

struct timer {
	int64_t at_ns;
	size_t index;		/* place in the heap + 1; 0: not armed */
	/* Runs from timers_run(), after the timer was disarmed. May arm and disarm any timer. */
	void (*fire)(struct timer *t);
};

struct timers {
	struct timer **heap;
	size_t n, cap;
};
#define TIMERS_INIT { 0 }

void timers_fini(struct timers *ts);	/* armed timers are simply forgotten */
/* Arm, or move when armed. O(log n). */
void timer_arm(struct timers *ts, struct timer *t, int64_t at_ns);
void timer_disarm(struct timers *ts, struct timer *t);	/* harmless when not armed */
static inline bool timer_armed(const struct timer *t)
{
	return t->index != 0;
}
/* Fire everything due at NOW, earliest first. */
void timers_run(struct timers *ts, int64_t now_ns);
int64_t timers_next(const struct timers *ts);	/* TIMER_NEVER: none */

#endif
