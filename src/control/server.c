/* The front thread: its loop, its door, its end. It reads what others publish and sends
 * messages; it changes nothing. */
#include "control/server.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/thread.h"
#include "config/store.h"
#include "control/web.h"

#define ACCEPT_PAUSE_MS 200
#define ACCEPTS_PER_TURN 8
#define FLUSH_LIMIT_MS 500
#define HAND_OVER_LIMIT_MS 30
/* The last places are kept for those who may do everything. */
#define CONTROL_CONNECTIONS_OTHERS (CONTROL_CONNECTIONS_MAX - CONTROL_CONNECTIONS_PER_UID)

/* --- news ------------------------------------------------------------------------------------- */

static void wake(void *ctx)
{
	loop_async_send(ctx);
}

/* Sender's thread. The first of those that nobody has seen yet counts. */
static void wake_for_event(void *ctx)
{
	struct control *s = ctx;
	int64_t none = 0;

	if (atomic_load_explicit(&s->event_sent_ns, memory_order_relaxed) == 0)
		atomic_compare_exchange_strong(&s->event_sent_ns, &none, clock_mono_ns());
	loop_async_send(&s->event_wake);
}

static void run_all(struct control *s, bool (*wanted)(const struct connection *c))
{
	list_for_each(pos, &s->connections) {
		struct connection *c = list_entry(pos, struct connection, link);

		if (wanted(c))
			connection_run(c);
	}
}

static bool wants_events(const struct connection *c)
{
	return c->subscribed && connection_backlog(c) <= OUT_HIGH;
}

static bool wants_output(const struct connection *c)
{
	return c->follower && connection_backlog(c) <= OUT_HIGH;
}

static bool anyone(const struct connection *c)
{
	(void)c;
	return true;
}

static void on_event(struct loop_async *a)
{
	struct control *s = container_of(a, struct control, event_wake);
	int64_t sent = atomic_exchange(&s->event_sent_ns, 0);

	/* each is the first to be told some time */
	if (!list_empty(&s->connections))
		list_append(&s->connections, list_pop(&s->connections));
	run_all(s, wants_events);
	if (sent != 0)
		tally_took(s->setup.tally, TALLY_FANOUT, clock_mono_ns() - sent);
}

static void on_output(struct loop_async *a)
{
	run_all(container_of(a, struct control, output_wake), wants_output);
}

void control_count_subscriber(struct control *s, int delta)
{
	if (delta > 0 && s->nsubscribers++ == 0)
		chan_subscribe(s->setup.chan, wake_for_event, s);
	if (delta < 0 && --s->nsubscribers == 0) {
		chan_unsubscribe(s->setup.chan, wake_for_event, s);
		strbuf_fini(&s->news.text);
	}
}

void control_count_follower(struct control *s, int delta)
{
	if (delta > 0 && s->nfollowers++ == 0)
		tail_subscribe(s->setup.output, wake, &s->output_wake);
	if (delta < 0 && --s->nfollowers == 0)
		tail_unsubscribe(s->setup.output, wake, &s->output_wake);
}

/* Waking ourselves lets every ready descriptor have its turn first. */
void control_turn_again(struct control *s)
{
	loop_async_send(&s->turn_wake);
}

static void on_turn(struct loop_async *a)
{
	struct control *s = container_of(a, struct control, turn_wake);
	struct list turn = LIST_HEAD_INIT(turn);
	struct list *item;

	while ((item = list_pop(&s->busy)))
		list_append(&turn, item);
	while ((item = list_pop(&turn)))
		connection_run(list_entry(item, struct connection, busy));
}

/* --- the door --------------------------------------------------------------------------------- */

static unsigned count_of_uid(const struct control *s, uid_t uid)
{
	unsigned n = 0;

	list_for_each(pos, &s->connections)
		n += list_entry(pos, struct connection, link)->peer.uid == uid;
	return n;
}

/* Tell why and close; the peer has sent nothing that we have read. */
static void turn_away(int fd, const char *why, unsigned limit)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	struct error e = ERROR_INIT;
	char bytes[4096];

	error_set(&e, ERROR_RESOURCE_FDS, 0, "%s (limit %u)", why, limit);
	rpc_error(&out, NULL, RPC_SERVER_ERROR, &e, NULL);
	error_fini(&e);
	(void)!send(fd, out.buf, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) == (ssize_t)sizeof(bytes))
		;
	close(fd);
}

