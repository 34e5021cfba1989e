/* Thin wrappers over the process descriptor calls. */
#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "keeper/pidfd.h"

/* linux/pidfd.h of kernel 6.15 */
struct pidfd_info_ext {
	uint64_t mask;
	uint64_t cgroupid;
	uint32_t pid, tgid, ppid;
	uint32_t ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};
_Static_assert(sizeof(struct pidfd_info_ext) == 64, "first published size");
#define PIDFD_IOCTL_GET_INFO _IOWR(0xFF, 11, struct pidfd_info_ext)
#define PIDFD_MASK_CGROUP (UINT64_C(1) << 2)
#define PIDFD_MASK_EXIT (UINT64_C(1) << 3)

int pidfd_open_process(pid_t pid)
{
	long fd = syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : (int)fd;
}

int pidfd_signal(int pidfd, int signo)
{
	return syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0) < 0 ? -errno : 0;
}

int pidfd_get_fd(int pidfd, int fd)
{
	long copy = syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	return copy < 0 ? -errno : (int)copy;
}

uint64_t pidfd_inode(int pidfd)
{
	struct stat st;

	return fstat(pidfd, &st) < 0 ? 0 : st.st_ino;
}

int pidfd_exit_status(int pidfd, int *status)
{
	struct pidfd_info_ext info = { .mask = PIDFD_MASK_EXIT };

	if (ioctl(pidfd, PIDFD_IOCTL_GET_INFO, &info) < 0)
		return -errno;
	if (!(info.mask & PIDFD_MASK_EXIT))
		return -ENODATA;
	*status = info.exit_code;
	return 0;
}

uint64_t pidfd_cgroup(int pidfd)
{
	struct pidfd_info_ext info = { .mask = PIDFD_MASK_CGROUP | PIDFD_MASK_EXIT };

	if (ioctl(pidfd, PIDFD_IOCTL_GET_INFO, &info) < 0 || !(info.mask & PIDFD_MASK_CGROUP))
		return 0;
	return info.cgroupid;
}

int signal_process(const struct signaller *s, pid_t pid, int pidfd, int signo)
{
	if (pid <= 1 || pid == getpid())
		return -EPERM;
	if (pidfd > 0 && s->have_send)
		return pidfd_signal(pidfd, signo);
	return kill(pid, signo) < 0 ? -errno : 0;
}
