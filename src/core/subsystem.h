/* One supervised program: what is wanted, what is, and what it waits for. Main thread. */
#ifndef CORE_SUBSYSTEM_H
#define CORE_SUBSYSTEM_H

#include "base/list.h"
#include "config/options.h"
#include "core/edges.h"
#include "core/goal.h"
#include "core/health.h"
#include "core/idle.h"
#include "core/hooks.h"
#include "core/overlap.h"
#include "core/prober.h"
#include "core/ready.h"
#include "core/schedule.h"
#include "core/sockets.h"
#include "core/state.h"
#include "core/task.h"
#include "core/timer.h"
#include "core/watcher.h"
#include "keeper/plan.h"

struct core;

/* The process side of a slot. */
enum proc_phase {
	PROC_NONE,	/* the slot is free at the keeper */
	PROC_DEFERRED,	/* none either: a start that procd could not make waits for its retry */
	PROC_ASKED,	/* spawn sent, no answer yet */
	PROC_UP,	/* exec succeeded */
	PROC_DRAINING,	/* main process ended; its last output is being read */
	PROC_ENDED,	/* its end is known and not told yet */
	PROC_REST,	/* told; members of its tree live on */
	PROC_NPHASES
};

struct process {
	enum proc_phase phase;
	uint32_t slot;			/* where the keeper has it: the subsystem's, or a second
					 * place (core/overlap.h) */
	uint64_t spawn_id;
	int pid;
	int64_t asked_mono_ns, started_mono_ns, ended_mono_ns;
	int wait_status;
	enum spawn_stage stage;		/* of a start that failed or was deferred */
	int errnum;
	bool status_known;		/* false: it ended while nobody could look */
	bool tree_empty;		/* nothing lives any more, as far as the keeper said */
	bool unrecorded;		/* the keeper has no record of it: nothing to release */
	bool inflight;			/* counted in core->turns.inflight */
	bool in_pre_start;		/* ASKED: pre_start comes first, the keeper was not asked */
	bool held;			/* REST: nothing lives, but a hook has to end first */
	bool post_stopped;		/* post_stop ran */
	uint32_t missing;		/* bits of enum plan_cgroup_limit: not in force */
	bool reading;			/* ASKED of the readers of files, not yet of the keeper */
	bool binding;			/* likewise of who binds sockets */
	uint8_t profiler;		/* enum preload_verdict: why heap_profile is not in force */
	bool end_held;			/* UP: core/main_pid.h */
	int following;			/* the keeper was asked to; 0: nobody */
};

/* How the last process ended, or why the last start failed. */
struct ending {
	bool known;			/* there was an end at all */
	int pid;
	int exit_code;			/* -1: none */
	int signal;			/* 0: none */
	bool core_dumped, killed;
	bool status_lost;
	enum spawn_stage stage;		/* STAGE_NONE: it did run */
	int errnum;
	enum expiry expiry;		/* it was ended for this */
};

/* How its last run came to an end by itself. */
enum outcome { OUTCOME_NONE, OUTCOME_SUCCEEDED, OUTCOME_FAILED };

/* The steps of a stop, each taken at most once. */
enum ladder_step {
	LADDER_IDLE, LADDER_ASKED, LADDER_ASKED_ALL, LADDER_FORCED, LADDER_KILLED
};
struct ladder {
	enum ladder_step step;
	bool commanded;			/* stop_command has had its turn in this stop */
	bool obeyed;			/* with success: so far no signal was needed */
	int64_t began_mono_ns;
	struct timer timer;
};

/* Hooks, commands and probes of a subsystem. */
struct beside {
	struct subsystem *owner;
	struct task *task[TASK_NKINDS];		/* core/task.h; NULL: none */
	uint8_t dying_tasks[TASK_NKINDS];	/* cancelled, not gone yet */
	struct prober prober;
	struct hook_trouble hook;		/* of the last start, or the last end */
	struct hook_retry post_stop;
	struct reload_runs reloads;
};

/* What only some subsystems have need of is made at its first use and stays until they go away; to
 * read, there is always something: beside_of() and the like. */
struct subsystem {
	struct core *core;
	uint32_t slot;
	uint64_t id;
	char *name;
	struct subsystem_options *options;	/* counted: of the process, or of the next one */
	struct subsystem_options *next;		/* counted or NULL: for the next process */

	/* wanted */
	struct goal goal;
	enum operator_wish wish;
	bool config_up, removed;
	bool revived;			/* it was removed and came back, and has not run since */
	bool pulled;			/* something that needs or wants it was started */
	bool ill;			/* stopped because it was unhealthy */
	bool kick;			/* an order: start it once it is down */
	bool bounce;			/* take it down once although the goal is up */
	enum reason order_reason;	/* of kick and bounce */
	uint32_t cause;			/* core/on_failure.h: slot + 1 of whose failure; 0: none */

