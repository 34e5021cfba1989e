/* Answers come in the order of the questions, so the oldest question is what a line answers; the id
 * is there to prove it. Whatever cannot be right ends the connection, and procd makes another
 * one. */
#include "http/door.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#define PATIENCE_MS 10000	/* with a question */
#define DEPTH_MAX 32

static void close_link(struct door *d)
{
	struct list *item;

	loop_io_set(&d->io, -1, 0);
	loop_timer_set(&d->patience, -1);
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	strbuf_fini(&d->in);
	strbuf_fini(&d->out);
	d->scanned = 0;
	while ((item = list_pop(&d->waiting))) {
		struct door_question *q = list_entry(item, struct door_question, link);

		q->answered(q, NULL);
	}
}

static void arm_patience(struct door *d)
{
	const struct door_question *oldest;
	int64_t left;

	if (list_empty(&d->waiting)) {
		loop_timer_set(&d->patience, -1);
		return;
	}
	oldest = list_entry(d->waiting.next, struct door_question, link);
	left = oldest->asked_ns + PATIENCE_MS * NS_PER_MS - clock_mono_ns();
	loop_timer_set(&d->patience, MAX(left, (int64_t)0));
}

static void on_patience(struct loop_timer *t)
{
	log_warn("procd does not answer");
	close_link(container_of(t, struct door, patience));
}

/* --- answers ---------------------------------------------------------------------------------- */

/* False: it is no answer to what was asked. */
static bool take_line(struct door *d, const char *line, size_t n)
{
	struct error e = ERROR_INIT;
	auto_free(json_decrefp) json_t *answer = json_parse_untrusted(line, n, DEPTH_MAX, &e);
	struct list *item = d->waiting.next;
	struct door_question *q = list_entry(item, struct door_question, link);

	error_fini(&e);
	if (answer == NULL || item == &d->waiting ||
	    json_integer_value(json_object_get(answer, "id")) != q->id)
		return false;
	list_remove(item);
	q->answered(q, answer);
	return true;
}

/* False: the connection is of no use any more. */
static bool take_lines(struct door *d)
{
	const char *end;

	while ((end = memchr(d->in.buf + d->scanned, '\n', d->in.len - d->scanned)) != NULL) {
		size_t n = (size_t)(end - d->in.buf);

		if (!take_line(d, d->in.buf, n))
			return false;
		strbuf_consume(&d->in, n + 1);
		d->scanned = 0;
	}
	d->scanned = d->in.len;
	if (d->in.len == 0 && d->in.cap > 64 * 1024)
		strbuf_fini(&d->in);	/* the next one may be long in coming */
	return d->in.len <= DOOR_ANSWER_MAX;
}

static bool receive(struct door *d)
{
	ssize_t n;

	strbuf_reserve(&d->in, 64 * 1024);
	n = recv(d->fd, d->in.buf + d->in.len, 64 * 1024, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	d->in.len += (size_t)n;
	d->in.buf[d->in.len] = '\0';
	return n > 0 && take_lines(d);
}

/* --- questions -------------------------------------------------------------------------------- */

static bool flush(struct door *d)
{
	while (d->out.len > 0) {
		ssize_t n = send(d->fd, d->out.buf, d->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		strbuf_consume(&d->out, (size_t)n);
	}
	return true;
}

static void on_ready(struct loop_io *io, int revents)
{
	struct door *d = container_of(io, struct door, io);

	if (((revents & EV_READ) && !receive(d)) || !flush(d)) {
		close_link(d);
		return;
	}
	loop_io_set(&d->io, d->fd, EV_READ | (d->out.len > 0 ? EV_WRITE : 0));
	arm_patience(d);
}

bool door_ask(struct door *d, struct door_question *q, const char *method, json_t *params)
{
	auto_free(json_decrefp) json_t *line =
		json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id", ++d->last_id, "method",
			  method, "params", params != NULL ? params : json_object());

	if (d->fd < 0)
		return false;
	q->id = d->last_id;
	q->asked_ns = clock_mono_ns();
	list_append(&d->waiting, &q->link);
	json_dump(line, &d->out);
	strbuf_addch(&d->out, '\n');
	/* sent from the loop, where failing is allowed */
	loop_io_set(&d->io, d->fd, EV_READ | EV_WRITE);
	arm_patience(d);
	return true;
}

static void nobody_asks(struct door_question *q, const json_t *answer)
{
	(void)answer;
	free(q);
}

/* Its place in the order stays. */
void door_forget(struct door_question *q)
{
	struct door_question *place;

	if (list_empty(&q->link))
		return;
	place = x_calloc(1, sizeof(*place));
	*place = *q;
	place->answered = nobody_asks;
	place->link.prev->next = place->link.next->prev = &place->link;
	list_init(&q->link);
}

/* --- who is there ----------------------------------------------------------------------------- */

static bool is_owner(const struct door *d, int fd)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) == 0 && cred.uid == d->owner;
}

/* The newest one counts: another is made only when the one before is lost, or procd has died. */
static void on_connection(struct loop_io *io, int revents)
{
	struct door *d = container_of(io, struct door, listening);
	int fd = accept4(io->w.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)revents;
	if (fd < 0)
		return;
	if (!is_owner(d, fd)) {
		close(fd);
		return;
	}
	close_link(d);
	d->fd = fd;
	loop_io_set(&d->io, fd, EV_READ);
	d->opened(d->ctx);
}

void door_init(struct door *d, struct ev_loop *loop, int listen_fd, uid_t owner,
	       void (*opened)(void *ctx), void *ctx)
{
	*d = (struct door){ .loop = loop, .owner = owner, .fd = -1, .opened = opened, .ctx = ctx };
	strbuf_init(&d->in);
	strbuf_init(&d->out);
	list_init(&d->waiting);
	loop_io_init(&d->listening, loop, on_connection);
	loop_io_init(&d->io, loop, on_ready);
	loop_timer_init(&d->patience, loop, on_patience);
	loop_io_set(&d->listening, listen_fd, EV_READ);
}

void door_fini(struct door *d)
{
	close_link(d);
	loop_io_set(&d->listening, -1, 0);
}
