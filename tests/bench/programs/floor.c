/* The floor: the least that a supervisor has to do, to compare supervisors with. Starts N services by
 * the cheapest means there is, starts each again at once when it ends, answers what runs, and ends
 * all at SIGTERM. No configuration, no output, no state that survives it.
 *
 *   floor [-a|-g GROUP] SOCKET N COMMAND...   COMMAND with the service's number in place of the word "%"
 *   floor -q SOCKET [INDEX]          the client: prints what runs, all or one
 *
 * Waits with a pidfd for each; with -a by waitid() for any child instead, which needs no descriptors
 * but has the kernel walk all children. The table of descriptors is shared with the child until
 * that leaves it: otherwise it would have to close thousands.
 *
 * With -g each service has a control group of its own, made below the directory GROUP and removed at the
 * end: what these alone cost. Without them nobody can end all that a service has started. */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "board.h"

#define STACK_SIZE ((size_t)64 * 1024)
#define PORTION 64		/* ends looked at before clients are, and other way round */
#define KEPT 8			/* descriptors below are left to the child as they are */
#define PID_LIMIT ((size_t)1 << 22)

enum { TAG_SIGNAL = -1, TAG_CLIENT = -2 };

static struct {
	pid_t *pids;		/* by service; 0: ended */
	int *pidfds;
	uint32_t *service_of;	/* by pid, with any_child */
	size_t n, alive;
	char **command;
	size_t word;		/* of command, that is the number */
	bool any_child, ending;
	int groups;		/* directory of the control groups; -1: none */
	char *stack;
	int epoll;
	sigset_t signals;
} f = { .groups = -1 };
static volatile int exec_errno;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int child(void *unused)
{
	(void)unused;
	syscall(SYS_close_range, KEPT, ~0U, CLOSE_RANGE_UNSHARE);
	syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &f.signals, NULL, 8);
	syscall(SYS_execve, f.command[0], f.command, environ);
	exec_errno = errno;
	syscall(SYS_exit_group, 127);
	return 0;
}

static void watch(int fd, int64_t tag)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = (uint64_t)tag };

	if (epoll_ctl(f.epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		die("epoll_ctl");
}

/* clone() knows no groups, and the C library has no clone3(). The child runs on this stack, as after vfork():
 * it must not return from here. */
static pid_t start_in_group(const char *number, int *pidfd)
{
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_PIDFD | CLONE_INTO_CGROUP,
		.pidfd = (uint64_t)(uintptr_t)pidfd, .exit_signal = SIGCHLD,
	};
	long pid = -1;

	if (mkdirat(f.groups, number, 0755) < 0 && errno != EEXIST)
		die(number);
	int group = openat(f.groups, number, O_PATH | O_DIRECTORY | O_CLOEXEC);

	args.cgroup = (uint64_t)group;
#ifdef __x86_64__
	__asm__ volatile("syscall" : "=a"(pid) : "a"(SYS_clone3), "D"(&args), "S"(sizeof(args))
			 : "rcx", "r11", "memory");
	if (pid == 0)
		_exit(child(NULL));
#endif
	close(group);
	return (pid_t)pid;
}

static void start(size_t i)
{
	int flags = CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD;
	char number[24];

	snprintf(number, sizeof(number), "%zu", i);
	f.command[f.word] = number;
	f.pids[i] = f.groups >= 0 ? start_in_group(number, &f.pidfds[i]) :
		    clone(child, f.stack + STACK_SIZE, flags | (f.any_child ? 0 : CLONE_PIDFD), NULL,
			  f.any_child ? NULL : &f.pidfds[i]);
	if (f.pids[i] < 0 || exec_errno != 0) {
		errno = exec_errno ? exec_errno : errno;
		die(f.command[0]);
	}
	f.alive++;
	if (f.any_child)
		f.service_of[f.pids[i]] = (uint32_t)i;
	else
		watch(f.pidfds[i], (int64_t)i);
}

static void ended(size_t i)
{
	char number[24];

	f.pids[i] = 0;
	f.alive--;
	if (!f.ending) {
		start(i);
	} else if (f.groups >= 0) {
		snprintf(number, sizeof(number), "%zu", i);
		unlinkat(f.groups, number, AT_REMOVEDIR);
	}
}

