/* Commands of a subsystem's own around its main process: pre_start before it, post_stop after it,
 * stop_command and reload_command beside it. Main thread.
 *
 * A start waits in phase ASKED while pre_start runs. What is left of a process counts as left
 * (phase REST, nothing released) until stop_command and post_stop have ended, too. */
#ifndef CORE_HOOKS_H
#define CORE_HOOKS_H

#include "core/state.h"
#include "core/task.h"

struct core_request;

/* Why a hook failed, as far as people and successors want to know. */
struct hook_trouble {
	bool known;
	enum task_kind kind;		/* TASK_PRE_START, TASK_POST_STOP */
	struct task_result result;
};

/* A post_stop that the machine was too short of something to run comes later. */
struct hook_retry {
	struct timer timer;
	uint32_t tries;
};

/* The reloads of a subsystem, one after the other. */
struct reload_runs {
	uint64_t begun, ended;		/* numbers of the latest ones */
	bool again;			/* somebody asked while one was running */
	char *trouble;			/* of the latest that ended; NULL: it went well */
};

/* A start is to be made. True: pre_start runs first; it sends the plan, or fails the start. */
bool hooks_before_start(struct subsystem *s);
/* S is to stop. True: its main process was not made yet; pre_start is asked to end, and FACT_GONE
 * follows when it has. */
bool hooks_cancel_start(struct subsystem *s);
/* A new start must not begin: something of an earlier run is not gone yet. */
bool hooks_in_the_way(const struct subsystem *s);

/* Something will follow when nothing of the tree is left. */
bool hooks_after_end(const struct subsystem *s);
/* Nothing of S's process lives. True: but a hook has to end first; FACT_GONE comes again then. */
bool hooks_hold_gone(struct subsystem *s);
/* Settle looks at S: begin what may begin now. */
void hooks_turn(struct subsystem *s);

/* The stop begins, or goes on after a death. True: stop_command does it, or has done it, and no
 * signal is needed now. */
bool hooks_stop(struct subsystem *s);
/* The main process has ended in a stop, members of its tree live: nobody asked these. */
void hooks_main_ended(struct subsystem *s);
/* The stop has come to ladder.step: whoever ought to have ended before is killed. */
void hooks_climb(struct subsystem *s);

/* Run reload_command, or let the one that runs be followed by another. Returns the number of the
 * run whose end is the answer. */
uint64_t hooks_reload(struct subsystem *s);

/* Its options changed: hook_timeout acts at once. */
void hooks_retime(struct subsystem *s);

/* What runs beside the main process at the moment, for people; NULL: nothing. */
const char *hooks_doing(const struct subsystem *s);
/* "pre_start exited with code 3"; NULL: none failed. Caller frees. */
char *hooks_trouble_text(const struct subsystem *s);

/* A task of the supervisor before: it goes on where it still makes sense, else it is killed. All
 * subsystems are known, and look as memory left them. */
void hooks_recover(struct core *c, const struct record *r, enum record_state state);
/* The record of S's own process, if there is one, is about to be looked at: true when S has none
 * and is stopped in the middle of pre_start, which goes on. */
bool hooks_resume_cancelled(struct subsystem *s);

#endif
