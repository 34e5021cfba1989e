/* Steps of the child that place and confine it. Between clone and exec: system calls only, nothing
 * written but the own stack (keeper/rawcall.h). Each returns 0 or -errno. */
#ifndef KEEPER_CONFINE_H
#define KEEPER_CONFINE_H

#include "keeper/plan.h"

int confine_affinity(const struct plan *p);	/* the plan's processors */
int confine_sched(const struct plan *p);
int confine_io(const struct plan *p);
int confine_numa(const struct plan *p);

#endif
