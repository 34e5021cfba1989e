/* The child between clone and exec: fixed steps over a finished plan, system calls only.
 *
 * Until exec the child lives in the keeper's memory and on the keeper's thread-local storage, while
 * the keeper is suspended. So: no library function that locks, allocates, caches or sends signals
 * (glibc's setuid family does), no write to memory but to the own stack and what struct child_job
 * leaves to it; errno is the keeper's and is put back by the parent. Sanitizers keep state per
 * stack and are kept out. The order of the steps is that of enum spawn_stage, but the limit on
 * descriptors is set after the last step that opens any, so that a tiny limit cannot fail them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "keeper/child.h"
#include "keeper/child_step.h"
#include "keeper/confine.h"
#include "keeper/landlock.h"
#include "keeper/mounts.h"
#include "keeper/slice.h"

#define EXEC_BUSY_TRIES 5

#define LOW_EXE_TEXT "44"
_Static_assert(LOW_EXE == 44, "LOW_EXE_TEXT is its number");

/* Sockets are kept above LOW_END, so they have to be taken from there first; only then does it cost
 * what the keeper has open. */
IN_CHILD static int child_unshare_fds(const struct child_job *job)
{
	if (job->plan->nlisten > 0)
		TRY(syscall(SYS_unshare, CLONE_FILES));
	else
		TRY(syscall(SYS_close_range, (unsigned)LOW_END, ~0U, CLOSE_RANGE_UNSHARE));
	return 0;
}

IN_CHILD static int child_listen(const struct child_job *job)
{
	const struct plan *p = job->plan;

	for (uint32_t i = 0; i < p->nlisten; i++)
		TRY(syscall(SYS_dup3, job->listen_fds[i], (int)(3 + i), 0));
	if (p->nlisten > 0 && job->unshare_fds)
		TRY(syscall(SYS_close_range, (unsigned)LOW_END, ~0U, 0));
	return 0;
}

IN_CHILD static int child_session(void)
{
	TRY(syscall(SYS_setsid));
	return 0;
}

IN_CHILD static int child_cgroup(const struct child_job *job)
{
	long fd;

	if (job->cgroup_procs == NULL)
		return 0;
	fd = syscall(SYS_openat, LOW_CGROUP, job->cgroup_procs, O_WRONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	TRY(syscall(SYS_write, fd, "0", (size_t)1));
	syscall(SYS_close, fd);
	return 0;
}

/* One limit: the plan's, else what it was when the keeper started. The latter may have become
 * unreachable (somebody lowered the keeper's hard limit): then as near as it gets. */
IN_CHILD static int child_limit(const struct child_job *job, int which)
{
	const struct plan_limit *wish = &job->plan->limits[which];
	const struct rlimit64 *was = &job->original->limits[which];
	struct rlimit64 now, want = *was;

	TRY(syscall(SYS_prlimit64, 0, which, NULL, &now));
	if (wish->set) {
		want.rlim_cur = wish->soft;
		want.rlim_max = wish->hard;
	}
	if (now.rlim_cur == want.rlim_cur && now.rlim_max == want.rlim_max)
		return 0;
	if (syscall(SYS_prlimit64, 0, which, &want, NULL) == 0)
		return 0;
	if (wish->set || errno != EPERM)
		return errno;
	want.rlim_max = now.rlim_max;
	if (want.rlim_cur > want.rlim_max)
		want.rlim_cur = want.rlim_max;
	TRY(syscall(SYS_prlimit64, 0, which, &want, NULL));
	return 0;
}

IN_CHILD static int child_limits(const struct child_job *job)
{
	for (int i = 0; i < PLAN_NLIMITS; i++) {
		int failed = i != RLIMIT_NOFILE ? child_limit(job, i) : 0;

		if (failed != 0)
			return failed;
	}
	return 0;
}

/* A child that would be left better placed than it should be is a failed start; one that cannot be
 * raised back to where the keeper started (somebody made the keeper nicer) is not. */
IN_CHILD static int child_nice(const struct child_job *job)
{
	bool planned = job->plan->flags & PLAN_SET_NICE;
	int want = planned ? job->plan->nice : job->original->nice;
	long raw = syscall(SYS_getpriority, PRIO_PROCESS, 0);
	int now = 20 - (int)raw;

	if (raw > 0 && now == want)
		return 0;
	if (syscall(SYS_setpriority, PRIO_PROCESS, 0, want) == 0)
		return 0;
	return planned || want > now ? errno : 0;
}

/* The scheduling class follows the same rule; what a plan says of it comes later. */
IN_CHILD static int child_scheduler(const struct child_job *job)
{
	int param = job->original->priority;
	long now = syscall(SYS_sched_getscheduler, 0);

	if (now < 0 || now == job->original->policy)
		return 0;
	if (syscall(SYS_sched_setscheduler, 0, job->original->policy, &param) == 0)
		return 0;
	return now == SCHED_FIFO || now == SCHED_RR ? errno : 0;
}

IN_CHILD static int child_write_oom(int value)
{
	char text[8], *at = text + sizeof(text);
	unsigned n = value < 0 ? (unsigned)-value : (unsigned)value;
	long fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC,
			  0);

	if (fd < 0)
		return errno;
	do
		*--at = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	if (value < 0)
		*--at = '-';
	TRY(syscall(SYS_write, fd, at, (size_t)(text + sizeof(text) - at)));
	syscall(SYS_close, fd);
	return 0;
}

