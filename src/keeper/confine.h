/* Steps of the child that place and confine it. Between clone and exec: system calls only, nothing
 * written but the own stack (keeper/rawcall.h). Each returns 0 or -errno. */
#ifndef KEEPER_CONFINE_H
#define KEEPER_CONFINE_H

#include "keeper/plan.h"

int confine_affinity(const struct plan *p);	/* the plan's processors */
int confine_sched(const struct plan *p);
int confine_io(const struct plan *p);
int confine_numa(const struct plan *p);

/* The bounding set. Before the change of ids, which takes the right to change it. */
int confine_capabilities(const struct plan *p);
/* Right before the change of ids: what is to become ambient shall survive it. That it could not be
 * done shows in confine_ambient(). */
void confine_keep_capabilities(const struct plan *p);
/* After the change of ids: the inheritable and ambient sets. */
int confine_ambient(const struct plan *p);
int confine_no_new_privileges(const struct plan *p);
/* The last step: what follows has to pass the filter. */
int confine_seccomp(const struct plan *p);

#endif
