/* The floor: what starting and restarting costs without any supervisor. argv[1] = N: starts N times
 * "/bin/sleep 100000", with its own environment, by the cheapest means there is (clone with shared
 * memory, parent suspended until exec), then ends one and starts it again, 40 times. Prints
 * "start_us X" (per start) and "restart_us Y" (median, from the kill to the exec of the next). */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RESTARTS 40
#define STACK_SIZE ((size_t)64 * 1024)

struct sleeper {
	pid_t pid;
	int pidfd;
};

static char *stack;
static volatile int failed;	/* errno of exec */

static int child(void *unused)
{
	static char path[] = "/bin/sleep", seconds[] = "100000";
	char *argv[] = { path, seconds, NULL };

	(void)unused;
	syscall(SYS_execve, path, argv, environ);
	failed = errno;
	syscall(SYS_exit_group, 127);
	return 0;
}

static void start(struct sleeper *s)
{
	s->pid = clone(child, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
		       NULL, &s->pidfd);
	if (s->pid >= 0 && failed == 0)
		return;
	errno = s->pid < 0 ? errno : failed;
	perror("floor: /bin/sleep");
	exit(1);
}

static void end(const struct sleeper *s)
{
	struct pollfd p = { .fd = s->pidfd, .events = POLLIN };

	kill(s->pid, SIGKILL);
	while (poll(&p, 1, -1) < 0)
		;
	waitpid(s->pid, NULL, 0);
	close(s->pidfd);
}

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median_restart_us(struct sleeper *s, size_t n)
{
	double took[RESTARTS];

	for (size_t i = 0; i < RESTARTS; i++) {
		double began = now_us();

		end(&s[i % n]);
		start(&s[i % n]);
		took[i] = now_us() - began;
	}
	qsort(took, RESTARTS, sizeof(*took), ascending);
	return took[RESTARTS / 2];
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 100;
	struct sleeper *s = n > 0 ? calloc(n, sizeof(*s)) : NULL;
	struct rlimit files;
	double began;

	stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s == NULL || stack == MAP_FAILED) {
		fprintf(stderr, "usage: floor [N]\n");
		return 64;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	began = now_us();
	for (size_t i = 0; i < n; i++)
		start(&s[i]);
	printf("start_us %.1f\n", (now_us() - began) / (double)n);
	printf("restart_us %.1f\n", median_restart_us(s, n));
	for (size_t i = 0; i < n; i++)
		kill(s[i].pid, SIGKILL);
	for (size_t i = 0; i < n; i++)
		end(&s[i]);
	free(s);
	return 0;
}
