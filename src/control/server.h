/* The front thread's own state; nobody outside the control room sees it. */
#ifndef CONTROL_SERVER_H
#define CONTROL_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "control/connection.h"
#include "control/control.h"

#define DENIALS_PER_WINDOW 8	/* lines in the log per 10 s, the rest is counted */

/* Events FROM + 1 to TO as lines: they were made for one subscriber, and most of the others stand
 * at the same place and want the same. */
struct news {
	uint64_t from, to;
	struct strbuf text;
};

struct control {
	struct control_setup setup;
	struct ev_loop *loop;
	pthread_t thread;
	/* The object outlives its thread while orders are on their way; all holders but the front
	 * thread release it on the main thread. */
	_Atomic unsigned refs;
	bool gone;			/* main thread's: control_stop() has ended */

	struct mailbox answers;		/* orders that come back */
	struct loop_async stop_wake, event_wake, output_wake, turn_wake, config_wake;
	struct loop_io listening;
	struct loop_timer accept_pause, flush_limit;
	int reserve_fd;			/* given up to refuse politely when descriptors end */
	bool stopping;
	_Atomic int next_listen_fd;	/* -1: none */
	struct loop_async listen_wake;
	_Atomic int64_t flush_limit_ms;	/* set by whoever ends it */
	_Atomic bool for_good;		/* no successor will serve; set before STOP_WAKE */

	struct list connections;
	unsigned nconnections, nsubscribers, nfollowers;
	uint64_t last_connection;
	struct list busy;		/* connections with more to do in the next turn */
	struct news news;

	_Atomic int64_t event_sent_ns;	/* of the first event that no connection has; 0: none */
	int64_t denial_window_ns;
	unsigned denials;
	struct sampler *sampler;
	struct strbuf features;		/* answer of daemon.features, probed once */
	struct connection *web;		/* to the web role; NULL: none (control/web.h) */
	struct loop_timer web_pause;	/* armed: the next is made then */
	int64_t web_since_ns;
	char *heap_output;		/* for whoever ends recording procd's own heap; NULL: default */
};

/* A connection begins or ends to want events (captured output): subscribe on demand only, so that a
 * quiet door costs the senders nothing. */
void control_count_subscriber(struct control *s, int delta);
void control_count_follower(struct control *s, int delta);
/* Run the connections of the busy list again, after the other descriptors had their turn. */
void control_turn_again(struct control *s);

/* dispatch.c: carry out one line. False: close the connection after what is queued was sent. */
bool control_dispatch(struct connection *c, const char *line, size_t len);
/* dispatch.c: an order came back. */
void control_on_answer(void *ctx, struct mail *mail);
void control_order_free(struct control_order *order);
/* act_methods.c: give ORDER, which answers R, to the main thread. */
void order_send(struct connection *c, const struct rpc_request *r, struct control_order *order);

#endif
