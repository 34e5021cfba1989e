/* What RCU needs beside liburcu's own functions: the helper thread without signals, and the
 * happens-before edges that ThreadSanitizer cannot see in liburcu's assembly.
 *
 * Retiring is call_rcu() and nothing else. Only under ThreadSanitizer a small trampoline is
 * allocated for each call, because the edge must be drawn before the owner's callback runs. */
#include "base/rcu.h"

#include <pthread.h>
#include <signal.h>

#include "base/alloc.h"

#ifdef PROCD_TSAN

char rcu_tsan_period;

struct retired {
	struct rcu_head head;
	struct rcu_head *of;
	void (*fn)(struct rcu_head *head);
};

static void retired_free(struct rcu_head *head)
{
	struct retired *retired;

	rcu_tsan_acquire(head);
	rcu_tsan_acquire(&rcu_tsan_period);
	retired = container_of(head, struct retired, head);
	retired->fn(retired->of);
	free(retired);
}

void rcu_retire(struct rcu_head *head, void (*fn)(struct rcu_head *head))
{
	struct retired *retired = x_malloc(sizeof(*retired));

	retired->of = head;
	retired->fn = fn;
	rcu_tsan_release(&retired->head);
	call_rcu(&retired->head, retired_free);
}

#else

void rcu_retire(struct rcu_head *head, void (*fn)(struct rcu_head *head))
{
	call_rcu(head, fn);
}

#endif

/* The helper inherits the signal mask: it must not be the thread that a SIGTERM ends in. */
void rcu_helper_start(void)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	BUG_ON(get_default_call_rcu_data() == NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}
