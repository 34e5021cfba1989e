/* How many quick restarts the whole instance may make: a burst, then a steady rate. Pure. */
#ifndef CORE_BUDGET_H
#define CORE_BUDGET_H

#include "base/util.h"

/* Once the burst is used up, so many quick restarts are made per second over all subsystems. */
#define BUDGET_RATE 500
#define BUDGET_INTERVAL_NS (NS_PER_SEC / BUDGET_RATE)
/* The burst: so many for each subsystem, and never less than the minimum. A mass death (all of
 * thousands at once, a few times) is restarted at the machine's own speed, and so is a crash loop
 * without delay for its first seconds. */
#define BUDGET_BURST_EACH 4
#define BUDGET_BURST_MIN 20000
/* A process that lived this long was no quick restart: its own life bounds the rate. */
#define BUDGET_QUICK_NS NS_PER_SEC

/* All zero: full. */
struct budget {
	int64_t spent_until_ns;	/* when everything taken so far will have been refilled */
};

/* Take one restart for an instance of NSUBSYSTEMS. 0: taken; otherwise the monotonic time at which
 * one can be had, and nothing was taken. */
int64_t budget_take(struct budget *b, uint32_t nsubsystems, int64_t now_ns);

#endif
