/* The picture of a subsystem's life. Behaviour is looked up here and nowhere else: the settle loop
 * only feeds facts and runs the named action. Inputs that change nothing say so (IGNORE), so an
 * empty cell can only be a mistake.
 *
 * A process and a state are not the same thing: in stopped, failed and restarting the rest of an
 * ended process's tree may still be dying (the exit is told at once), which is why these rows know
 * STOP_STEP and GONE. No new process is made before that rest is gone. Starting and running know
 * STOP_STEP, too: one that was not ready in time, or fell silent, is ended in the state it is in,
 * so that its end is told as the failure it is. */
#include "core/state.h"

#define IGNORE(state) { (state), ACT_IGNORE }

static const struct transition matrix[STATE_NSTATES][FACT_COUNT] = {
	[STATE_STOPPED] = {
		[FACT_ADOPTED]      = { STATE_STARTING,   ACT_ADOPT },
		[FACT_STARTED]      = IGNORE(STATE_STOPPED),
		[FACT_START_FAILED] = IGNORE(STATE_STOPPED),
		[FACT_DEFERRED]     = IGNORE(STATE_STOPPED),
		[FACT_READY]        = IGNORE(STATE_STOPPED),
		[FACT_OVERDUE]      = IGNORE(STATE_STOPPED),
		[FACT_SILENT]       = IGNORE(STATE_STOPPED),
		[FACT_WELL]         = IGNORE(STATE_STOPPED),
		[FACT_ILL]          = IGNORE(STATE_STOPPED),
		[FACT_DONE]         = IGNORE(STATE_STOPPED),
		[FACT_DIED]         = IGNORE(STATE_STOPPED),
		[FACT_GONE]         = { STATE_STOPPED,    ACT_CLEAR },
		[FACT_WILL_RESTART] = { STATE_RESTARTING, ACT_ARM_BACKOFF },
		[FACT_RETRY]        = IGNORE(STATE_STOPPED),
		[FACT_DUE]          = IGNORE(STATE_STOPPED),
		[FACT_STABLE]       = IGNORE(STATE_STOPPED),
		[FACT_STOP_STEP]    = { STATE_STOPPED,    ACT_CLIMB },
		[FACT_WANT_DOWN]    = IGNORE(STATE_STOPPED),
		[FACT_WANT_UP]      = { STATE_STARTING,   ACT_SPAWN },
	},
	[STATE_STARTING] = {
		[FACT_ADOPTED]      = IGNORE(STATE_STARTING),
		[FACT_STARTED]      = { STATE_STARTING,   ACT_AWAIT_READY },
		[FACT_START_FAILED] = { STATE_FAILED,     ACT_DECIDE },
		[FACT_DEFERRED]     = { STATE_STARTING,   ACT_DEFER },
		[FACT_READY]        = { STATE_RUNNING,    ACT_ENTER_RUN },
		[FACT_OVERDUE]      = { STATE_STARTING,   ACT_EXPIRE },
		[FACT_SILENT]       = IGNORE(STATE_STARTING),
		[FACT_WELL]         = IGNORE(STATE_STARTING),
		[FACT_ILL]          = IGNORE(STATE_STARTING),
		[FACT_DONE]         = { STATE_FAILED,     ACT_DECIDE },
		[FACT_DIED]         = { STATE_FAILED,     ACT_DECIDE },
		[FACT_GONE]         = IGNORE(STATE_STARTING),
		[FACT_WILL_RESTART] = IGNORE(STATE_STARTING),
		[FACT_RETRY]        = { STATE_STARTING,   ACT_SPAWN_RETRY },
		[FACT_DUE]          = IGNORE(STATE_STARTING),
		[FACT_STABLE]       = IGNORE(STATE_STARTING),
		[FACT_STOP_STEP]    = { STATE_STARTING,   ACT_CLIMB },
		[FACT_WANT_DOWN]    = { STATE_STOPPING,   ACT_TERMINATE },
		[FACT_WANT_UP]      = IGNORE(STATE_STARTING),
	},
	[STATE_RUNNING] = {
		[FACT_ADOPTED]      = IGNORE(STATE_RUNNING),
		[FACT_STARTED]      = IGNORE(STATE_RUNNING),
		[FACT_START_FAILED] = IGNORE(STATE_RUNNING),
		[FACT_DEFERRED]     = IGNORE(STATE_RUNNING),
		[FACT_READY]        = IGNORE(STATE_RUNNING),
		[FACT_OVERDUE]      = IGNORE(STATE_RUNNING),
		[FACT_SILENT]       = { STATE_RUNNING,    ACT_EXPIRE },
		[FACT_WELL]         = { STATE_RUNNING,    ACT_NOTE_WELL },
		[FACT_ILL]          = { STATE_RUNNING,    ACT_NOTE_ILL },
		[FACT_DONE]         = { STATE_STOPPED,    ACT_DECIDE },
		[FACT_DIED]         = { STATE_FAILED,     ACT_DECIDE },
		[FACT_GONE]         = IGNORE(STATE_RUNNING),
		[FACT_WILL_RESTART] = IGNORE(STATE_RUNNING),
		[FACT_RETRY]        = IGNORE(STATE_RUNNING),
		[FACT_DUE]          = IGNORE(STATE_RUNNING),
		[FACT_STABLE]       = { STATE_RUNNING,    ACT_FORGET_ATTEMPTS },
		[FACT_STOP_STEP]    = { STATE_RUNNING,    ACT_CLIMB },
		[FACT_WANT_DOWN]    = { STATE_STOPPING,   ACT_TERMINATE },
		[FACT_WANT_UP]      = IGNORE(STATE_RUNNING),
	},
	[STATE_STOPPING] = {
		[FACT_ADOPTED]      = IGNORE(STATE_STOPPING),
		[FACT_STARTED]      = { STATE_STOPPING,   ACT_NOTE_PID },
		[FACT_START_FAILED] = { STATE_STOPPED,    ACT_CLEAR },
		[FACT_DEFERRED]     = { STATE_STOPPED,    ACT_CLEAR },
		[FACT_READY]        = IGNORE(STATE_STOPPING),
		[FACT_OVERDUE]      = IGNORE(STATE_STOPPING),
		[FACT_SILENT]       = IGNORE(STATE_STOPPING),
		[FACT_WELL]         = IGNORE(STATE_STOPPING),
		[FACT_ILL]          = IGNORE(STATE_STOPPING),
		[FACT_DONE]         = { STATE_STOPPING,   ACT_NOTE_EXIT },
		[FACT_DIED]         = { STATE_STOPPING,   ACT_NOTE_EXIT },
		[FACT_GONE]         = { STATE_STOPPED,    ACT_CLEAR },
		[FACT_WILL_RESTART] = IGNORE(STATE_STOPPING),
		[FACT_RETRY]        = IGNORE(STATE_STOPPING),
		[FACT_DUE]          = IGNORE(STATE_STOPPING),
		[FACT_STABLE]       = IGNORE(STATE_STOPPING),
		[FACT_STOP_STEP]    = { STATE_STOPPING,   ACT_CLIMB },
		[FACT_WANT_DOWN]    = IGNORE(STATE_STOPPING),
		[FACT_WANT_UP]      = IGNORE(STATE_STOPPING),
	},
	[STATE_FAILED] = {
		[FACT_ADOPTED]      = { STATE_STARTING,   ACT_ADOPT },
		[FACT_STARTED]      = IGNORE(STATE_FAILED),
		[FACT_START_FAILED] = IGNORE(STATE_FAILED),
		[FACT_DEFERRED]     = IGNORE(STATE_FAILED),
		[FACT_READY]        = IGNORE(STATE_FAILED),
		[FACT_OVERDUE]      = IGNORE(STATE_FAILED),
		[FACT_SILENT]       = IGNORE(STATE_FAILED),
		[FACT_WELL]         = IGNORE(STATE_FAILED),
		[FACT_ILL]          = IGNORE(STATE_FAILED),
		[FACT_DONE]         = IGNORE(STATE_FAILED),
		[FACT_DIED]         = IGNORE(STATE_FAILED),
		[FACT_GONE]         = { STATE_FAILED,     ACT_CLEAR },
		[FACT_WILL_RESTART] = { STATE_RESTARTING, ACT_ARM_BACKOFF },
		[FACT_RETRY]        = IGNORE(STATE_FAILED),
		[FACT_DUE]          = IGNORE(STATE_FAILED),
		[FACT_STABLE]       = IGNORE(STATE_FAILED),
		[FACT_STOP_STEP]    = { STATE_FAILED,     ACT_CLIMB },
		[FACT_WANT_DOWN]    = IGNORE(STATE_FAILED),
		[FACT_WANT_UP]      = { STATE_STARTING,   ACT_SPAWN },
	},
	[STATE_RESTARTING] = {
		[FACT_ADOPTED]      = { STATE_STARTING,   ACT_ADOPT },
		[FACT_STARTED]      = IGNORE(STATE_RESTARTING),
		[FACT_START_FAILED] = IGNORE(STATE_RESTARTING),
		[FACT_DEFERRED]     = IGNORE(STATE_RESTARTING),
		[FACT_READY]        = IGNORE(STATE_RESTARTING),
		[FACT_OVERDUE]      = IGNORE(STATE_RESTARTING),
		[FACT_SILENT]       = IGNORE(STATE_RESTARTING),
		[FACT_WELL]         = IGNORE(STATE_RESTARTING),
		[FACT_ILL]          = IGNORE(STATE_RESTARTING),
		[FACT_DONE]         = IGNORE(STATE_RESTARTING),
		[FACT_DIED]         = IGNORE(STATE_RESTARTING),
		[FACT_GONE]         = { STATE_RESTARTING, ACT_CLEAR },
		[FACT_WILL_RESTART] = IGNORE(STATE_RESTARTING),
		[FACT_RETRY]        = IGNORE(STATE_RESTARTING),
		[FACT_DUE]          = { STATE_STARTING,   ACT_SPAWN_AGAIN },
		[FACT_STABLE]       = IGNORE(STATE_RESTARTING),
		[FACT_STOP_STEP]    = { STATE_RESTARTING, ACT_CLIMB },
		[FACT_WANT_DOWN]    = { STATE_STOPPED,    ACT_CANCEL },
		[FACT_WANT_UP]      = { STATE_STARTING,   ACT_SPAWN },
	},
};

