/* What a plan says about where a program runs and what it may do, one system call after the other.
 * The plan was checked when it arrived; nothing here trusts the kernel to have done what it was
 * asked for where it could have done less. */
#include "keeper/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#include "keeper/rawcall.h"

IN_CHILD int confine_affinity(const struct plan *p)
{
	return (int)raw_call(SYS_sched_setaffinity, 0, p->cpus_size, (const char *)p + p->cpus);
}

IN_CHILD int confine_sched(const struct plan *p)
{
	int priority = (int)p->sched_priority;

	if (!(p->flags & PLAN_SET_SCHED))
		return 0;
	return (int)raw_call(SYS_sched_setscheduler, 0, p->sched_policy, &priority);
}

IN_CHILD int confine_io(const struct plan *p)
{
	if (p->io_priority == 0)
		return 0;
	return (int)raw_call(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, p->io_priority);
}

/* Of this thread alone, the only one that the child has. */
IN_CHILD int confine_numa(const struct plan *p)
{
	unsigned long nodes[PLAN_MAX_NODES / (8 * sizeof(unsigned long))];
	const unsigned bits = 8 * sizeof(*nodes);

	if (!(p->flags & PLAN_SET_NUMA))
		return 0;
	for (unsigned i = 0; i < sizeof(nodes) / sizeof(*nodes); i++)
		nodes[i] = i == p->numa_node / bits ? 1UL << p->numa_node % bits : 0;
	return (int)raw_call(SYS_set_mempolicy, MPOL_PREFERRED, nodes, PLAN_MAX_NODES + 1);
}

/* --- capabilities ----------------------------------------------------------------------------- */

#define CAPABILITIES 64		/* more than any kernel has; it says EINVAL to what it does not know */

struct capability_sets {
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
};

IN_CHILD static bool wanted(uint64_t set, int cap)
{
	return set >> cap & 1;
}

/* Whatever the kernel says to the order, the set itself is looked at afterwards: who may not change
 * it may still have nothing to drop. */
IN_CHILD int confine_capabilities(const struct plan *p)
{
	if (!(p->flags & PLAN_SET_CAPABILITIES))
		return 0;
	for (int cap = 0; cap < CAPABILITIES; cap++) {
		long ret, left;

		if (wanted(p->capabilities, cap))
			continue;
		ret = raw_call(SYS_prctl, PR_CAPBSET_DROP, cap);
		left = raw_call(SYS_prctl, PR_CAPBSET_READ, cap);
		if (left > 0)
			return ret < 0 ? (int)ret : -EPERM;
		if (left < 0 && (left != -EINVAL || cap <= CAP_AUDIT_READ))
			return (int)left;	/* the first ones are known to each kernel */
	}
	return 0;
}

IN_CHILD void confine_keep_capabilities(const struct plan *p)
{
	if (p->flags & PLAN_SET_AMBIENT && p->ambient != 0)
		raw_call(SYS_prctl, PR_SET_KEEPCAPS, 1);
}

IN_CHILD static int capability_sets_get(struct capability_sets *c)
{
	c->header.version = _LINUX_CAPABILITY_VERSION_3;
	c->header.pid = 0;
	return (int)raw_call(SYS_capget, &c->header, c->data);
}

/* What exec would add for root from the inheritable set, and for everybody from the ambient one,
 * which is cut with it. */
IN_CHILD static int inheritable_set(const struct plan *p)
{
	struct capability_sets c, now;
	int ret = capability_sets_get(&c);

	if (ret < 0)
		return ret;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		uint32_t bounds = (uint32_t)(p->capabilities >> (32 * i));
		uint32_t ambient = (uint32_t)(p->ambient >> (32 * i));

		c.data[i].inheritable = p->flags & PLAN_SET_AMBIENT
						? ambient : c.data[i].inheritable & bounds;
	}
	ret = (int)raw_call(SYS_capset, &c.header, c.data);
	if (ret == 0)
		ret = capability_sets_get(&now);
	for (int i = 0; ret == 0 && i < _LINUX_CAPABILITY_U32S_3; i++)
		if (now.data[i].inheritable != c.data[i].inheritable)
			ret = -EPERM;
	return ret;
}

IN_CHILD static int ambient_set(uint64_t set)
{
	int ret = (int)raw_call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL);

	for (int cap = 0; ret == 0 && cap < CAPABILITIES; cap++) {
		long now;

		if (wanted(set, cap))
			ret = (int)raw_call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap);
		now = raw_call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap);
		if (ret == 0 && now != wanted(set, cap) && (now != -EINVAL || wanted(set, cap)))
			ret = now < 0 ? (int)now : -EPERM;
	}
	return ret;
}

IN_CHILD int confine_ambient(const struct plan *p)
{
	int ret;

	if (!(p->flags & (PLAN_SET_AMBIENT | PLAN_SET_CAPABILITIES)))
		return 0;
	ret = inheritable_set(p);
	if (ret == 0 && p->flags & PLAN_SET_AMBIENT)
		ret = ambient_set(p->ambient);
	return ret;
}

/* What prctl(2) says to QUESTION has to be ANSWER. */
IN_CHILD static int is_now(int question, long answer)
{
	long now = raw_call(SYS_prctl, question);

	if (now == answer)
		return 0;
	return now < 0 ? (int)now : -EPERM;
}

IN_CHILD int confine_no_new_privileges(const struct plan *p)
{
	int ret;

	if (!(p->flags & PLAN_NO_NEW_PRIVILEGES))
		return 0;
	ret = (int)raw_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1);
	return ret == 0 ? is_now(PR_GET_NO_NEW_PRIVS, 1) : ret;
}

IN_CHILD int confine_seccomp(const struct plan *p)
{
	union { const char *in; struct sock_filter *out; } code;
	struct sock_fprog program;
	int ret;

	if (p->filter == 0)
		return 0;
	code.in = (const char *)p + p->filter;	/* the kernel only reads it */
	program.len = (unsigned short)p->nfilter;
	program.filter = code.out;
	ret = (int)raw_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
	return ret == 0 ? is_now(PR_GET_SECCOMP, SECCOMP_MODE_FILTER) : ret;
}
