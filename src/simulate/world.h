/* A world for the core to live in: a clock that stands still until something is due, and a keeper
 * whose processes are times in a table. Programs behave as well as they can (they can be executed,
 * take as long as TAKES says, answer every question, and end when they are told to), but for what
 * the scenario says. Main thread of a process of its own, as it replaces the clocks. */
#ifndef SIMULATE_WORLD_H
#define SIMULATE_WORLD_H

#include "core/core.h"
#include "simulate/scenario.h"

struct world {
	const struct scenario *scenario;
	const struct takes *takes;
	struct chan *chan;
	struct board *board;
	struct core *core;
	int64_t now_ns;			/* since the start of procd, plus WORLD_EPOCH_NS */
	int64_t crash_ns;		/* SCENARIO_CRASH: when; INT64_MAX: not, or not any more */
	bool booted;			/* all that starts with procd is ready, or never will be */
	bool finished;			/* procd has ended, with: */
	int exit_code;
	/* the keeper's */
	struct world_child *children;	/* by slot */
	uint32_t nchildren;
	int last_pid;
};

#define WORLD_EPOCH_NS (1000 * INT64_C(1000000000))	/* no time is 0 */

/* Publishes CONFIG and takes it; SCENARIO and TAKES stay the caller's. Nothing has happened yet. */
void world_init(struct world *w, struct config *config, const struct scenario *scenario,
		const struct takes *takes);
void world_fini(struct world *w);
/* Begin. */
void world_start(struct world *w);
/* All that happens now. False: it does not come to rest. */
bool world_settle(struct world *w);
/* When something happens next; INT64_MAX: never. */
int64_t world_next_ns(const struct world *w);
/* A oneshot works. */
bool world_works(const struct world *w);

#endif