IN_CHILD static bool child_oom_is(int value)
{
	char text[16];
	long fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC,
			  0);
	long n = fd >= 0 ? syscall(SYS_read, fd, text, sizeof(text)) : -1;
	int now = 0;

	for (long i = text[0] == '-'; i < n && text[i] >= '0' && text[i] <= '9'; i++)
		now = 10 * now + (text[i] - '0');
	return n > 0 && (text[0] == '-' ? -now : now) == value;
}

/* A keeper that could not read its value did not change it either; and one whose /proc entry is
 * closed to it (it changed its ids) has nothing to reset when the value is right as it is. */
IN_CHILD static int child_oom(const struct child_job *job)
{
	int want = job->original->oom_score_adjust, failed;

	if (job->plan->oom_score_adjust != INT32_MIN)
		return child_write_oom(job->plan->oom_score_adjust);
	if (!job->original->oom_known)
		return 0;
	failed = child_write_oom(want);
	return failed != 0 && child_oom_is(want) ? 0 : failed;
}

/* The keeper has bound itself to this processor so that we begin here (see spawn.c). It sleeps
 * until our exec: letting it go before that lets the kernel wake it on another processor that
 * idles, while this one still starts the program up. The keeper undoes it itself, too, so an error
 * is nothing. By its number: when it was killed meanwhile our parent is init. */
IN_CHILD static int child_affinity(const struct child_job *job)
{
	const struct originals *o = job->original;

	if (o->affinity_size > 0)
		syscall(SYS_sched_setaffinity, o->keeper_pid, (size_t)o->affinity_size,
			o->affinity);
	if (job->plan->cpus)
		return -confine_affinity(job->plan);
	if (o->affinity_size > 0)
		TRY(syscall(SYS_sched_setaffinity, 0, (size_t)o->affinity_size, o->affinity));
	return 0;
}

IN_CHILD static int child_chdir(const struct plan *p)
{
	if (p->cwd != 0)
		TRY(syscall(SYS_chdir, plan_str(p, p->cwd)));
	return 0;
}

/* After the change of ids, which clears it; and then look whether the keeper went before it. */
IN_CHILD static int child_death_signal(const struct child_job *job)
{
	if (!(job->plan->flags & PLAN_DIE_WITH_KEEPER))
		return 0;
	TRY(syscall(SYS_prctl, PR_SET_PDEATHSIG, (unsigned long)job->plan->stop_signal, 0, 0, 0));
	return syscall(SYS_getppid) == job->original->keeper_pid ? 0 : ESRCH;
}

/* The mask survives exec. The keeper ignores no signal and has no handler that could run here. */
IN_CHILD static int child_signals(void)
{
	uint64_t none = 0;

	TRY(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none)));
	return 0;
}

/* A file that is just being replaced is busy for a moment. */
IN_CHILD static int child_exec_one(const struct child_job *job, const char *path)
{
	struct timespec pause = { .tv_nsec = 1000000 };

	for (int i = 0; i < EXEC_BUSY_TRIES; i++) {
		syscall(SYS_execve, path, job->argv, job->envp);
		if (errno != ETXTBSY)
			break;
		syscall(SYS_nanosleep, &pause, NULL);
		pause.tv_nsec *= 2;
		errno = ETXTBSY;
	}
	return errno;
}

