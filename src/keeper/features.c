/* Probing the kernel: each feature is tried once, harmlessly, and believed only when it answered as
 * the real thing would. A seccomp filter that says EPERM is the same as an old kernel. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/membarrier.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "keeper/cgroup.h"
#include "keeper/clone.h"
#include "keeper/features.h"
#include "keeper/pidfd.h"

#define NO_FEATURE_VARIABLE "PROCD_TEST_NO_FEATURE"

static const char *const names[FEATURE_COUNT] = {
	[FEATURE_PIDFD_OPEN] = "pidfd_open",
	[FEATURE_PIDFD_SEND_SIGNAL] = "pidfd_send_signal",
	[FEATURE_PIDFD_INFO_EXIT] = "pidfd_info_exit",
	[FEATURE_PIDFD_INODE] = "pidfd_inode",
	[FEATURE_PIDFD_GETFD] = "pidfd_getfd",
	[FEATURE_CLONE3] = "clone3",
	[FEATURE_CLONE_INTO_CGROUP] = "clone_into_cgroup",
	[FEATURE_CLOSE_RANGE] = "close_range",
	[FEATURE_SUBREAPER] = "subreaper",
	[FEATURE_CGROUP2] = "cgroup2",
	[FEATURE_CGROUP_KILL] = "cgroup_kill",
	[FEATURE_MEMBARRIER] = "membarrier",
	[FEATURE_OPENAT2] = "openat2",
	[FEATURE_PROC] = "proc",
	[FEATURE_LANDLOCK] = "landlock",
};

/* Probed for `procd features`, but no code of procd runs on it. */
static const bool not_used[FEATURE_COUNT] = {
	[FEATURE_OPENAT2] = true,
};

const char *kernel_feature_name(enum kernel_feature f)
{
	return names[f];
}

bool kernel_feature_refused(enum kernel_feature f)
{
	const char *list = getenv(NO_FEATURE_VARIABLE);
	size_t n = strlen(names[f]);

	while (list != NULL && *list != '\0') {
		size_t len = strcspn(list, ",");

		if (len == n && strncmp(list, names[f], n) == 0)
			return true;
		list += len + (list[len] == ',');
	}
	return false;
}

/* An exited and reaped child must have left its exit status behind our pidfd. */
static bool probe_pidfd_info_exit(void)
{
	int status = 0, fd = -1;
	bool ok = false;
	pid_t pid = fork();

	if (pid < 0)
		return false;
	if (pid == 0)
		_exit(7);
	fd = pidfd_open_process(pid);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (fd >= 0) {
		ok = pidfd_exit_status(fd, &status) == 0 && WIFEXITED(status) &&
		     WEXITSTATUS(status) == 7;
		close(fd);
	}
	return ok;
}

static bool can_get_own(int pidfd)
{
	int copy = pidfd_get_fd(pidfd, pidfd);

	if (copy < 0)
		return false;
	close(copy);
	return true;
}

static bool probe_own_pidfd(enum kernel_feature f)
{
	int fd = pidfd_open_process(getpid());
	struct statfs fs;
	bool ok = fd >= 0;

	if (ok && f == FEATURE_PIDFD_SEND_SIGNAL)
		ok = pidfd_signal(fd, 0) == 0;
	if (ok && f == FEATURE_PIDFD_INODE)
		ok = fstatfs(fd, &fs) == 0 && fs.f_type == PIDFS_MAGIC;
	/* whether another process allows it is known only of that process */
	if (ok && f == FEATURE_PIDFD_GETFD)
		ok = can_get_own(fd);
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool probe_clone3(void)
{
	/* too small a structure: EINVAL from a kernel that has the call */
	return syscall(SYS_clone3, NULL, 0) < 0 && errno == EINVAL;
}

static bool probe_clone_into_cgroup(void)
{
	/* a signal that cannot be: refused before there is anything to undo, such as a copy of our
	 * memory; a kernel that does not know CGROUP finds the structure too big before that */
	struct clone3_args args = {
		.flags = CLONE3_INTO_CGROUP, .cgroup = INT_MAX, .exit_signal = UINT64_MAX,
	};

	return CLONE3_SUPPORTED && syscall(SYS_clone3, &args, sizeof(args)) < 0 && errno == EINVAL;
}

static bool probe_cgroup(enum kernel_feature f)
{
	char dir[PATH_MAX];
	bool has_kill;

	return cgroup_find_own(dir, NULL) && cgroup_try(dir, &has_kill) &&
	       (f == FEATURE_CGROUP2 || has_kill);
}

static bool probe_openat2(void)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC };
	long fd = syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how));

	if (fd >= 0)
		close((int)fd);
	return fd >= 0;
}

static bool available(enum kernel_feature f)
{
	int on;

	switch (f) {
	case FEATURE_PIDFD_OPEN:
	case FEATURE_PIDFD_SEND_SIGNAL:
	case FEATURE_PIDFD_INODE:
	case FEATURE_PIDFD_GETFD:
		return probe_own_pidfd(f);
	case FEATURE_PIDFD_INFO_EXIT:
		return probe_pidfd_info_exit();
	case FEATURE_CLONE3:
		return CLONE3_SUPPORTED && probe_clone3();
	case FEATURE_CLONE_INTO_CGROUP:
		return probe_clone_into_cgroup();
	case FEATURE_CLOSE_RANGE:
		return syscall(SYS_close_range, ~0U, ~0U, 0) == 0;
	case FEATURE_SUBREAPER:
		return prctl(PR_GET_CHILD_SUBREAPER, &on, 0, 0, 0) == 0;
	case FEATURE_CGROUP2:
	case FEATURE_CGROUP_KILL:
		return probe_cgroup(f);
	case FEATURE_MEMBARRIER:
		return syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) > 0;
	case FEATURE_OPENAT2:
		return probe_openat2();
	case FEATURE_LANDLOCK:
		return syscall(SYS_landlock_create_ruleset, NULL, 0,
			       LANDLOCK_CREATE_RULESET_VERSION) > 0;
	case FEATURE_PROC:
		return access("/proc/self/stat", R_OK) == 0;
	default:
		return false;
	}
}

bool kernel_feature_usable(enum kernel_feature f)
{
	return !kernel_feature_refused(f) && available(f);
}

void kernel_features_probe(struct kernel_features *out)
{
	for (int f = 0; f < FEATURE_COUNT; f++) {
		out->available[f] = kernel_feature_usable((enum kernel_feature)f);
		out->used[f] = out->available[f] && !not_used[f];
	}
	/* one feature rests on another */
	out->used[FEATURE_CLONE_INTO_CGROUP] &= out->used[FEATURE_CLONE3] &&
						out->used[FEATURE_CGROUP2];
	out->used[FEATURE_CGROUP_KILL] &= out->used[FEATURE_CGROUP2];
	out->used[FEATURE_PIDFD_SEND_SIGNAL] &= out->used[FEATURE_PIDFD_OPEN];
	out->used[FEATURE_PIDFD_INODE] &= out->used[FEATURE_PIDFD_OPEN];
	out->used[FEATURE_PIDFD_GETFD] &= out->used[FEATURE_PIDFD_OPEN];
	out->used[FEATURE_PIDFD_INFO_EXIT] &= out->used[FEATURE_PIDFD_OPEN];
	/* clone3 is only needed to be born into a cgroup; clone does the rest as well */
	out->used[FEATURE_CLONE3] = out->used[FEATURE_CLONE_INTO_CGROUP];
}
