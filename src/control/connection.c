/* A connection is a small pump: bytes in, lines to dispatch, answers and news out. It is run
 * when its descriptor is ready, when an order comes back, and when there is news for a
 * subscriber; each run does a bounded amount of work and puts itself on the busy list when there
 * is more. */
#include "control/connection.h"

#include <config.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/store.h"
#include "control/emit.h"
#include "control/heap_methods.h"
#include "control/passing.h"
#include "control/server.h"
#include "control/web.h"

#define LINGER_MS 1000			/* for a peer that is shown out to read the reason */
#define DISCARD_MAX (4u * 1024 * 1024)
#define NEWS_MAX (32u * 1024)		/* a longer text is made for each */
#define ORDERS_MAX 64			/* on their way for one connection; the next ones wait */

static void on_ready(struct loop_io *io, int revents);
static void on_deadline(struct loop_timer *t);

struct connection *connection_new(struct control *server, int fd, struct peer *peer)
{
	struct connection *c = x_calloc(1, sizeof(*c));

	c->server = server;
	c->id = ++server->last_connection;
	c->fd = fd;
	c->peer = *peer;
	strbuf_init(&c->in);
	strbuf_init(&c->out);
	c->active_ns = clock_mono_ns();
	list_init(&c->busy);
	list_init(&c->passing);
	list_append(&server->connections, &c->link);
	server->nconnections++;
	loop_io_init(&c->io, server->loop, on_ready);
	loop_timer_init(&c->deadline, server->loop, on_deadline);
	return c;
}

void connection_free(struct connection *c)
{
	if (c->subscribed)
		control_count_subscriber(c->server, -1);
	if (c->follower)
		control_count_follower(c->server, -1);
	if (WITH_HEAP_PROFILING)
		heap_profile_left(c);
	follower_free(c->follower);
	json_decref(c->seen);
	loop_io_set(&c->io, -1, 0);
	loop_timer_set(&c->deadline, -1);
	list_remove(&c->link);
	list_remove(&c->busy);
	c->server->nconnections--;
	close(c->fd);
	peer_fini(&c->peer);
	strbuf_fini(&c->in);
	strbuf_fini(&c->out);
	passing_free(&c->passing);
	if (c == c->server->web)
		web_left(c->server);
	free(c);
}

struct connection *connection_find(struct control *server, uint64_t id)
{
	list_for_each(pos, &server->connections) {
		struct connection *c = list_entry(pos, struct connection, link);

		if (c->id == id)
			return c;
	}
	return NULL;
}

/* --- in --------------------------------------------------------------------------------------- */

static void give_back(struct strbuf *sb)
{
	if (sb->len == 0 && sb->cap > 4096)
		strbuf_fini(sb);
}

/* An I/O call on the connection failed: is it only not possible now? Else the client will see no
 * more than an end, so the log tells the reason. A client that goes away is nothing special. */
static bool only_later(const char *what)
{
	if (errno == EAGAIN || errno == EINTR)
		return true;
	if (errno == EPIPE || errno == ECONNRESET)
		log_debug("control: %s a client: %s", what, strerror(errno));
	else
		log_warn("control: %s a client: %s", what, strerror(errno));
	return false;
}

/* On the way out: throw away what the peer still sends, so that closing does not turn the answer it
 * has not read yet into a reset. False: enough. */
static bool discard(struct connection *c)
{
	char bytes[16 * 1024];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0)
		return only_later("cannot read from");
	c->discarded += (size_t)n;
	return n > 0 && c->discarded < DISCARD_MAX;
}

/* At most one line's worth is held. False: the connection is broken. */
static bool receive(struct connection *c)
{
	size_t room = CONTROL_LINE_MAX + 1 - MIN(c->in.len, (size_t)CONTROL_LINE_MAX + 1);
	ssize_t n;

	if (c->closing)
		return discard(c);
	if (room == 0 || c->ended)
		return true;
	room = MIN(room, c->in.len == 0 ? (size_t)4096 : room);
	strbuf_reserve(&c->in, room);
	n = recv(c->fd, c->in.buf + c->in.len, room, MSG_DONTWAIT);
	if (n < 0)
		return only_later("cannot read from");
	if (n == 0) {
		c->ended = true;
		if (c->in.len > 0)	/* a last line may lack its end */
			strbuf_addch(&c->in, '\n');
		return true;
	}
	c->in.len += (size_t)n;
	c->in.buf[c->in.len] = '\0';
	c->active_ns = clock_mono_ns();
	return true;
}