static void reap_any(void)
{
	for (int i = 0; i < PORTION; i++) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid <= 0)
			return;
		ended(f.service_of[pid]);
	}
	kill(getpid(), SIGCHLD);	/* there may be more: after the others had their turn */
}

static void reap_one(size_t i)
{
	waitpid(f.pids[i], NULL, 0);
	close(f.pidfds[i]);
	ended(i);
}

static void take_signal(int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGTERM) {
		f.ending = true;
		for (size_t i = 0; i < f.n; i++)
			if (f.pids[i] > 0)
				kill(f.pids[i], SIGTERM);
	} else if (f.any_child) {
		reap_any();
	}
}

/* One request, one answer, in one go: its clients are the runner's. */
static void answer(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	char request[24] = "", *text = NULL;
	size_t size = 0, first = 0, last = f.n;
	FILE *out;

	if (fd < 0)
		return;
	if (read(fd, request, sizeof(request) - 1) > 0 && request[0] != '*') {
		first = strtoul(request, NULL, 10);
		last = first < f.n ? first + 1 : first;
	}
	out = open_memstream(&text, &size);
	if (out == NULL)
		die("open_memstream");
	for (size_t i = first; i < last; i++)
		fprintf(out, "%zu %s %d\n", i, f.pids[i] > 0 ? "running" : "ended", (int)f.pids[i]);
	fclose(out);
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, text + done, size - done);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	free(text);
	close(fd);
}

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return a;
}

static int ask(const char *path, const char *what)
{
	struct sockaddr_un a = address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char buf[65536];
	ssize_t n;

	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || write(fd, what, strlen(what)) < 0)
		die(path);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write(STDOUT_FILENO, buf, (size_t)n) != n)
			return 1;
	return n < 0;
}

static int listen_at(const char *path)
{
	struct sockaddr_un a = address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 64) < 0)
		die(path);
	return fd;
}

static void prepare(size_t n, char **command)
{
	struct rlimit files;

	f.n = n;
	f.command = command;
	while (command[f.word] != NULL && strcmp(command[f.word], "%") != 0)
		f.word++;
	f.pids = calloc(n, sizeof(*f.pids));
	f.pidfds = calloc(n, sizeof(*f.pidfds));
	f.service_of = calloc(f.any_child ? PID_LIMIT : 1, sizeof(*f.service_of));
	f.stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	f.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!command[f.word] || !f.pids || !f.pidfds || !f.service_of || f.stack == MAP_FAILED)
		exit(64);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	sigemptyset(&f.signals);
	sigaddset(&f.signals, SIGTERM);
	if (f.any_child)
		sigaddset(&f.signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &f.signals, NULL);
}

int main(int argc, char **argv)
{
	struct epoll_event events[PORTION];
	int listener, signals;

	if (argc >= 3 && strcmp(argv[1], "-q") == 0)
		return ask(argv[2], argc > 3 ? argv[3] : "*");
	if (argc > 1 && strcmp(argv[1], "-a") == 0) {
		f.any_child = true;
		argc--;
		argv++;
	} else if (argc > 2 && strcmp(argv[1], "-g") == 0) {
		f.groups = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (f.groups < 0)
			die(argv[2]);
		argc -= 2;
		argv += 2;
	}
	if (argc < 5)
		return 64;
	prepare(strtoul(argv[2], NULL, 10), argv + 3);
	listener = listen_at(argv[1]);
	signals = signalfd(-1, &f.signals, SFD_CLOEXEC | SFD_NONBLOCK);
	watch(listener, TAG_CLIENT);
	watch(signals, TAG_SIGNAL);
	for (size_t i = 0; i < f.n; i++)
		start(i);
	while (!f.ending || f.alive > 0) {
		int n = epoll_wait(f.epoll, events, PORTION, -1);

		for (int i = 0; i < n; i++) {
			int64_t tag = (int64_t)events[i].data.u64;

			if (tag >= 0)
				reap_one((size_t)tag);
			else if (tag == TAG_SIGNAL)
				take_signal(signals);
			else
				answer(listener);
		}
	}
	return 0;
}
