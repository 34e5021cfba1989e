/* What a plan says about where a program runs and what it may do, one system call after the other.
 * The plan was checked when it arrived; nothing here trusts the kernel to have done what it was asked
 * for where it could have done less. */
#include "keeper/confine.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <linux/mempolicy.h>

#include "keeper/rawcall.h"

#define IN_CHILD RAW_CODE __attribute__((noinline))

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
