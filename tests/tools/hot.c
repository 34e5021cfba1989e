/* hot MODE: known functions that use processor time, for profiles.
 *
 *   split        hot_three and hot_one, three to one
 *   threads N    N threads named worker-0 ..., each in hot_thread
 *   fork         a new child every now and then, which is in hot_child; the parent only waits
 *   exec         becomes `hot split` by execve after a while
 *   brief MS     hot_three for MS of processor time, then exit 0
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Functions that do the same would be made one: each has its own number. */
#define PART 200000

static volatile uint64_t sink;

/* A function without calls would need no frame, and hide who called it. */
#define WITH_FRAME() __asm__ volatile("" : : "r"(__builtin_frame_address(0)) : "memory")

static void __attribute__((noinline)) burn(uint64_t rounds)
{
	WITH_FRAME();
	for (uint64_t i = 0; i < rounds; i++)
		sink += i;
}

static void __attribute__((noinline)) hot_three(void)
{
	WITH_FRAME();
	burn(3 * PART);
	WITH_FRAME();
}

static void __attribute__((noinline)) hot_one(void)
{
	WITH_FRAME();
	burn(PART);
	WITH_FRAME();
}

static void __attribute__((noinline)) hot_thread(void)
{
	WITH_FRAME();
	burn(PART + 1);
	WITH_FRAME();
}

static void __attribute__((noinline)) hot_child(void)
{
	WITH_FRAME();
	burn(PART + 2);
	WITH_FRAME();
}

static int64_t cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void split(void)
{
	for (;;) {
		hot_three();
		hot_one();
	}
}

static void *thread_main(void *arg)
{
	pthread_setname_np(pthread_self(), arg);
	for (;;)
		hot_thread();
	return NULL;
}

static void threads(int n)
{
	for (int i = 0; i < n; i++) {
		pthread_t thread;
		char *name = malloc(32);

		snprintf(name, 32, "worker-%d", i);
		if (pthread_create(&thread, NULL, thread_main, name) != 0)
			exit(1);
	}
	for (;;)
		pause();
}

static void forks(void)
{
	for (;;) {
		pid_t pid = fork();

		if (pid < 0)
			exit(1);
		if (pid == 0) {
			while (cpu_ms() < 50)
				hot_child();
			_exit(0);
		}
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 1;

	if (strcmp(mode, "split") == 0)
		split();
	if (strcmp(mode, "threads") == 0)
		threads(n);
	if (strcmp(mode, "fork") == 0)
		forks();
	if (strcmp(mode, "exec") == 0) {
		while (cpu_ms() < 100)
			hot_child();
		execl("/proc/self/exe", "hot", "split", (char *)NULL);
		return 1;
	}
	if (strcmp(mode, "brief") == 0) {
		while (cpu_ms() < n)
			hot_three();
		return 0;
	}
	fprintf(stderr, "usage: hot split | threads N | fork | exec | brief MS\n");
	return 2;
}
