/* The status board: one immutable record per subsystem behind an RCU pointer.
 *
 * The main thread replaces records; any registered thread reads them inside rcu_enter()/
 * rcu_leave() and leaves with copies. A change replaces one record, so its cost does not depend on
 * the number of subsystems. */
#ifndef EVENT_BOARD_H
#define EVENT_BOARD_H

#include "base/own.h"
#include "base/rcu.h"
#include "base/strlist.h"
#include "event/event.h"

/* What there is to say of a subsystem in words; most have none of it. NULL in what is handed over
 * is "", but for last_error and doing. */
struct board_texts {
	const char *description;
	const char *last_error;		/* NULL when none */
	const char *groups;		/* blank-separated */
	const char *waits_for;		/* the first of these, as in depends_on, blank-separated */
	const char *awaits;		/* what its readiness waits for */
	const char *status;		/* what it says of itself */
	const char *health_detail;	/* the last answer to its health probe */
	const char *degraded;		/* what is not as it should be, newline-separated */
	const char *cause;		/* whose failure it was started for */
	const char *doing;		/* the hook or command that runs; NULL: none */
};

enum health { HEALTH_UNKNOWN, HEALTH_HEALTHY, HEALTH_UNHEALTHY };
extern const struct enumtext health_text;

struct board_record {
	const struct board_texts *texts;
	const char *goal_why;		/* static text: "config", "operator", "shutdown", ... */
	uint64_t id;
	uint64_t generation;		/* configuration generation of its options */
	uint64_t restart_count;
	int64_t since_mono_ns;		/* when the state was entered */
	int64_t started_mono_ns;	/* of the current process; 0: none */
	int64_t next_restart_mono_ns;	/* 0: none pending */
	int64_t next_run_ns;		/* 0: none planned */
	int64_t ready_by_mono_ns;	/* deadline of its readiness; 0: none */
	uint32_t slot;
	uint32_t place;			/* slot of the record, and of the cgroup, of its process: its
					 * own or a second one (core/overlap.h) */
	int pid;			/* 0: none */
	int exit_code;			/* of the last end; -1: none */
	int signal;			/* of the last end; 0: none */
	uint32_t attempt;
	uint32_t health_failures;	/* probes that failed in a row */
	enum subsystem_state state : 8;
	enum reason reason : 8;		/* of the last state change */
	enum health health : 8;
	bool ready : 1, gave_up : 1, autostart : 1, goal_up : 1, oneshot : 1;
	bool waiting : 1;		/* its start waits for others */
	bool killed : 1, core_dumped : 1;	/* the last end */
	bool periodic : 1;		/* it has a schedule or a period */
	bool next_run_real : 1;		/* NEXT_RUN_NS is by the time of day, not monotonic */
	char name[];
};

enum daemon_state { DAEMON_STARTING, DAEMON_RUNNING, DAEMON_RELOADING, DAEMON_STOPPING };
extern const struct enumtext daemon_state_text;

/* The instance as a whole; replaced like the others. */
struct board_daemon {
	enum daemon_state state;
	uint64_t generation;
	int keeper_pid;
	int64_t keeper_started_mono_ns;
	uint32_t supervisor_deaths;
	uint32_t counts[STATE_NSTATES];
	uint64_t total_restarts;
	char degraded[512];		/* newline-separated reasons, "" when none */
};

struct board;
struct board *board_new(uint32_t max_slots);
void board_free(struct board *b);	/* after all readers have ended */

/* Main thread. Takes RECORD (from board_record_new), retires the old one; NULL removes. */
void board_put(struct board *b, uint32_t slot, struct board_record *record);
void board_put_daemon(struct board *b, struct board_daemon *daemon);
/* Allocate, with NAME and the strings copied; everything else zero. */
struct board_record *board_record_new(const char *name, const struct board_texts *t);

/* Inside a read section (or main thread); what is returned is good until its end. */
const struct board_daemon *board_daemon(const struct board *b);		/* never NULL */
uint32_t board_slots(const struct board *b);	/* highest slot in use + 1 */
const struct board_record *board_get(const struct board *b, uint32_t slot);	/* NULL: free slot */
const struct board_record *board_find(const struct board *b, const char *name);

/* Slots that PATTERNS (name, glob, @group, "all", NAME for NAME@i) select, in slot order, appended
 * to *OUT (x_realloc'ed, *N items). Returns NULL, or the first pattern that matches nothing. */
const char *board_match(const struct board *b, const struct strlist *patterns, uint32_t **out,
			size_t *n);

#endif
