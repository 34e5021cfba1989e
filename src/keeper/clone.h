/* Starting a process that shares our memory until it execs. */
#ifndef KEEPER_CLONE_H
#define KEEPER_CLONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* struct clone_args of kernel 5.7 */
struct clone3_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
		set_tid_size, cgroup;
};
#define CLONE3_INTO_CGROUP UINT64_C(0x200000000)

/* libc has no wrapper: the stub is written per architecture. */
#if defined(__x86_64__) || defined(__aarch64__)
#define CLONE3_SUPPORTED 1
#else
#define CLONE3_SUPPORTED 0
#endif

struct child_stack {
	char *base;	/* lowest byte above the guard page */
	size_t size;
};
int child_stack_init(struct child_stack *s);	/* 64 KiB and a guard page; 0 or -errno */

/* Run FN(ARG) in a child with vfork semantics: shared memory, this thread sleeps until the child
 * execs or exits. All signals must be blocked. SHARE_FDS: the child must unshare the descriptor
 * table before it touches it. *PIDFD (may be NULL: not wanted) gets a descriptor. CGROUP_FD >= 0:
 * born there (clone3). Returns the pid or -errno; errno itself is left as it was. */
pid_t clone_child(const struct child_stack *stack, int (*fn)(void *), void *arg, bool share_fds,
		  int *pidfd, int cgroup_fd);

#endif