#define TO(state) (1u << (state))

static const unsigned int legal[STATE_NSTATES] = {
	[STATE_STOPPED]    = TO(STATE_STARTING) | TO(STATE_RESTARTING),
	[STATE_STARTING]   = TO(STATE_RUNNING) | TO(STATE_FAILED) | TO(STATE_STOPPING),
	[STATE_RUNNING]    = TO(STATE_STOPPING) | TO(STATE_FAILED) | TO(STATE_STOPPED),
	[STATE_STOPPING]   = TO(STATE_STOPPED),
	[STATE_FAILED]     = TO(STATE_RESTARTING) | TO(STATE_STARTING),
	[STATE_RESTARTING] = TO(STATE_STARTING) | TO(STATE_STOPPED),
};

ENUMTEXT(fact, "fact",
	[FACT_ADOPTED] = "adopted", [FACT_STARTED] = "started",
	[FACT_START_FAILED] = "start-failed", [FACT_DEFERRED] = "deferred",
	[FACT_READY] = "ready", [FACT_OVERDUE] = "overdue", [FACT_SILENT] = "silent",
	[FACT_WELL] = "well", [FACT_ILL] = "ill",
	[FACT_DONE] = "done", [FACT_DIED] = "died", [FACT_GONE] = "gone",
	[FACT_WILL_RESTART] = "will-restart", [FACT_RETRY] = "retry", [FACT_DUE] = "due",
	[FACT_STABLE] = "stable", [FACT_STOP_STEP] = "stop-step",
	[FACT_WANT_DOWN] = "want-down", [FACT_WANT_UP] = "want-up");