static void refuse_long_line(struct connection *c)
{
	struct error e = ERROR_INIT;

	error_set(&e, ERROR_IO, 0, "request line is longer than %u bytes", CONTROL_LINE_MAX);
	rpc_error(&c->out, NULL, RPC_INVALID_REQUEST, &e, NULL);
	error_fini(&e);
	c->closing = true;
}

static bool may_ask(const struct connection *c)
{
	return !c->closing && connection_backlog(c) <= OUT_HIGH && c->pending < ORDERS_MAX;
}

/* Returns whether lines may be left for another turn. */
static bool handle_lines(struct connection *c)
{
	size_t pos = 0, len;
	const char *line;
	int rc = 1;

	for (int i = 0; i < REQUESTS_PER_TURN && may_ask(c); i++) {
		rc = rpc_next_line(c->in.buf, c->in.len, &pos, &line, &len);
		if (rc <= 0)
			break;
		if (len > 0 && !control_dispatch(c, line, len))
			c->closing = true;
	}
	if (rc == -E2BIG)
		refuse_long_line(c);
	if (c->closing)
		pos = c->in.len;
	strbuf_consume(&c->in, pos);
	if (rc == 0 && c->in.len > 0 && (c->line_began_ns == 0 || pos > 0))
		c->line_began_ns = clock_mono_ns();
	else if (rc != 0 || c->in.len == 0)
		c->line_began_ns = 0;
	give_back(&c->in);
	return rc > 0 && c->in.len > 0;
}

/* --- out -------------------------------------------------------------------------------------- */

/* False: the connection is broken. Who does not read costs no call before there is room again. */
static bool flush(struct connection *c)
{
	if (c->blocked)
		return true;
	while (connection_backlog(c) > 0) {
		ssize_t n = passing_send(&c->passing, c->fd, c->out.buf, c->sent,
					 connection_backlog(c));

		if (n < 0) {
			c->blocked = errno == EAGAIN;
			return only_later("cannot write to");
		}
		c->sent += (size_t)n;
		c->active_ns = clock_mono_ns();
	}
	strbuf_reset(&c->out);
	c->sent = 0;
	if (c->out.cap > OUT_HIGH / 4)
		strbuf_fini(&c->out);
	return true;
}

static void add_gap(struct connection *c, uint64_t lost)
{
	tally_add(c->server->setup.tally, TALLY_EVENTS_DROPPED, lost);
	rpc_notify_begin(&c->out, "event");
	event_gap_line(lost, &c->out);
	rpc_notify_end(&c->out);
}

/* A client that had caught up may lag by at most [events].queue; a replay by what the ring
 * holds. */
static void bound_lag(struct connection *c)
{
	uint64_t last = chan_last_seq(c->server->setup.chan);
	uint64_t queue;

	if (!c->caught_up)
		return;
	rcu_enter();
	queue = (uint64_t)config_current()->events.queue;
	rcu_leave();
	if (last > c->cursor && last - c->cursor > queue) {
		add_gap(c, last - c->cursor - queue);
		c->cursor = last - queue;
	}
}

/* What another one got. */
static void share_news(struct connection *c, const struct news *news)
{
	if (c->cursor != news->from || news->to <= news->from || news->text.len == 0)
		return;
	strbuf_add(&c->out, news->text.buf, news->text.len);
	c->cursor = news->to;
}

/* C got what follows FROM, and AT in what it is sent. */
static void keep_news(struct connection *c, uint64_t from, size_t at)
{
	struct news *news = &c->server->news;

	if (c->cursor == from || c->server->nsubscribers < 2 || c->out.len - at > NEWS_MAX)
		return;
	strbuf_reset(&news->text);
	strbuf_add(&news->text, c->out.buf + at, c->out.len - at);
	news->from = from;
	news->to = c->cursor;
}

/* Up to the last, or as far as it fits: then CHAN_OK. */
static enum chan_result fetch_events(struct connection *c)
{
	auto_free(strbuf_fini) struct strbuf body = STRBUF_INIT;
	enum chan_result result = CHAN_OK;
	uint64_t lost, from = c->cursor;
	size_t at = c->out.len;

