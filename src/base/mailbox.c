/* Hand-over between threads. Senders append to a wait-free queue and poke the owner's loop; the
 * pokes coalesce, so the owner always takes the whole batch. What arrives meanwhile has its own
 * poke and is for the next turn: a flood of messages cannot keep a turn from ending.
 *
 * liburcu's queue is used through its library calls, not inlined: a message costs nanoseconds
 * more, and ThreadSanitizer does not look into the library's deliberate races. The edge from
 * sender to receiver is drawn here instead. (So this include comes before base/rcu.h.) */
#include "base/mailbox.h"

#include "base/rcu.h"

static void deliver(struct mailbox *mb)
{
	struct __cds_wfcq_head batch;
	struct cds_wfcq_tail batch_tail;
	struct cds_wfcq_node *node, *next;

	__cds_wfcq_init(&batch, &batch_tail);
	__cds_wfcq_splice_blocking(&batch, &batch_tail, &mb->head, &mb->tail);
	node = __cds_wfcq_first_blocking(&batch, &batch_tail);
	for (; node != NULL; node = next) {
		/* The message belongs to the receiver from then on, and may be freed there. */
		next = __cds_wfcq_next_blocking(&batch, &batch_tail, node);
		rcu_tsan_acquire(node);
		mb->receive(mb->ctx, container_of(node, struct mail, node));
	}
}

static void on_wake(struct loop_async *wake)
{
	deliver(container_of(wake, struct mailbox, wake));
}

static void on_turn(struct loop_check *turn)
{
	struct mailbox *mb = container_of(turn, struct mailbox, turn);

	if (!cds_wfcq_empty(&mb->head, &mb->tail))
		deliver(mb);
}

void mailbox_init(struct mailbox *mb, struct ev_loop *loop,
		  void (*receive)(void *ctx, struct mail *mail), void *ctx)
{
	cds_wfcq_init(&mb->head, &mb->tail);
	mb->receive = receive;
	mb->ctx = ctx;
	loop_async_start(&mb->wake, loop, on_wake);
	loop_check_start(&mb->turn, loop, on_turn);
}

void mailbox_leave(struct mailbox *mb, struct mail *mail)
{
	cds_wfcq_node_init(&mail->node);
	rcu_tsan_release(&mail->node);
	cds_wfcq_enqueue(&mb->head, &mb->tail, &mail->node);
}

void mailbox_send(struct mailbox *mb, struct mail *mail)
{
	mailbox_leave(mb, mail);
	loop_async_send(&mb->wake);
}

/* A receiver may send to its own mailbox, so look again until nothing is left. */
void mailbox_fini(struct mailbox *mb)
{
	while (!cds_wfcq_empty(&mb->head, &mb->tail))
		deliver(mb);
	loop_async_stop(&mb->wake);
	loop_check_stop(&mb->turn);
	cds_wfcq_destroy(&mb->head, &mb->tail);
}
