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
	uint64_t spawn_id;
	int64_t asked_mono_ns, started_mono_ns, ended_mono_ns;
	uint32_t slot;			/* where the keeper has it: the subsystem's, or a second
					 * place (core/overlap.h) */
	int pid;
	int wait_status;
	int errnum;			/* of a start that failed or was deferred */
	int following;			/* the keeper was asked to; 0: nobody */
	uint32_t missing;		/* bits of enum plan_cgroup_limit: not in force */
	enum spawn_stage stage : 8;	/* as ERRNUM */
	enum proc_phase phase : 8;
	uint8_t profiler;		/* enum preload_verdict: why heap_profile is not in force */
	bool status_known : 1;		/* false: it ended while nobody could look */
	bool tree_empty : 1;		/* nothing lives any more, as far as the keeper said */
	bool unrecorded : 1;		/* the keeper has no record of it: nothing to release */
	bool inflight : 1;		/* counted in core->turns.inflight */
	bool in_pre_start : 1;		/* ASKED: pre_start comes first, the keeper was not asked */
	bool held : 1;			/* REST: nothing lives, but a hook has to end first */
	bool post_stopped : 1;		/* post_stop ran */
	bool reading : 1;		/* ASKED of the readers of files, not yet of the keeper */
	bool binding : 1;		/* likewise of who binds sockets */
	bool end_held : 1;		/* UP: core/main_pid.h */
};

/* How the last process ended, or why the last start failed. */
struct ending {
	int pid;
	int exit_code;			/* -1: none */
	int signal;			/* 0: none */
	int errnum;
	enum spawn_stage stage : 8;	/* STAGE_NONE: it did run */
	enum expiry expiry : 8;		/* it was ended for this */
	bool known : 1;			/* there was an end at all */
	bool core_dumped : 1, killed : 1;
	bool status_lost : 1;
};

/* How its last run came to an end by itself. */
enum outcome { OUTCOME_NONE, OUTCOME_SUCCEEDED, OUTCOME_FAILED };

/* The steps of a stop, each taken at most once. */
enum ladder_step {
	LADDER_IDLE, LADDER_ASKED, LADDER_ASKED_ALL, LADDER_FORCED, LADDER_KILLED
};
struct ladder {
	struct timer timer;
	int64_t began_mono_ns;
	enum ladder_step step : 8;
	bool commanded : 1;		/* stop_command has had its turn in this stop */
	bool obeyed : 1;		/* with success: so far no signal was needed */
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
	uint64_t id;
	uint32_t slot;
	uint32_t facts;			/* bit per enum fact */
	struct subsystem_options *options;	/* counted: of the process, or of the next one */
	struct subsystem_options *next;		/* counted or NULL: for the next process */

	/* wanted */
	struct goal goal;
	enum operator_wish wish : 8;
	enum reason order_reason : 8;	/* of kick and bounce */
	bool config_up : 1, removed : 1;
	bool revived : 1;		/* it was removed and came back, and has not run since */
	bool pulled : 1;		/* something that needs or wants it was started */
	bool ill : 1;			/* stopped because it was unhealthy */
	bool kick : 1;			/* an order: start it once it is down */
	bool bounce : 1;		/* take it down once although the goal is up */
	bool goal_changed : 1;		/* since settle looked */

	/* is */
	enum subsystem_state state : 8;
	enum subsystem_state prev : 8;	/* told by its last state_changed */
	enum reason reason : 8;
	enum outcome outcome : 8;	/* NONE: it runs, never did, or was stopped */
	bool pre_started : 1;		/* pre_start was successful for the start under way */
	bool gave_up : 1;
	bool memory_over : 1;		/* its soft limit, since it was last below 90 % of it */
	bool adopting : 1;		/* until it runs: the reason shown is "adopted" */
	bool ready_shown : 1;		/* as the last ready_changed said */
	uint32_t cause;			/* core/on_failure.h: slot + 1 of whose failure; 0: none */
	uint32_t attempt;		/* automatic restarts since the last reset */
	uint64_t restart_count;
	uint64_t event_seq;		/* of its last state_changed */
	int64_t since_mono_ns;
	int64_t next_restart_ms;	/* -1: none decided */
	int64_t next_restart_mono_ns;	/* 0: none pending */
	struct process proc;
	struct ending end;
	struct ladder ladder;
	struct readiness ready;
	char *end_tail;			/* the last lines of its stderr; NULL: none */
	char *start_trouble;		/* what the last start's stage has to say; NULL: nothing */
	struct overlap *overlap;	/* under way; NULL: none */
	struct beside *beside;		/* what runs, or ran, beside its process; NULL: nothing */
	struct checkup *checkup;	/* core/health.h; NULL: never asked */
	struct idle *idle;		/* core/idle.h; NULL: never looked after */
	struct periodic *periodic;	/* core/schedule.h; NULL: nothing was ever planned */
	struct edge_ends *edges;	/* core/edges.h; NULL: nobody ever waited for anybody */
	struct socket_list sockets;
	struct watcher watcher;

	/* waits for */
	struct timer wait;		/* min_uptime, stable run, restart delay or spawn retry */
	uint32_t spawn_tries;		/* deferred ones of this start */
	enum fact wait_fact : 8;
	bool due : 1;			/* the delay is over; the start waits for its turn */

	/* bookkeeping */
	bool attached : 1;		/* output captures it */
	bool noted : 1, note_stale : 1;	/* core/notes.h: there is one; it says something else */
	bool undecided : 1;		/* while resuming: see recovery_decide() */
	bool boot_pending : 1;		/* the instance's first readiness waits for it */
	bool busy : 1;			/* counted in core->nbusy, in core->busy */
	bool turn_held : 1, turn_paid : 1;	/* by the budget; has passed it */
	bool turn_called : 1;		/* its turn has come: nobody is overtaken */
	struct list dirty, busy_link;
	struct list turn_link;		/* in core->turns.first, .queue or .held */
	struct list waiters;		/* of requests */
	char name[];
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
/* Replace the options, for the process that uses them, too. Takes a reference. */
void subsystem_set_options(struct subsystem *s, struct subsystem_options *options);
/* From the next start on, which is at once when no process uses the old ones. Likewise. */
void subsystem_set_next_options(struct subsystem *s, struct subsystem_options *options);

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

/* Is the end that is known that of its latest start, or was that one cancelled before it had a
 * process? */
static inline bool subsystem_has_ended(const struct subsystem *s)
{
	return s->end.known && s->end.pid == s->proc.pid;
}

/* One sentence on how it ended, or why it cannot be started now, for people and for last_error;
 * NULL: it ended well or never. */
char *subsystem_end_text(const struct subsystem *s);
/* What its process runs without though the options ask for it; lines, "" when nothing. */
void subsystem_degraded(const struct subsystem *s, struct strbuf *out);

#endif
