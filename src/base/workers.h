/* Threads for work that can block: files, name spaces of the kernel that take long to read. Whoever
 * has a loop asks, and gets the work back by mail when it was done. */
#ifndef BASE_WORKERS_H
#define BASE_WORKERS_H

#include "base/mailbox.h"

/* Stands in what is to be done, which belongs to whoever holds it. */
struct work {
	struct mail mail;
	struct work *next;			/* in the queue */
	void (*run)(struct work *w);		/* on a worker: may block */
	void (*done)(struct work *w, void *ctx);	/* for the receiver of the mail to call */
	void (*drop)(struct work *w);		/* instead of done(): nobody waits any more; frees it */
};

struct workers;
#define WORKERS_MAX 64
/* Up to N threads (at most WORKERS_MAX; 0: four) called NAME, a string that stays; each is made
 * when it is needed. The owner of the loop of RESULTS asks and frees. */
struct workers *workers_new(const char *name, struct mailbox *results, unsigned n);
/* Takes W, which comes back to RESULTS; -errno: no thread can be made, W stays the caller's. */
int workers_ask(struct workers *p, struct work *w);
/* Ends the threads; one that hangs is left behind after a second. What was not done is dropped.
 * NULL is fine. */
void workers_free(struct workers *p);

#endif