	/* is */
	enum subsystem_state state;
	enum reason reason;
	int64_t since_mono_ns;
	struct process proc;
	struct ending end;
	char *end_tail;			/* the last lines of its stderr; NULL: none */
	enum outcome outcome;		/* NONE: it runs, never did, or was stopped */
	struct ladder ladder;
	struct overlap *overlap;	/* under way; NULL: none */
	struct beside *beside;		/* what runs, or ran, beside its process; NULL: nothing */
	bool pre_started;		/* pre_start was successful for the start under way */
	struct socket_list sockets;
	struct idle idle;
	uint64_t restart_count;
	uint32_t attempt;		/* automatic restarts since the last reset */
	bool gave_up;
	bool memory_over;		/* its soft limit, since it was last below 90 % of it */
	bool adopting;			/* until it runs: the reason shown is "adopted" */
	char *start_trouble;		/* what the last start's stage has to say; NULL: nothing */
	int64_t next_restart_ms;	/* -1: none decided */
	int64_t next_restart_mono_ns;	/* 0: none pending */

	/* waits for */
	struct timer wait;		/* min_uptime, stable run, restart delay or spawn retry */
	enum fact wait_fact;
	bool due;			/* the delay is over; the start waits for its turn */
	uint32_t spawn_tries;		/* deferred ones of this start */

	struct readiness ready;
	bool ready_shown;		/* as the last ready_changed said */
	struct checkup *checkup;	/* core/health.h; NULL: never asked */

	struct edge_ends edges;
	struct periodic *periodic;	/* core/schedule.h; NULL: nothing was ever planned */
	struct watcher watcher;

	/* bookkeeping */
	bool goal_changed;		/* since settle looked */
	uint32_t facts;			/* bit per enum fact */
	bool attached;			/* output captures it */
	bool noted, note_stale;		/* core/notes.h: there is one; it says something else */
	bool undecided;			/* while resuming: see recovery_decide() */
	bool boot_pending;		/* the instance's first readiness waits for it */
	bool busy;			/* counted in core->nbusy, in core->busy */
	struct list dirty, busy_link;
	struct list turn_link;		/* in core->turns.first, .queue or .held */
	bool turn_held, turn_paid;	/* by the budget; has passed it */
	struct list waiters;		/* of requests */
	uint64_t event_seq;		/* of its last state_changed */
	enum subsystem_state prev;	/* told by that event */
};

/* Takes a reference to OPTIONS; not yet in registry or board. */
struct subsystem *subsystem_new(struct core *core, uint32_t slot, uint64_t id,
				struct subsystem_options *options);
void subsystem_free(struct subsystem *s);	/* NULL is fine; must be in no list */

const struct beside *beside_of(const struct subsystem *s);
struct beside *beside_own(struct subsystem *s);

/* Settle will look at it. */
void subsystem_mark(struct subsystem *s);
/* Note a fact for the next settle. */
void subsystem_note(struct subsystem *s, enum fact fact);
void subsystem_wait(struct subsystem *s, enum fact fact, int64_t at_mono_ns);
void subsystem_wait_cancel(struct subsystem *s);

/* The options that count from the next start on. */
static inline struct subsystem_options *subsystem_newest(const struct subsystem *s)
{
	return s->next ? s->next : s->options;
}
/* Replace the options; at once when no process uses the old ones. Takes a reference. */
void subsystem_set_options(struct subsystem *s, struct subsystem_options *options, bool at_once);

/* A living or dying process uses the slot. */
static inline bool subsystem_has_process(const struct subsystem *s)
{
	return s->proc.phase >= PROC_ASKED;
}
/* Neither a process nor an attempt to make one. */
static inline bool subsystem_is_down(const struct subsystem *s)
{
	return !subsystem_has_process(s) && s->state != STATE_STARTING &&
	       s->state != STATE_RUNNING && s->state != STATE_STOPPING &&
	       s->state != STATE_RESTARTING;
}
/* Main process known to live: it can be sent signals. */
static inline bool subsystem_is_up(const struct subsystem *s)
{
	return s->proc.phase == PROC_UP;
}

/* One sentence on how it ended, or why it cannot be started now, for people and for last_error;
 * NULL: it ended well or never. */
char *subsystem_end_text(const struct subsystem *s);
/* What its process runs without though the options ask for it; lines, "" when nothing. */
void subsystem_degraded(const struct subsystem *s, struct strbuf *out);

#endif
