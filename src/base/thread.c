/* Threads of the supervisor. Signals belong to the main loop, so a thread is born with all of them
 * blocked; it is known to RCU before its first own instruction and until after its last. */
#include "base/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/rcu.h"

/* jansson decodes recursively; sanitizers make frames several times larger. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(PROCD_TSAN) || defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define STACK_SIZE ((size_t)1 << 20)
#else
#define STACK_SIZE ((size_t)256 << 10)
#endif

#define PROCESSORS_MAX 8192
#define WORDS (PROCESSORS_MAX / 64)

struct start {
	void *(*fn)(void *arg);
	void *arg;
	char name[16];
	int processor;		/* -1: any */
};

/* Main thread only. Allocated by thread_pin_each(). */
static uint64_t *processors;
static int last_processor = -1;

int thread_pin_each(void)
{
	uint64_t *mask = processors != NULL ? processors : x_calloc(WORDS, sizeof(*mask));

	processors = mask;
	if (syscall(SYS_sched_getaffinity, 0, WORDS * sizeof(*mask), mask) >= 0)
		return 0;
	free(take(processors));
	return -errno;
}

static int next_processor(void)
{
	for (int i = 1; processors != NULL && i <= PROCESSORS_MAX; i++) {
		int cpu = (last_processor + i) % PROCESSORS_MAX;

		if (processors[cpu / 64] >> cpu % 64 & 1)
			return last_processor = cpu;
	}
	return -1;
}

/* Best effort: the processor may have been taken away since. */
static void stay_on(int cpu)
{
	uint64_t mask[WORDS] = { 0 };

	if (cpu < 0)
		return;
	mask[cpu / 64] = UINT64_C(1) << cpu % 64;
	(void)syscall(SYS_sched_setaffinity, 0, sizeof(mask), mask);
}

static void *thread_main(void *arg)
{
	struct start start = *(struct start *)arg;
	void *result;

	free(arg);
	/* Fails for names that are too long only, and start.name is not. */
	pthread_setname_np(pthread_self(), start.name);
	stay_on(start.processor);
	rcu_register_thread();
	result = start.fn(start.arg);
	rcu_unregister_thread();
	return result;
}

int thread_start(pthread_t *out, const char *name, void *(*fn)(void *arg), void *arg)
{
	struct start *start = x_malloc(sizeof(*start));
	pthread_attr_t attr;
	sigset_t all, old;
	int r;

	*start = (struct start){ .fn = fn, .arg = arg, .processor = next_processor() };
	snprintf(start->name, sizeof(start->name), "%s", name);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(out, &attr, thread_main, start);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (r != 0)
		free(start);
	return -r;
}
