/* Hand-over between threads: a wait-free queue (liburcu wfcqueue) and a wake-up.
 *
 * Any thread sends; the owner of the loop receives. Ownership of a message moves with it. */
#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H

#include <urcu/wfcqueue.h>

#include "base/loop.h"

struct mail {
	struct cds_wfcq_node node;
};

struct mailbox {
	struct cds_wfcq_head head;
	struct cds_wfcq_tail tail;
	struct loop_async wake;
	struct loop_check turn;
	void (*receive)(void *ctx, struct mail *mail);
	void *ctx;
};

/* RECEIVE is called on LOOP's thread for each message, in order. */
void mailbox_init(struct mailbox *mb, struct ev_loop *loop,
		  void (*receive)(void *ctx, struct mail *mail), void *ctx);
void mailbox_send(struct mailbox *mb, struct mail *mail);	/* any thread; never blocks */
/* Likewise, but wakes nobody: for what need not be known before the loop wakes up for something
 * else. It comes before that, and before messages that are sent later. */
void mailbox_leave(struct mailbox *mb, struct mail *mail);
/* Deliver what is queued, then stop waking. Owner's thread, at its end. */
void mailbox_fini(struct mailbox *mb);

#endif
