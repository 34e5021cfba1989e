/* The transition matrix: what a fact means in a state. Pure data; no memory, no time, any thread.
 *
 * Facts are noted as bits and fed in the order of the enum, which is the order of a process's life:
 * whatever arrived between two settles is told as it happened. */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include "event/event.h"

enum fact {
	FACT_ADOPTED,		/* recovery found its process alive, memory did not know */
	FACT_STARTED,		/* exec succeeded */
	FACT_START_FAILED,	/* a step of the start failed */
	FACT_DEFERRED,		/* procd could not make a process now */
	FACT_READY,		/* it is all that readiness asks for */
	FACT_OVERDUE,		/* it was not ready within start_timeout */
	FACT_SILENT,		/* its watchdog heard nothing for too long */
	FACT_WELL,		/* its health probe succeeded */
	FACT_ILL,		/* its health probe failed too often in a row */
	FACT_DONE,		/* main process ended, and that counts as success */
	FACT_DIED,		/* main process ended, and that counts as failure */
	FACT_GONE,		/* nothing of its tree lives any more */
	FACT_WILL_RESTART,	/* the policy decided so */
	FACT_RETRY,		/* time to try a deferred start again */
	FACT_DUE,		/* the restart delay is over */
	FACT_STABLE,		/* ran long enough to forget earlier restarts */
	FACT_STOP_STEP,		/* the next deadline of a stop was reached */
	FACT_WANT_DOWN,		/* goal and state disagree */
	FACT_WANT_UP,
	FACT_COUNT
};
extern const struct enumtext fact_text;

enum action {
	ACT_EMPTY,		/* an empty cell: a bug */
	ACT_IGNORE,		/* the fact changes nothing here */
	ACT_SPAWN,		/* ask the keeper for a process, on someone's order */
	ACT_SPAWN_AGAIN,	/* the same, as automatic restart */
	ACT_SPAWN_RETRY,	/* the same, as the deferred attempt */
	ACT_ADOPT,		/* take over the living process */
	ACT_AWAIT_READY,	/* look for what makes it ready */
	ACT_EXPIRE,		/* end it; what it then did becomes a failure */
	ACT_NOTE_WELL,		/* it is healthy */
	ACT_NOTE_ILL,		/* it is unhealthy, and on_unhealthy says what follows */
	ACT_DEFER,		/* arm the retry */
	ACT_ENTER_RUN,		/* arm the stable timer */
	ACT_FORGET_ATTEMPTS,	/* the backoff begins anew */
	ACT_DECIDE,		/* let the restart policy speak */
	ACT_ARM_BACKOFF,	/* wait for the restart delay */
	ACT_TERMINATE,		/* begin the stop ladder */
	ACT_CLIMB,		/* next step of the stop ladder */
	ACT_NOTE_PID,		/* show who is being stopped */
	ACT_NOTE_EXIT,		/* the main process is gone, its tree not yet */
	ACT_CLEAR,		/* the slot's process side is empty again */
	ACT_CANCEL,		/* forget a pending restart */
	ACT_COUNT
};
extern const struct enumtext action_text;

struct transition {
	enum subsystem_state next;
	enum action action;
};
/* Never an empty cell. */
const struct transition *state_step(enum subsystem_state state, enum fact fact);

/* Is FROM -> TO one of the transitions of the contract (interface 3)? */
bool state_legal(enum subsystem_state from, enum subsystem_state to);

#endif
