/* The child becomes who the plan says, and looks whether it did. */
#include <unistd.h>

#include "keeper/child_step.h"

IN_CHILD static bool child_has_group(const uint32_t *groups, long n, uint32_t gid)
{
	for (long i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

/* Is the set of groups what the plan wants? The primary one may be among them or not. */
IN_CHILD static bool child_groups_are(const struct plan *p)
{
	uint32_t now[PLAN_MAX_GROUPS + 1];
	long n = syscall(SYS_getgroups, PLAN_MAX_GROUPS + 1, now);

	if (n < 0)
		return false;
	for (long i = 0; i < n; i++)
		if (now[i] != p->gid && !child_has_group(p->groups, p->ngroups, now[i]))
			return false;
	for (uint32_t i = 0; i < p->ngroups; i++)
		if (p->groups[i] != p->gid && !child_has_group(now, n, p->groups[i]))
			return false;
	return true;
}

/* Looked at whatever the call said: an unprivileged keeper may not set them, and need not when they
 * are right as they are. */
IN_CHILD int child_groups(const struct plan *p)
{
	if (!(p->flags & PLAN_SET_IDS))
		return 0;
	if (syscall(SYS_setgroups, (size_t)p->ngroups, p->groups) < 0 && errno != EPERM)
		return errno;
	return child_groups_are(p) ? 0 : EPERM;
}

IN_CHILD int child_gid(const struct plan *p)
{
	uint32_t real = 0, effective = 0, saved = 0;

	if (!(p->flags & PLAN_SET_IDS))
		return 0;
	TRY(syscall(SYS_setresgid, p->gid, p->gid, p->gid));
	TRY(syscall(SYS_getresgid, &real, &effective, &saved));
	return real == p->gid && effective == p->gid && saved == p->gid ? 0 : EPERM;
}

IN_CHILD int child_uid(const struct plan *p)
{
	uint32_t real = 0, effective = 0, saved = 0;

	if (!(p->flags & PLAN_SET_IDS))
		return 0;
	TRY(syscall(SYS_setresuid, p->uid, p->uid, p->uid));
	TRY(syscall(SYS_getresuid, &real, &effective, &saved));
	if (real != p->uid || effective != p->uid || saved != p->uid)
		return EPERM;
	/* and there is no way back */
	if (p->uid != 0 && syscall(SYS_setresuid, -1, 0, -1) == 0)
		return EPERM;
	return 0;
}
