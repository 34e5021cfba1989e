/* Landlock: the files that a program may reach, by path. */
#ifndef KEEPER_LANDLOCK_H
#define KEEPER_LANDLOCK_H

#include "keeper/plan.h"

/* Refuse the calling process, and all that it executes, every file that is not beneath one of the
 * plan's paths; nothing when it names none. Needs no_new_privs (or CAP_SYS_ADMIN) before. In the
 * child, between clone and exec: 0 or -errno, -ENOSYS or -EOPNOTSUPP where the kernel has no
 * Landlock. landlock(7), Documentation/userspace-api/landlock.rst. */
int landlock_confine(const struct plan *p);

#endif
