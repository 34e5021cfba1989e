/* Threads of the supervisor. Signals belong to the main loop, so a thread is born with all of them
 * blocked; it is known to RCU before its first own instruction and until after its last. */
#include "base/thread.h"

#include <signal.h>

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

struct start {
	void *(*fn)(void *arg);
	void *arg;
	char name[16];
};

static void *thread_main(void *arg)
{
	struct start start = *(struct start *)arg;
	void *result;

	free(arg);
	/* Fails for names that are too long only, and start.name is not. */
	pthread_setname_np(pthread_self(), start.name);
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

	*start = (struct start){ .fn = fn, .arg = arg };
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
