/* One look at a socket: does somebody accept a connection, does he answer an HTTP request? Never
 * blocks, and ends in time whatever is at the other end. The loop's thread. */
#ifndef PROBE_ATTEMPT_H
#define PROBE_ATTEMPT_H

#include "base/loop.h"

/* What to look at; used only while attempt_start() runs. */
struct attempt_target {
	const char *host;	/* numeric address, or "localhost": 127.0.0.1, then ::1 */
	int port;
	const char *socket;	/* path, or "@NAME" in the abstract namespace; then no HOST */
	const char *http;	/* target of a GET request, 2xx and 3xx are good; NULL: a connection
				 * is enough */
};

enum attempt_result {
	ATTEMPT_GOOD, ATTEMPT_BAD,
	ATTEMPT_NOT_MADE,	/* this process has not the means (descriptors, memory): says
				 * nothing about the other end */
};

struct attempt;
/* DETAIL: a few words for people, valid during the call; nothing in it comes from the other end. */
typedef void attempt_done(void *ctx, uint64_t tag, enum attempt_result result, const char *detail);

/* Begin. After at most TIMEOUT_NS, and twice that when the loop itself stood still, DONE is called
 * once, from LOOP, never from here; A is gone then. */
struct attempt *attempt_start(struct ev_loop *loop, const struct attempt_target *target,
			      int64_t timeout_ns, attempt_done *done, void *ctx, uint64_t tag);
/* Forget it: DONE is not called. */
void attempt_cancel(struct attempt *a);

#endif
