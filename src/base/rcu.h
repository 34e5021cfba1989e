/* liburcu (memb flavour) with the annotations ThreadSanitizer needs, and our rules.
 *
 * RCU for a glance, a reference to keep: a read section never blocks, never logs, and leaves with
 * copies. Only the main thread publishes; it never calls synchronize_rcu(). Every thread that
 * reads is started by thread_start(), which registers it. */
#ifndef BASE_RCU_H
#define BASE_RCU_H

#ifndef _LGPL_SOURCE
#define _LGPL_SOURCE	/* inline read side; procd's licence permits it */
#endif
#include <urcu.h>

#if defined(__SANITIZE_THREAD__)
#define PROCD_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PROCD_TSAN 1
#endif
#endif

#ifdef PROCD_TSAN
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
extern char rcu_tsan_period;	/* stands for "a grace period passed" */
#define rcu_tsan_acquire(p) __tsan_acquire((void *)(p))
#define rcu_tsan_release(p) __tsan_release((void *)(p))
#define rcu_leave()                                                                               \
	do {                                                                                      \
		__tsan_release(&rcu_tsan_period);                                                 \
		rcu_read_unlock();                                                                \
	} while (0)
#else
#define rcu_tsan_acquire(p) ((void)(p))
#define rcu_tsan_release(p) ((void)(p))
#define rcu_leave() rcu_read_unlock()
#endif

#define rcu_enter() rcu_read_lock()
/* Inside rcu_enter()/rcu_leave(), or on the main thread (the only writer). */
#define rcu_get(pp)                                                                               \
	({                                                                                        \
		__typeof__(*(pp)) got_ = rcu_dereference(*(pp));                                  \
		rcu_tsan_acquire(got_);                                                           \
		got_;                                                                             \
	})
/* Main thread: publish NEW and return the old pointer, to be passed to rcu_retire(). */
#define rcu_publish(pp, new)                                                                      \
	({                                                                                        \
		__typeof__(*(pp)) new_ = (new);                                                   \
		rcu_tsan_release(new_);                                                           \
		rcu_xchg_pointer((pp), new_);                                                     \
	})
/* Free later: FN(HEAD) runs on the call_rcu thread after a grace period. */
void rcu_retire(struct rcu_head *head, void (*fn)(struct rcu_head *head));

/* Start the call_rcu helper now, with all signals blocked (main thread, once, early). */
void rcu_helper_start(void);

#endif
