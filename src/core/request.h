/* Orders from outside: what they change at once, and when they are done. Main thread.
 *
 * An order changes the goal and then waits, per subsystem, for the world to agree or for a reason
 * why it never will. Opposite orders follow each other: a stop that has begun ends before a start
 * begins, and each answer says what really happened. */
#ifndef CORE_REQUEST_H
#define CORE_REQUEST_H

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

#endif
