/* Another number of instances, by order. Main thread. The order comes in two halves, because the
 * configuration in between is read on another thread. */
#ifndef CORE_SCALE_H
#define CORE_SCALE_H

#include "config/scales.h"
#include "core/core.h"

/* First half: *WANTED gets R->instances for every subsystem that R->names means. False: that cannot
 * be, R->error says why. Changes nothing. */
bool core_scale_wanted(struct core *c, struct core_request *r, struct scales *wanted);
/* Second half: NEW differs from the published configuration in numbers of instances only. Publishes
 * it (takes NEW), starts what is new, takes down what is gone; R is done when both are. False:
 * nothing was published, and R is done. */
bool core_scale(struct core *c, struct config *new, struct core_request *r);

#endif
