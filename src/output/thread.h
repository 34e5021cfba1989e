/* What the files of this room share: the log thread's whole state. Log thread, unless said
 * otherwise. */
#ifndef OUTPUT_THREAD_H
#define OUTPUT_THREAD_H

#include <pthread.h>

#include "output/capture.h"
#include "output/output.h"
#include "output/ownlog.h"
#include "output/sink.h"
#include "output/state.h"
#include "output/trouble.h"

#define OUTPUT_WAKES_MAX 8

struct output_wake {
	void (*fn)(void *ctx);
	void *ctx;
};

struct output {
	pthread_t thread;
	struct ev_loop *loop;
	struct mailbox inbox;
	struct mailbox *drained;	/* the main thread's */

	struct targets targets;
	struct ownlog ownlog;
	struct state *state;
	struct captures captures;
	struct sink sink;
	struct loop_timer retry;
	int64_t retry_at_ns;		/* when RETRY fires; 0: not set */
	struct loop_prepare each_turn;
	struct troubles troubles;
	uint64_t described_in_memory;

	pthread_mutex_t lock;		/* the next three; held briefly */
	struct output_wake wakes[OUTPUT_WAKES_MAX];
	size_t nwakes;
	struct list drains;		/* not yet answered */

	_Atomic uint32_t messages_queued;
	_Atomic uint64_t messages_lost;
};

#endif
