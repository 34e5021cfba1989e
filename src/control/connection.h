/* One client of the door. Front thread only.
 *
 * What it may cost is bounded: a line of 64 KiB in, OUT_HIGH plus one answer out, a few requests
 * per loop turn. While more than OUT_HIGH bytes wait to be sent, nothing is read from it and
 * nothing is copied for it; the event ring and the output rings keep what it has not seen, as
 * far as they reach, and after that it is told how much it missed. */
#ifndef CONTROL_CONNECTION_H
#define CONTROL_CONNECTION_H

#include "base/list.h"
#include "base/loop.h"
#include "base/strlist.h"
#include "control/access.h"
#include "control/rpc.h"

#define OUT_HIGH (256u * 1024)
#define REQUESTS_PER_TURN 16
#define UNFINISHED_LINE_MS 5000

struct control;
struct follower;	/* logs.c */

struct connection {
	struct list link;		/* control.connections */
	struct list busy;		/* control.busy */
	struct control *server;
	uint64_t id;			/* never used again */
	int fd;
	struct peer peer;
	struct loop_io io;
	struct loop_timer deadline;
	struct strbuf in, out;
	size_t sent;			/* bytes of OUT that are gone */
	bool blocked;			/* the peer takes no more until its descriptor says so */
	struct list passing;		/* descriptors that go out with some of them (passing.h) */
	int64_t active_ns;		/* last byte in either direction */
	int64_t line_began_ns;		/* of an unfinished line; 0: none */
	unsigned pending;		/* orders on their way */
	bool closing;			/* no more requests: close when all is sent */
	size_t discarded;		/* bytes thrown away since then */
	bool ended;			/* the peer has sent its last byte */
	bool subscribed, caught_up;
	uint64_t cursor;		/* of the event channel */
	struct follower *follower;
	json_t *seen;			/* for the next one: where its streams begin; NULL: nothing */
	bool profiling;			/* it was given perf events */
	bool keeps_heap;		/* procd's own heap is recorded until it ends */
};

/* Take over FD (non-blocking) and PEER. */
struct connection *connection_new(struct control *server, int fd, struct peer *peer);
void connection_free(struct connection *c);
struct connection *connection_find(struct control *server, uint64_t id);	/* NULL: gone */

/* Send what can be sent, fetch more events and output for it, handle waiting lines; close it when
 * it is done. C may be gone afterwards. */
void connection_run(struct connection *c);

/* What it may do, by the configuration of this moment. */
enum access connection_access(const struct connection *c);

static inline size_t connection_backlog(const struct connection *c)
{
	return c->out.len - c->sent;
}

/* Answers; nothing is sent for a notification. connection_run() sends them. */
void reply_result(struct connection *c, const struct rpc_request *r, json_t *result);	/* takes */
void reply_error(struct connection *c, const struct rpc_request *r, int rpc_code,
		 enum error_code code, const char *fmt, ...) PRINTF_LIKE(5, 6);

/* Parameters. Each returns false after it has answered with "invalid params". */
bool param_names(struct connection *c, const struct rpc_request *r, struct strlist *out);
bool param_bool(struct connection *c, const struct rpc_request *r, const char *key, bool *out);
/* A number >= 0; *OUT stays when it is absent. */
bool param_count(struct connection *c, const struct rpc_request *r, const char *key, int64_t *out);
bool param_text(struct connection *c, const struct rpc_request *r, const char *key,
		const char **out);

/* logs.c: copy captured output into C->out while there is room; true: there is more than fits.
 * Drop the follower. */
bool follower_pump(struct connection *c);
void follower_free(struct follower *f);

#endif