ENUMTEXT(action, "action",
	[ACT_IGNORE] = "ignore", [ACT_SPAWN] = "spawn", [ACT_SPAWN_AGAIN] = "spawn-again",
	[ACT_SPAWN_RETRY] = "spawn-retry", [ACT_ADOPT] = "adopt",
	[ACT_AWAIT_READY] = "await-ready", [ACT_EXPIRE] = "expire",
	[ACT_NOTE_WELL] = "note-well", [ACT_NOTE_ILL] = "note-ill",
	[ACT_DEFER] = "defer", [ACT_ENTER_RUN] = "enter-run",
	[ACT_FORGET_ATTEMPTS] = "forget-attempts", [ACT_DECIDE] = "decide",
	[ACT_ARM_BACKOFF] = "arm-backoff", [ACT_TERMINATE] = "terminate", [ACT_CLIMB] = "climb",
	[ACT_NOTE_PID] = "note-pid", [ACT_NOTE_EXIT] = "note-exit", [ACT_CLEAR] = "clear",
	[ACT_CANCEL] = "cancel");

const struct transition *state_step(enum subsystem_state state, enum fact fact)
{
	const struct transition *t = &matrix[state][fact];

	BUG_ON(t->action == ACT_EMPTY);
	return t;
}

bool state_legal(enum subsystem_state from, enum subsystem_state to)
{
	return legal[from] & TO(to);
}
