/* The child's own view of the file system: steps between clone and exec. System calls only, nothing
 * written but the own stack. Each returns 0 or -errno, and nothing when the plan does not ask. */
#ifndef KEEPER_MOUNTS_H
#define KEEPER_MOUNTS_H

#include "keeper/plan.h"

/* A mount namespace, where a later step needs one: what is mounted by the others stays in it, what
 * is unmounted outside goes from it. */
int mounts_namespace(const struct plan *p);
/* The plan's root directory becomes "/", also for the steps that follow. */
int mounts_root(const struct plan *p);
/* Empty /tmp and /var/tmp, gone with the last process of the namespace. */
int mounts_private_tmp(const struct plan *p);
/* The plan's credentials as files of its user in PLAN_CREDENTIALS_DIR, that only the namespace
 * has. */
int mounts_credentials(const struct plan *p);
int mounts_protect_system(const struct plan *p);
/* Without a directory in the plan: the current one as it looks from in here. */
int mounts_reenter(const struct plan *p);

#endif
