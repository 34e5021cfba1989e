/* Steps of the child that have files of their own, for keeper/child.c, whose opening comment says
 * what they may do: system calls only. */
#ifndef KEEPER_CHILD_STEP_H
#define KEEPER_CHILD_STEP_H

#include <errno.h>

#include "keeper/child.h"
#include "keeper/rawcall.h"

/* A step: 0, or the errno of what failed. */
#define TRY(call)                                                                                 \
	do {                                                                                      \
		if ((call) < 0)                                                                   \
			return errno;                                                             \
	} while (0)

/* Each of these is one. TO: 0, 1 or 2. */
int child_stdio(const struct child_job *job, int to);
/* In this order; each sees to it that the kernel did what it was asked for. */
int child_groups(const struct plan *p);
int child_gid(const struct plan *p);
int child_uid(const struct plan *p);

#endif
