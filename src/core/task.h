/* A process beside (or before, or after) a subsystem's main one: a hook, a stop or reload command,
 * a command that probes. Each has a slot, a record and a tree of its own, and a time limit. What it
 * leaves running when it ends is killed. Main thread. */
#ifndef CORE_TASK_H
#define CORE_TASK_H

#include "base/list.h"
#include "base/strlist.h"
#include "config/start_files.h"
#include "core/timer.h"
#include "keeper/plan.h"
#include "keeper/proto.h"

struct core;
struct subsystem;
struct task;

enum task_kind {
	TASK_PRE_START, TASK_POST_STOP, TASK_STOP, TASK_RELOAD,
	TASK_PROBE,		/* its output goes to nobody */
	TASK_NKINDS
};
/* "pre_start", "post_stop", "stop_command", "reload_command", "probe". */
extern const struct enumtext task_kind_text;

/* How a task ended. */
struct task_result {
	bool started;		/* exec succeeded; otherwise: */
	enum spawn_stage stage;
	int errnum;
	bool timed_out;		/* it was killed for that */
	bool status_known;
	int wait_status;	/* as from waitpid(2), when it started and that is known */
};
/* It started, and exited with code 0 in time. */
bool task_succeeded(const struct task_result *r);
/* How it failed: "exited with code 3", "did not end within 30s", ... Caller frees. */
char *task_result_text(const struct task_result *r, int64_t timeout_ns);

typedef void task_done(struct subsystem *s, enum task_kind kind, const struct task_result *r);

/* The core's share. */
struct tasks {
	struct list all;
	struct list queue;	/* not asked for yet: too many are under way, or the one before it
				 * of that kind is not gone */
	struct list over;	/* whose end settle will tell */
	uint32_t n;		/* that have a process, or may have one */
	uint32_t asked;		/* of these, not answered */
};

/* Run COMMAND (argv) with the user, directory, limits and environment that S's options say, plus
 * EXTRA_ENV ("K=V", or NULL), PROCD_TASK (the kind's text) and, while S's main process lives,
 * MAINPID. Its output is S's, but for a probe's. None of that kind may run for S (task_running()).
 * After TIMEOUT_NS (0: no limit; counted from when it is asked for) its tree is killed. DONE is
 * called from core_settle(), once, never from here, when nothing of its tree lives; it may start
 * the next. Both lists are copied. */
void task_start(struct subsystem *s, enum task_kind kind, const struct strlist *command,
		const struct strlist *extra_env, int64_t timeout_ns, task_done *done);
/* Kill its tree; DONE is not called. S is marked when nothing of it lives. Harmless when none
 * runs. */
void task_cancel(struct subsystem *s, enum task_kind kind);
/* SIGTERM to its tree; DONE is called as ever. One that has no process yet is cancelled. Harmless
 * when none runs. */
void task_ask_to_end(struct subsystem *s, enum task_kind kind);
/* Its limit is another one now, counted from where it was. Neither is 0. Harmless when none runs. */
void task_retime(struct subsystem *s, enum task_kind kind, int64_t timeout_ns);
/* Started, and neither told nor cancelled. */
bool task_running(const struct subsystem *s, enum task_kind kind);
/* The same, or cancelled and not gone yet. */
bool task_present(const struct subsystem *s, enum task_kind kind);
/* 0: none runs, or it has no process yet. */
int task_pid(const struct subsystem *s, enum task_kind kind);
/* S goes away: all its tasks are cancelled and belong to nobody. */
void task_forget_owner(struct subsystem *s);

/* --- for the core itself --------------------------------------------------------------------- */

void tasks_init(struct core *c);
void tasks_free(struct core *c);
/* Call DONE of what has ended. */
void tasks_settle(struct core *c);
/* There is something for that to do. */
bool tasks_waiting(const struct core *c);
/* procd's end is near: kill them all. */
void tasks_kill_all(struct core *c);

/* Facts of the keeper and of the readers of files. False: SLOT is not a task's. */
bool task_fact_files(struct core *c, const struct start_files *f);
bool task_fact_started(struct core *c, const struct km_started *m);
bool task_fact_exited(struct core *c, const struct km_exited *m);
bool task_fact_gone(struct core *c, uint32_t slot, uint64_t spawn_id);

/* Here SLOT is an owner's. */
bool task_fact_drained(struct core *c, uint32_t slot, uint64_t spawn_id, const char *tail);

/* The record R, named "NAME/WHAT", is a task's of the supervisor before. Its kind; false: it
 * is unknown. */
bool task_kind_of(const struct record *r, enum task_kind *kind);
/* It goes on as S's, as if it had been started here. When STATE says that it ended, DONE is
 * told. */
void task_adopt(struct subsystem *s, enum task_kind kind, const struct record *r,
		enum record_state state, int64_t timeout_ns, task_done *done);
/* It does not: what is left of it is killed; until that is gone none of its kind begins. */
void task_kill_found(struct core *c, const struct record *r, enum record_state state);

#endif
