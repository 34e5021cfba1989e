/* Continue where the supervisor before stopped. Main thread. */
#ifndef CORE_RECOVERY_H
#define CORE_RECOVERY_H

#include "core/subsystem.h"

/* Is there anything to continue from? */
bool recovery_needed(const struct core *c);
/* Rebuild the subsystems that memory or records know; says nothing yet. */
void recovery_load(struct core *c);
/* Tell what was found and go on: events that were not sent, exits, stops and delays under way. */
void recovery_resume(struct core *c);
/* Then, when the edges are built: what an end means for all that was told as the last thing. */
void recovery_decide(struct core *c);

#endif