IN_CHILD static bool child_is_text(const char *a, const char *b)
{
	for (; *a == *b; a++, b++)
		if (*a == '\0')
			return true;
	return false;
}

/* The number that only the child knows. The text is the plan's, and the plan this start's. */
IN_CHILD static void child_write_pid(const struct child_job *job)
{
	char digits[sizeof(PLAN_PID_UNKNOWN)];

	for (char *const *var = job->envp; *var != NULL; var++) {
		long pid = job->record->pid, n = 0;
		char *at = *var;

		if (child_is_text(at, PLAN_WATCHDOG_PID "=" PLAN_PID_UNKNOWN))
			at += sizeof(PLAN_WATCHDOG_PID);
		else if (child_is_text(at, PLAN_LISTEN_PID "=" PLAN_PID_UNKNOWN))
			at += sizeof(PLAN_LISTEN_PID);
		else
			continue;
		for (; pid > 0; pid /= 10)
			digits[n++] = (char)('0' + pid % 10);
		while (n > 0)
			*at++ = digits[--n];
		*at = '\0';
	}
}

/* As execvp(3) walks PATH: what is not there is passed over, what may not be run is remembered. */
IN_CHILD static int child_exec(const struct child_job *job)
{
	bool denied = false;
	int failed = ENOENT;

	job->record->pid = (int32_t)syscall(SYS_getpid);
	child_write_pid(job);
	/* From here on it lives even if the keeper is killed before it sees us run: so the record
	 * says so first. */
	atomic_store_explicit(&job->record->state, RECORD_RUNNING, memory_order_release);
	for (char *const *path = job->exec_paths; *path != NULL; path++) {
		failed = child_exec_one(job, *path);
		if (failed == EACCES)
			denied = true;
		else if (failed != ENOENT && failed != ENOTDIR)
			return failed;
	}
	return denied ? EACCES : failed;
}

