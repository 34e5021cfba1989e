/* Limits of whole trees by the controllers of cgroup v2. No heap. */
#ifndef KEEPER_LIMITS_H
#define KEEPER_LIMITS_H

#include "keeper/cgroup.h"
#include "keeper/plan.h"

/* Make the controllers NAMES (N of them) work for the groups below the keeper's own, LOW, as far as
 * the kernel and whoever started us let it. A group whose groups have limits may hold no process,
 * and none may enter it: with MAY_LEAVE the keeper and its descendants leave the one they were
 * started in for one beside LOW, unless a stranger lives there, too. Bit I of the result: NAMES[I]
 * works. */
uint32_t limits_enable(struct cgroup *c, int low, bool may_leave, const char *const *names,
		       size_t n);
/* The ones that plans can ask for: bits for limits_apply(). Once per keeper, at the first plan. */
uint32_t limits_controllers(struct cgroup *c, int low);
/* Back to where we were started, so that nothing is left behind. */
void limits_leave(struct cgroup *c, int low, const char *const *names, size_t n);

/* What of P's limits is given. Bits of enum plan_cgroup_limit. */
uint32_t limits_wanted(const struct plan *p);
/* Write P's limits, and "none" for what it does not name, to the group of SLOT. *MISSING: what P
 * asks for and has no controller or file here. 0 or -errno. */
int limits_apply(int low, unsigned slot, const struct plan *p, uint32_t controllers,
		 uint32_t *missing);

#endif
