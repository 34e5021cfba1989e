/* From a published configuration to subsystems. Main thread. */
#ifndef CORE_APPLY_H
#define CORE_APPLY_H

#include "base/strlist.h"
#include "core/subsystem.h"

/* Add every subsystem of the current configuration that the registry does not know. ORDER_REASON:
 * what its start will be told with. */
void apply_added(struct core *c, enum reason order_reason);
/* What runs was started under BEFORE and goes on under the current configuration: what has to be
 * restarted for that is. After a recovery. */
void apply_missed(struct core *c, const struct config *before);

/* Publish NEW (taken), where only numbers of instances are others; AFFECTED gets the names of those
 * that come or go. False: nothing was published. */
bool apply_scaled(struct core *c, struct config *new, struct strlist *affected);

#endif
