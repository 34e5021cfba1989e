/* The time slice of the keeper: short, so that it runs as soon as it is woken. Children have the
 * usual one. */
#ifndef KEEPER_SLICE_H
#define KEEPER_SLICE_H

#include <stdbool.h>

/* Ask for short slices for this thread, which keeps its policy and niceness. True: granted. False:
 * the kernel has none (before 6.12), may not be asked, or the policy is not the usual one. Keeper
 * only. sched_setattr(2); Documentation/scheduler/sched-eevdf.rst. */
bool slice_shorten(void);

/* Back to the usual length, for a child that inherited a short one; the same policy and niceness. 0
 * or -errno. For the child of a clone with shared memory: no errno, no stack to speak of. */
int slice_reset(void);

#endif