	while (connection_backlog(c) <= OUT_HIGH) {
		strbuf_reset(&body);
		result = chan_try_recv(c->server->setup.chan, &c->cursor, &body, &lost);
		if (result == CHAN_GAP) {
			add_gap(c, lost);
			from = c->cursor;
			at = c->out.len;
			continue;
		}
		if (result != CHAN_OK)
			break;
		rpc_notify_begin(&c->out, "event");
		event_line(c->cursor, body.buf, body.len, &c->out);
		rpc_notify_end(&c->out);
	}
	keep_news(c, from, at);
	return result;
}

/* Returns whether there is more than fits now. */
static bool pump_events(struct connection *c)
{
	if (connection_backlog(c) > OUT_HIGH)
		return true;
	bound_lag(c);
	share_news(c, &c->server->news);
	switch (fetch_events(c)) {
	case CHAN_EMPTY:
		c->caught_up = true;
		return false;
	case CHAN_CLOSED:
		c->closing = true;
		return false;
	default:
		return true;
	}
}

/* --- the pump --------------------------------------------------------------------------------- */

/* Idle clients are shown out; a subscriber, or one that waits for an order, is not idle. */
static void arm_deadline(struct connection *c)
{
	int64_t now = clock_mono_ns(), at = INT64_MAX;

	if (c->line_began_ns != 0 && !c->closing)
		at = c->line_began_ns + UNFINISHED_LINE_MS * NS_PER_MS;
	else if (c->closing)
		at = c->active_ns + LINGER_MS * NS_PER_MS;
	else if (c != c->server->web && !c->subscribed && !c->follower && !c->profiling &&
		 !c->keeps_heap && c->pending == 0)
		at = c->active_ns + CONTROL_IDLE_MS * NS_PER_MS;
	loop_timer_set(&c->deadline, at == INT64_MAX ? -1 : MAX(at - now, 0));
}

/* A peer that closed both ways while it was subscribed: nobody will ever read. */
static bool hung_up(const struct connection *c)
{
	struct pollfd p = { .fd = c->fd };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

/* All was sent that is to be sent: does it end here? */
static bool is_done(const struct connection *c)
{
	if (c->server->stopping)
		return true;
	if (c->closing)
		return c->ended || hung_up(c);
	return c->ended && c->pending == 0 && !c->subscribed && !c->follower;
}

static int wanted_events(const struct connection *c, bool more)
{
	int events = connection_backlog(c) > 0 ? EV_WRITE : 0;

	if (c->closing)
		return c->ended ? events : events | EV_READ;
	if (!c->ended && !more && may_ask(c))
		events |= EV_READ;
	return events;
}

void connection_run(struct connection *c)
{
	bool lines = false, news = false;

	list_remove(&c->busy);
	if (!c->server->stopping && !c->closing)
		lines = handle_lines(c);
	if (c->subscribed && !c->closing)
		news = pump_events(c);
	if (c->follower && !c->closing)
		news |= follower_pump(c);
	if (!flush(c) || (c->ended && hung_up(c)) ||
	    (connection_backlog(c) == 0 && !news && is_done(c))) {
		connection_free(c);
		return;
	}
	if (c->closing && connection_backlog(c) == 0 && c->discarded == 0) {
		shutdown(c->fd, SHUT_WR);	/* the peer sees the end now */
		c->active_ns = clock_mono_ns();
	}
	/* What waits behind a full buffer goes on when the peer has read; the rest next turn. */
	if (connection_backlog(c) == 0 && (news || (lines && may_ask(c)))) {
		list_append(&c->server->busy, &c->busy);
		control_turn_again(c->server);
	}
	loop_io_set(&c->io, c->fd, wanted_events(c, lines));
	arm_deadline(c);
}

static void on_ready(struct loop_io *io, int revents)
{
	struct connection *c = container_of(io, struct connection, io);

	if (revents & EV_WRITE)
		c->blocked = false;
	if ((revents & EV_READ) && !receive(c)) {
		connection_free(c);
		return;
	}
	connection_run(c);
}

static void on_deadline(struct loop_timer *t)
{
	struct connection *c = container_of(t, struct connection, deadline);
	struct error e = ERROR_INIT;

	if (c->line_began_ns == 0 || c->closing) {
		connection_free(c);
		return;
	}
	error_set(&e, ERROR_TIMEOUT, 0, "request line was not finished within %d s",
		  UNFINISHED_LINE_MS / 1000);
	rpc_error(&c->out, NULL, RPC_INVALID_REQUEST, &e, NULL);
	error_fini(&e);
	c->line_began_ns = 0;
	c->closing = true;
	c->active_ns = clock_mono_ns();
	connection_run(c);
}