static void admit(struct control *s, int fd)
{
	struct peer peer;
	unsigned limit;
	int err = peer_read(fd, &peer);

	if (err < 0) {
		log_warn("control: cannot tell who a client is: %s", strerror(-err));
		close(fd);
		return;
	}
	limit = peer.uid == 0 || peer.uid == geteuid() ? CONTROL_CONNECTIONS_MAX :
		CONTROL_CONNECTIONS_OTHERS;
	if (s->nconnections >= limit) {
		turn_away(fd, "too many connections", CONTROL_CONNECTIONS_MAX);
		peer_fini(&peer);
	} else if (count_of_uid(s, peer.uid) >= CONTROL_CONNECTIONS_PER_UID) {
		turn_away(fd, "too many connections of this user", CONTROL_CONNECTIONS_PER_UID);
		peer_fini(&peer);
	} else {
		connection_run(connection_new(s, fd, &peer));
	}
}

/* Descriptors (or memory) are used up: a pending connection would keep the loop spinning. The
 * reserve makes room to refuse it. */
static void refuse_with_reserve(struct control *s, int errnum)
{
	int fd;

	log_warn("control: cannot accept a client: %s", strerror(errnum));
	if (s->reserve_fd >= 0)
		close(s->reserve_fd);
	fd = accept4(s->setup.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		turn_away(fd, "procd is out of file descriptors", s->nconnections);
	s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	loop_io_set(&s->listening, s->setup.listen_fd, 0);
	loop_timer_set(&s->accept_pause, ACCEPT_PAUSE_MS * NS_PER_MS);
}

static void on_accept_pause(struct loop_timer *t)
{
	struct control *s = container_of(t, struct control, accept_pause);

	loop_io_set(&s->listening, s->setup.listen_fd, EV_READ);
}

static void on_connect(struct loop_io *io, int revents)
{
	struct control *s = container_of(io, struct control, listening);

	(void)revents;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(s->setup.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			admit(s, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			refuse_with_reserve(s, errno);
		else if (errno == EINTR || errno == ECONNABORTED)
			continue;
		else if (errno != EAGAIN)
			log_warn("control: cannot accept a client: %s", strerror(errno));
		return;
	}
}

static void on_listen(struct loop_async *a)
{
	struct control *s = container_of(a, struct control, listen_wake);
	int fd = atomic_exchange(&s->next_listen_fd, -1);

	if (fd < 0)
		return;
	loop_io_set(&s->listening, -1, 0);
	close(s->setup.listen_fd);
	s->setup.listen_fd = fd;
	loop_io_set(&s->listening, fd, EV_READ);
}

/* --- what is used ----------------------------------------------------------------------------- */

/* To the main thread, which decides; the order comes back and is freed. */
static void tell_memory(void *ctx, const struct sampler_news *news)
{
	struct control *s = ctx;
	struct control_order *order = x_calloc(1, sizeof(*order));

	order->kind = CONTROL_MEMORY;
	order->control = s;
	order->memory = *news;
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	mailbox_send(s->setup.orders, &order->mail);
}

static void on_config(struct loop_async *a)
{
	struct control *s = container_of(a, struct control, config_wake);

	sampler_reconfigure(s->sampler);
	web_reach(s);
}

void control_reconfigured(struct control *s)
{
	loop_async_send(&s->config_wake);
}

/* --- life ------------------------------------------------------------------------------------- */

static void on_stop(struct loop_async *a)
{
	struct control *s = container_of(a, struct control, stop_wake);

	s->stopping = true;
	ev_break(s->loop, EVBREAK_ALL);
}

static void on_flush_limit(struct loop_timer *t)
{
	ev_break(t->loop, EVBREAK_ALL);
}

/* What is queued goes out while the peers read, for a bounded time; then all are closed. */
static void say_good_bye(struct control *s)
{
	loop_io_set(&s->listening, -1, 0);
	loop_timer_set(&s->accept_pause, -1);
	web_stop(s);
	mailbox_fini(&s->answers);
	run_all(s, anyone);
	loop_async_stop(&s->event_wake);
	loop_async_stop(&s->output_wake);
	loop_async_stop(&s->stop_wake);
	loop_async_stop(&s->listen_wake);
	loop_async_stop(&s->config_wake);
	loop_timer_set(&s->flush_limit, s->flush_limit_ms * NS_PER_MS);
	while (!list_empty(&s->connections) && s->flush_limit.w.active)
		ev_run(s->loop, EVRUN_ONCE);
	list_for_each(pos, &s->connections)
		connection_free(list_entry(pos, struct connection, link));
	loop_timer_set(&s->flush_limit, -1);
	loop_async_stop(&s->turn_wake);
}

static void *front_thread(void *arg)
{
	struct control *s = arg;

	sampler_reconfigure(s->sampler);
	web_reach(s);
	ev_run(s->loop, 0);
	say_good_bye(s);
	return NULL;
}

static void control_release(struct control *s)
{
	if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	strbuf_fini(&s->features);
	free(s->heap_output);
	free(s);
}

static void watch_all(struct control *s)
{
	mailbox_init(&s->answers, s->loop, control_on_answer, s);
	loop_async_start(&s->stop_wake, s->loop, on_stop);
	loop_async_start(&s->listen_wake, s->loop, on_listen);
	loop_async_start(&s->config_wake, s->loop, on_config);
	loop_async_start(&s->event_wake, s->loop, on_event);
	loop_async_start(&s->output_wake, s->loop, on_output);
	loop_async_start(&s->turn_wake, s->loop, on_turn);
	loop_timer_init(&s->accept_pause, s->loop, on_accept_pause);
	loop_timer_init(&s->flush_limit, s->loop, on_flush_limit);
	loop_io_init(&s->listening, s->loop, on_connect);
	loop_io_set(&s->listening, s->setup.listen_fd, EV_READ);
}

struct control *control_start(const struct control_setup *setup, struct error *e)
{
	struct ev_loop *loop = loop_new("auto");
	struct control *s;
	int rc;

	if (!loop) {
		error_set(e, ERROR_PLATFORM, errno, "no event loop for the control socket");
		return NULL;
	}
	s = x_calloc(1, sizeof(*s));
	s->setup = *setup;
	s->loop = loop;
	s->refs = 1;
	atomic_init(&s->next_listen_fd, -1);
	strbuf_init(&s->features);
	strbuf_init(&s->news.text);
	list_init(&s->connections);
	list_init(&s->busy);
	s->sampler = sampler_new(&(struct sampler_setup){
		.loop = loop, .board = setup->board, .records = setup->records,
		.tell = tell_memory, .ctx = s });
	s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd_set_nonblock(setup->listen_fd, true);
	watch_all(s);
	rc = thread_start(&s->thread, "front", front_thread, s);
	if (rc < 0) {
		error_set(e, ERROR_RUNTIME_SPAWN, -rc, "cannot start the front thread");
		sampler_free(s->sampler);
		ev_loop_destroy(loop);
		if (s->reserve_fd >= 0)
			close(s->reserve_fd);
		free(s);
		return NULL;
	}
	return s;
}

unsigned control_orders(const struct control *s)
{
	return atomic_load_explicit(&s->refs, memory_order_relaxed) - 1;
}

static void end_within(struct control *s, int64_t flush_limit_ms)
{
	s->flush_limit_ms = flush_limit_ms;
	loop_async_send(&s->stop_wake);
	pthread_join(s->thread, NULL);
	s->gone = true;
	sampler_free(s->sampler);
	ev_loop_destroy(s->loop);
	close(s->setup.listen_fd);
	closep(&(int){ atomic_load(&s->next_listen_fd) });
	if (s->reserve_fd >= 0)
		close(s->reserve_fd);
	control_release(s);
}

void control_listen_on(struct control *s, int fd)
{
	int passed_over;

	fd_set_nonblock(fd, true);
	passed_over = atomic_exchange(&s->next_listen_fd, fd);
	closep(&passed_over);
	loop_async_send(&s->listen_wake);
}

void control_stop(struct control *s)
{
	s->for_good = true;
	end_within(s, FLUSH_LIMIT_MS);
}

void control_hand_over(struct control *s)
{
	end_within(s, HAND_OVER_LIMIT_MS);
}

void control_answer(struct control_order *order)
{
	struct control *s = order->control;

	if (s->gone)
		control_order_free(order);
	else
		mailbox_send(&s->answers, &order->mail);
	control_release(s);
}
