/* The floor: the least that starting and restarting N programs costs, without any supervising.
 *
 *     floor N
 *
 * Starts N times `sleep 100000` by clone(CLONE_VM|CLONE_VFORK) and execve, then 40 times: SIGKILL
 * one, wait for it (pidfd and poll), start it again. Prints
 *     start_us X      wall time per start, until the last one was executed
 *     restart_us Y    median from SIGKILL to the new one's exec
 * and kills them all. */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STACK (64 * 1024)
#define RESTARTS 40

extern char **environ;

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int child(void *arg)
{
	static char *const argv[] = { "sleep", "100000", NULL };

	(void)arg;
	setsid();
	execve("/bin/sleep", argv, environ);
	_exit(127);
}

static pid_t start(char *stack)
{
	pid_t pid = clone(child, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);

	if (pid < 0) {
		perror("clone");
		exit(1);
	}
	return pid;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double restart(char *stack, pid_t *pid)
{
	int fd = (int)syscall(SYS_pidfd_open, *pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	double begin = now_us();

	kill(*pid, SIGKILL);
	poll(&p, 1, -1);
	waitpid(*pid, NULL, 0);
	close(fd);
	*pid = start(stack);
	return now_us() - begin;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 100;
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t *pids = calloc((size_t)n, sizeof(*pids));
	double times[RESTARTS], begin;

	if (n < 1 || stack == MAP_FAILED || pids == NULL)
		return 1;
	begin = now_us();
	for (int i = 0; i < n; i++)
		pids[i] = start(stack);
	printf("start_us %.1f\n", (now_us() - begin) / n);
	for (int i = 0; i < RESTARTS; i++)
		times[i] = restart(stack, &pids[i % n]);
	qsort(times, RESTARTS, sizeof(times[0]), compare);
	printf("restart_us %.1f\n", times[RESTARTS / 2]);
	for (int i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	for (int i = 0; i < n; i++)
		waitpid(pids[i], NULL, 0);
	free(pids);
	return 0;
}
