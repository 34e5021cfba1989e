/* Process descriptors: calls and structures that libc headers of our time do not have, and the one
 * function that sends signals. */
#ifndef KEEPER_PIDFD_H
#define KEEPER_PIDFD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PIDFS_MAGIC 0x50494446

int pidfd_open_process(pid_t pid);		/* close-on-exec; -errno */
int pidfd_signal(int pidfd, int signo);		/* 0 or -errno */
/* A copy of descriptor FD of that process, close-on-exec. -EBADF: it has none; -EPERM: one may not
 * (as ptrace(2)); another -errno. */
int pidfd_get_fd(int pidfd, int fd);
/* The same for every descriptor of one process and never again in a boot. Only where the kernel has
 * FEATURE_PIDFD_INODE: older ones answer with one inode for all. 0 on failure. */
uint64_t pidfd_inode(int pidfd);
/* Wait status of a process that was reaped by whomever. -ENODATA: not (yet) known. */
int pidfd_exit_status(int pidfd, int *status);

/* The cgroup that a process is in, or was when it ended; 0: not known to this kernel. */
uint64_t pidfd_cgroup(int pidfd);

/* How this kernel lets us signal. */
struct signaller {
	bool have_pidfd;	/* pidfds are used at all */
	bool have_send;		/* pidfd_send_signal works */
	bool have_inode;	/* pidfd_inode() tells processes apart */
};

/* The only place that sends a signal. To the process behind PIDFD where there is one, else to PID,
 * which the caller has proven to be ours and which nobody but this thread can reap. Refuses
 * (-EPERM) everything that is not one single other process: pid <= 1, ourselves. */
int signal_process(const struct signaller *s, pid_t pid, int pidfd, int signo);

#endif
