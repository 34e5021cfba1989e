/* Orders from outside: what they change at once, and when they are done. Main thread.
 *
 * An order changes the goal and then waits, per subsystem, for the world to agree or for a reason
 * why it never will. Opposite orders follow each other: a stop that has begun ends before a start
 * begins, and each answer says what really happened. */
#ifndef CORE_REQUEST_H
#define CORE_REQUEST_H

#include "core/core.h"
#include "core/subsystem.h"

/* S changed: answer the orders that this completes or makes impossible. Called by the publisher and
 * when a subsystem's tree is gone. */
void request_progress(struct subsystem *s);
/* A restart with overlap is over. TROUBLE: the old process goes on, because of that; NULL: it is
 * gone, and needed SIGKILL if KILLED. */
void request_replaced(struct subsystem *s, const char *trouble, bool killed);
/* S is gone from the board and about to be freed: nobody can wait for it any longer. */
void request_forget(struct subsystem *s);
/* The core is freed: drop the bookkeeping of unanswered orders, which stay their owners'. */
void request_drop_all(struct core *c);
/* procd ends: answer everything that still waits. */
void request_abandon_all(struct core *c);

/* --- for core/order.c, while R is applied ----------------------------------------------------- */

enum awaited {
	AWAIT_UP, AWAIT_DOWN,
	AWAIT_REPLACED,		/* its process, by another one: request_replaced() */
	AWAIT_RELOADED,
};

/* R is not answered before WHAT came true for S, or never will; unless nobody waits. */
void request_await(struct core_request *r, struct subsystem *s, enum awaited what);
/* The same for RUN of its reload command, a number of hooks_reload(). */
void request_await_reload(struct core_request *r, struct subsystem *s, uint64_t run);
/* NAME's share of R failed: "NAME: WHY". */
void request_fail(struct core_request *r, const char *name, enum error_code code, const char *why);

#endif
