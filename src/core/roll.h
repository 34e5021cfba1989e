/* Restarts one after the other: the next one begins when the one before is ready again. Main
 * thread.
 *
 * Each step is an order of its own. The first that fails ends it, and those that are left stay as
 * they are; so does the end of the supervisor. */
#ifndef CORE_ROLL_H
#define CORE_ROLL_H

#include "core/core.h"

/* Begin what R (CORE_RESTART) orders; R is answered as core_request() would. */
void roll_start(struct core *c, struct core_request *r);
/* Begin the steps that are due. Called by core_settle(). */
void rolls_run(struct core *c);
/* procd ends: answer those between two steps. */
void rolls_abandon(struct core *c);
/* The core is freed; orders stay their owners'. */
void rolls_free(struct core *c);

#endif
