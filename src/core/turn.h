/* Whose turn it is to be started. Bounds what is under way at the keeper, so that a stop signal is
 * never behind thousands of plans, and what crash loops may cost together. Main thread. */
#ifndef CORE_TURN_H
#define CORE_TURN_H

#include "core/budget.h"
#include "core/subsystem.h"

/* Spawns that may wait for the keeper's answer. */
#define TURN_INFLIGHT_MAX 64
/* Those that wait for the budget are looked at not more often than this. */
#define TURN_BATCH_NS (10 * NS_PER_MS)

struct turns {
	uint32_t inflight;
	struct list first;	/* those that wait until fewer are in flight, in order: who does not */
	struct list queue;	/* ask the budget, and then who has passed it */
	struct list held;	/* those whose restart waits for the budget, in order */
	struct budget budget;
	struct timer timer;	/* armed while held is not empty */
	int64_t told_mono_ns;	/* when the log last said that the budget is used up; 0: never */
};

void turns_init(struct core *c);
/* May S begin the start that FACT stands for (WANT_UP, DUE, RETRY) now? If not, it is queued and
 * will be marked when its turn comes. */
bool turn_take(struct subsystem *s, enum fact fact);
/* S wants no start (any more). */
void turn_forget(struct subsystem *s);
/* A spawn was sent for S; and the keeper has answered it (harmless when it was not asked). */
void turn_begun(struct subsystem *s);
void turn_answered(struct subsystem *s);
/* Mark as many of the queue as there is room for. True when there was one: settle goes on. */
bool turns_next(struct core *c);

#endif