/* While the path can still be walked to as procd does, and before other users and roots. */
IN_CHILD static int child_ready(const struct plan *plan)
{
	struct sockaddr_un addr;
	const char *path = plan_str(plan, plan->ready_path);
	size_t n = 0;
	long fd;

	if (path == NULL)
		return 0;
	addr.sun_family = AF_UNIX;
	do
		addr.sun_path[n] = path[n];
	while (path[n++] != '\0');
	/* the lock is held until exec */
	if (plan->ready_fd == LOW_LOCK)
		TRY(syscall(SYS_fcntl, LOW_LOCK, F_DUPFD_CLOEXEC, LOW_END));
	fd = syscall(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	TRY(syscall(SYS_connect, fd, &addr, sizeof(addr.sun_family) + n));
	if (fd == (long)plan->ready_fd) {
		TRY(syscall(SYS_fcntl, fd, F_SETFD, 0));
		return 0;
	}
	TRY(syscall(SYS_dup3, fd, plan->ready_fd, 0));
	syscall(SYS_close, fd);
	return 0;
}

IN_CHILD static int child_step(const struct child_job *job, enum spawn_stage stage)
{
	int failed;

	switch (stage) {
	case STAGE_SPAWN: return job->unshare_fds ? child_unshare_fds(job) : 0;
	case STAGE_LISTEN: return child_listen(job);
	case STAGE_SESSION: return child_session();
	case STAGE_CGROUP: return child_cgroup(job);
	case STAGE_LIMITS: return child_limits(job);
	case STAGE_NICE:
		failed = child_scheduler(job);
		if (failed == 0)
			failed = child_nice(job);
		return failed == 0 && job->short_slice ? -slice_reset() : failed;
	case STAGE_OOM: return child_oom(job);
	case STAGE_AFFINITY:
		return child_affinity(job);
	case STAGE_SCHED: return -confine_sched(job->plan);
	case STAGE_IO_CLASS: return -confine_io(job->plan);
	case STAGE_NUMA: return -confine_numa(job->plan);
	case STAGE_UMASK:
		syscall(SYS_umask, job->plan->flags & PLAN_SET_UMASK ? job->plan->umask
								     : job->original->umask);
		return 0;
	case STAGE_STDIN: return child_stdio(job, 0);
	case STAGE_STDOUT: return child_stdio(job, 1);
	case STAGE_STDERR: return child_stdio(job, 2);
	case STAGE_READY: return child_ready(job->plan);
	case STAGE_MOUNT_NAMESPACE: return -mounts_namespace(job->plan);
	case STAGE_ROOT_DIR: return -mounts_root(job->plan);
	case STAGE_PRIVATE_TMP: return -mounts_private_tmp(job->plan);
	case STAGE_CREDENTIALS: return -mounts_credentials(job->plan);
	case STAGE_PROTECT_SYSTEM: return -mounts_protect_system(job->plan);
	case STAGE_CAPABILITIES: return -confine_capabilities(job->plan);
	case STAGE_GROUPS: return child_groups(job->plan);
	case STAGE_GID: return child_gid(job->plan);
	case STAGE_UID:
		confine_keep_capabilities(job->plan);
		return child_uid(job->plan);
	case STAGE_AMBIENT: return -confine_ambient(job->plan);
	case STAGE_CHDIR:
		failed = -mounts_reenter(job->plan);
		return failed != 0 ? failed : child_chdir(job->plan);
	case STAGE_NO_NEW_PRIVILEGES: return -confine_no_new_privileges(job->plan);
	case STAGE_LANDLOCK: return -landlock_confine(job->plan);
	case STAGE_SIGNALS:
		failed = child_death_signal(job);
		return failed != 0 ? failed : child_signals();
	case STAGE_SECCOMP: return -confine_seccomp(job->plan);
	case STAGE_EXEC: return child_exec(job);
	default: return 0;
	}
}

IN_CHILD int child_run(void *arg)
{
	struct child_job *job = arg;
	int failed = 0;
	int stage;

	for (stage = STAGE_SPAWN; stage < STAGE_COUNT && failed == 0; stage++) {
		failed = child_step(job, (enum spawn_stage)stage);
		if (failed != 0)
			job->stage = (uint32_t)stage;
		if (failed != 0 || stage != STAGE_PROTECT_SYSTEM)
			continue;
		failed = child_limit(job, RLIMIT_NOFILE);
		if (failed != 0)
			job->stage = STAGE_LIMITS;
	}
	job->errnum = failed;
	for (;;)
		syscall(SYS_exit_group, 127);
}

/* --- the supervisor ----------------------------------------------------------------------- */

IN_CHILD static int child_exec_supervisor(const struct supervisor_job *job)
{
	if (job->unshare_fds && syscall(SYS_close_range, (unsigned)LOW_END, ~0U,
					CLOSE_RANGE_UNSHARE) < 0)
		return errno;
	TRY(syscall(SYS_fcntl, LOW_SUPERVISOR, F_SETFD, 0));
	for (int fd = 3; fd < LOW_RUN_DIR; fd++)
		if (job->inherited & UINT64_C(1) << fd)
			syscall(SYS_fcntl, fd, F_SETFD, 0);
	/* a session of its own: Ctrl-C is for the keeper, which passes it on once */
	TRY(syscall(SYS_setsid));
	/* never two supervisors: it has nothing to do without its keeper */
	TRY(syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));
	if (syscall(SYS_getppid) != job->original->keeper_pid)
		return ESRCH;
	if (job->oom_score_adjust != INT32_MIN)
		child_write_oom(job->oom_score_adjust);
	TRY(child_signals() != 0 ? -1 : 0);
	syscall(SYS_execveat, LOW_EXE, "", job->argv, job->envp, AT_EMPTY_PATH);
	/* no such call, or the descriptor is no executable: by name then */
	if (job->exact && errno != ENOSYS)
		return errno;
	syscall(SYS_execve, "/proc/self/fd/" LOW_EXE_TEXT, job->argv, job->envp);
	if (job->exact)
		return errno;
	syscall(SYS_execve, "/proc/self/exe", job->argv, job->envp);
	syscall(SYS_execve, job->argv[0], job->argv, job->envp);
	return errno;
}

IN_CHILD int child_run_supervisor(void *arg)
{
	struct supervisor_job *job = arg;

	job->errnum = child_exec_supervisor(job);
	for (;;)
		syscall(SYS_exit_group, 127);
}
