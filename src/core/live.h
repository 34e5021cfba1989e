/* The core's own state, shared by the files of this room only. Main thread. */
#ifndef CORE_LIVE_H
#define CORE_LIVE_H

#include "config/store.h"
#include "core/backoff.h"
#include "core/core.h"
#include "core/launch.h"
#include "core/memory.h"
#include "core/notes.h"
#include "core/registry.h"
#include "core/shutdown.h"
#include "core/sockets.h"
#include "core/subsystem.h"
#include "core/turn.h"

#define CORE_STATUS_PERIOD_NS NS_PER_SEC
/* Last lines come first, but a stuck disk delays nothing for longer. */
#define DRAIN_MAX_NS (100 * NS_PER_MS)

struct core {
	struct chan *chan;
	struct board *board;
	struct tally *tally;
	const struct core_ops *ops;
	void *ops_ctx;
	const struct records *records;
	struct km_welcome welcome;

	struct registry registry;
	struct timers timers;
	struct timers calendar;		/* the same by the time of day (core/schedule.h) */
	int64_t clock_offset_ns;	/* how far that is ahead of the boot clock, when last seen */
	struct launch launch;
	struct memory memory;
	struct notes notes;
	struct jitter jitter;
	struct shutdown shutdown;
	struct tasks tasks;
	struct sockets sockets;
	uint32_t last_probe;		/* number of the last question (core/prober.h) */
	char *main_name;
	bool main_leaves;		/* it was sent what ends it: no restart follows */

	struct list dirty;		/* subsystems that settle has to look at */
	struct list busy;		/* those that are not down */
	uint32_t nbusy;
	struct turns turns;
	struct list edge_work;		/* those whose face may have changed */
	uint64_t nedges;		/* as of the last build */
	uint64_t edge_steps;		/* edges that were computed, so far */
	uint64_t edge_visit;		/* number of the last walk */
	struct list requests;		/* unanswered, in order of arrival */
	struct list rolls, rolls_due;	/* core/roll.c */

	uint64_t next_id, next_spawn_id;
	uint32_t counts[STATE_NSTATES];
	uint64_t total_restarts;
	bool unplaced;			/* some of the configuration had no slot to be had */
	bool daemon_changed;		/* counts or state differ from what the board says */

	bool started, recovered;
	const struct config *before;	/* until core_start(): see core_setup */
	bool shutdown_void;		/* an earlier keeper's, never finished */
	enum daemon_state state;
	uint32_t boot_pending, boot_stuck;
	struct timer boot_timer, status_timer;
	int64_t status_told_ns;
	bool status_changed;
	enum daemon_state status_state;	/* told last */
	struct strlist adopted, lost;	/* until core_start() has told */
	json_t *left_alone;		/* likewise: [{"name","pid"}] */
};

#endif
