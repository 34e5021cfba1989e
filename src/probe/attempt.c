/* Connect, perhaps ask and read the first line of the answer, close.
 *
 * What the other end does is bounded in time by one deadline and in space by what is read; nothing
 * of it is kept. What goes wrong on our side is told apart: that this process has no descriptor
 * left, or was not run for a while, does not make a program ill. */
#include "probe/attempt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/units.h"
#include "probe/http.h"

#define READ_SIZE 4096
#define LATE_NS (50 * NS_PER_MS)	/* later than this, the loop stood still */
#define RETRY_FIRST_NS (5 * NS_PER_MS)	/* a full queue of a Unix socket cannot be waited for */
#define RETRY_MAX_NS (80 * NS_PER_MS)
/* After the status the rest is read for a moment, so that the server sees an orderly end. */
#define LINGER_NS (100 * NS_PER_MS)
#define LINGER_MAX (64 * 1024)

enum phase { CONNECTING, SENDING, READING, LINGERING, OVER };

struct address {
	socklen_t len;
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
};

struct attempt {
	struct ev_loop *loop;
	attempt_done *done;
	void *ctx;
	uint64_t tag;

	enum phase phase;
	int fd;
	struct loop_io io;
	struct loop_timer deadline;
	struct loop_timer pause;	/* CONNECTING: the next try; LINGERING: its end; OVER: tell */
	int64_t timeout_ns, deadline_mono_ns, retry_ns;
	bool extended;

	struct address addresses[2];
	int naddresses, next;
	int first_error;		/* of the addresses so far */

	struct strbuf request;		/* empty: a connection is enough */
	size_t sent;
	struct http_answer answer;
	size_t lingered;

	enum attempt_result result;	/* LINGERING, OVER */
	char detail[128];
};

/* --- the end ---------------------------------------------------------------------------------- */

static void close_socket(struct attempt *a)
{
	loop_io_set(&a->io, -1, 0);
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}

static void attempt_free(struct attempt *a)
{
	close_socket(a);
	loop_timer_set(&a->deadline, -1);
	loop_timer_set(&a->pause, -1);
	strbuf_fini(&a->request);
	free(a);
}

static void tell(struct attempt *a)
{
	attempt_done *done = a->done;
	enum attempt_result result = a->result;
	uint64_t tag = a->tag;
	void *ctx = a->ctx;
	char detail[sizeof(a->detail)];

	memcpy(detail, a->detail, sizeof(detail));
	attempt_free(a);
	done(ctx, tag, result, detail);
}

static void decide(struct attempt *a, enum attempt_result result, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
static void decide(struct attempt *a, enum attempt_result result, const char *fmt, ...)
{
	va_list ap;

	a->result = result;
	va_start(ap, fmt);
	vsnprintf(a->detail, sizeof(a->detail), fmt, ap);
	va_end(ap);
}

/* Decided; told from the loop, since attempt_start() may still be running. */
static void over(struct attempt *a)
{
	a->phase = OVER;
	close_socket(a);
	loop_timer_set(&a->deadline, -1);
	loop_timer_set(&a->pause, 0);
}

static void bad(struct attempt *a, const char *what, int errnum)
{
	decide(a, ATTEMPT_BAD, "%s%s", what, errnum != 0 ? strerror(errnum) : "");
	over(a);
}

/* (No address to connect from: all local ports are in use. Without IPv6 its addresses give that,
 * too, and nobody answers there.) */
static bool is_ours(const struct attempt *a, int errnum)
{
	return errnum == EMFILE || errnum == ENFILE || errnum == ENOBUFS || errnum == ENOMEM ||
	       (errnum == EADDRNOTAVAIL && a->addresses[a->next].any.sa_family == AF_INET);
}

/* --- asking and reading ------------------------------------------------------------------------- */

static void linger(struct attempt *a)
{
	int status = a->answer.status;

	decide(a, status >= 200 && status <= 399 ? ATTEMPT_GOOD : ATTEMPT_BAD, "HTTP status %d",
	       status);
	a->phase = LINGERING;
	loop_timer_set(&a->pause, LINGER_NS);
}

static void receive(struct attempt *a)
{
	char bytes[READ_SIZE];
	ssize_t n = recv(a->fd, bytes, sizeof(bytes), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (a->phase == LINGERING) {
		a->lingered += n > 0 ? (size_t)n : 0;
		if (n <= 0 || a->lingered > LINGER_MAX)
			over(a);
		return;
	}
	if (n < 0) {
		bad(a, "no HTTP answer: ", errno);
		return;
	}
	if (n == 0) {
		bad(a, a->answer.total == 0 ? "the connection was closed without an answer" :
		    "the connection was closed in the middle of the answer", 0);
		return;
	}
	if (!http_read(&a->answer, bytes, (size_t)n))
		return;
	if (a->answer.garbage)
		bad(a, "the answer is not HTTP", 0);
	else
		linger(a);
}

static void ask(struct attempt *a)
{
	size_t left = a->request.len - a->sent;
	ssize_t n = send(a->fd, a->request.buf + a->sent, left, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		bad(a, "the request cannot be sent: ", errno);
		return;
	}
	a->sent += n > 0 ? (size_t)n : 0;
	a->phase = a->sent < a->request.len ? SENDING : READING;
	loop_io_set(&a->io, a->fd, a->phase == SENDING ? EV_WRITE : EV_READ);
}

/* --- connecting ------------------------------------------------------------------------------- */

/* Where nobody listens on a port that the kernel also gives away, a socket can meet itself. */
static bool is_own_echo(int fd)
{
	struct address here = { .len = sizeof(here.un) }, there = { .len = sizeof(there.un) };

	return getsockname(fd, &here.any, &here.len) == 0 &&
	       getpeername(fd, &there.any, &there.len) == 0 && here.any.sa_family != AF_UNIX &&
	       here.len == there.len && memcmp(&here.un, &there.un, here.len) == 0;
}

static void connect_next(struct attempt *a);

/* This address is none; perhaps the next one. */
static void refused(struct attempt *a, int errnum)
{
	close_socket(a);
	if (is_ours(a, errnum)) {
		decide(a, ATTEMPT_NOT_MADE, "cannot be asked: %s", strerror(errnum));
		over(a);
		return;
	}
	a->first_error = a->first_error != 0 ? a->first_error : errnum;
	a->next++;
	connect_next(a);
}

static void connected(struct attempt *a)
{
	if (is_own_echo(a->fd)) {
		refused(a, ECONNREFUSED);
	} else if (a->request.len == 0) {
		decide(a, ATTEMPT_GOOD, "connected");
		over(a);
	} else {
		ask(a);
	}
}

static void connect_later(struct attempt *a)
{
	close_socket(a);
	loop_timer_set(&a->pause, a->retry_ns);
	a->retry_ns = MIN(a->retry_ns * 2, RETRY_MAX_NS);
}

static void connect_next(struct attempt *a)
{
	const struct address *to = &a->addresses[a->next];

	if (a->next == a->naddresses) {
		bad(a, "cannot connect: ", a->first_error);
		return;
	}
	a->fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->fd < 0)
		refused(a, errno);
	else if (connect(a->fd, &to->any, to->len) == 0)
		connected(a);
	else if (errno == EAGAIN)
		connect_later(a);
	else if (errno == EINPROGRESS || errno == EINTR)
		loop_io_set(&a->io, a->fd, EV_WRITE);
	else
		refused(a, errno);
}

static void connect_ended(struct attempt *a)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error != 0) {
		refused(a, error);
		return;
	}
	loop_io_set(&a->io, -1, 0);
	connected(a);
}

/* --- the loop's side -------------------------------------------------------------------------- */

static void on_io(struct loop_io *io, int revents)
{
	struct attempt *a = container_of(io, struct attempt, io);

	(void)revents;
	switch (a->phase) {
	case CONNECTING:
		connect_ended(a);
		break;
	case SENDING:
		ask(a);
		break;
	case READING:
	case LINGERING:
		receive(a);
		break;
	case OVER:
		break;
	}
}

static void on_pause(struct loop_timer *t)
{
	struct attempt *a = container_of(t, struct attempt, pause);

	if (a->phase == OVER)
		tell(a);
	else if (a->phase == LINGERING)
		over(a);
	else
		connect_next(a);
}

static void timed_out(struct attempt *a)
{
	auto_free(strbuf_fini) struct strbuf time = STRBUF_INIT;

	duration_format(MAX(a->timeout_ns / NS_PER_MS, 1), &time);
	decide(a, ATTEMPT_BAD, a->phase == CONNECTING ? "no connection within %s" :
	       a->answer.total > 0 ? "no complete answer within %s" : "no answer within %s",
	       time.buf);
	over(a);
}

/* The loop hands out timers before descriptors: what has come already counts. */
static bool has_news(const struct attempt *a)
{
	struct pollfd p = { .fd = a->fd, .events = POLLIN };

	if (a->phase == CONNECTING || a->phase == SENDING)
		p.events = POLLOUT;
	return a->fd >= 0 && poll(&p, 1, 0) > 0;
}

static void on_deadline(struct loop_timer *t)
{
	struct attempt *a = container_of(t, struct attempt, deadline);

	if (a->phase == LINGERING) {
		over(a);
		return;
	}
	if (!a->extended && (clock_mono_ns() - a->deadline_mono_ns > LATE_NS)) {
		a->extended = true;
		loop_timer_set(t, a->timeout_ns);
		return;
	}
	if (has_news(a))
		on_io(&a->io, 0);
	if (a->phase == LINGERING)
		over(a);
	else if (a->phase != OVER)
		timed_out(a);
}

/* --- beginning -------------------------------------------------------------------------------- */

static void add_host(struct attempt *a, const char *host, int port)
{
	struct address *to = &a->addresses[a->naddresses];

	if (inet_pton(AF_INET, host, &to->in.sin_addr) == 1) {
		to->in.sin_family = AF_INET;
		to->in.sin_port = htons((uint16_t)port);
		to->len = sizeof(to->in);
		a->naddresses++;
	} else if (inet_pton(AF_INET6, host, &to->in6.sin6_addr) == 1) {
		to->in6.sin6_family = AF_INET6;
		to->in6.sin6_port = htons((uint16_t)port);
		to->len = sizeof(to->in6);
		a->naddresses++;
	}
}

static void add_socket(struct attempt *a, const char *name)
{
	struct address *to = &a->addresses[0];
	size_t n = strlen(name);

	if (n >= sizeof(to->un.sun_path)) {
		a->first_error = ENAMETOOLONG;
		return;
	}
	to->un.sun_family = AF_UNIX;
	memcpy(to->un.sun_path, name, n);
	to->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	if (*name == '@')
		to->un.sun_path[0] = '\0';
	else
		to->len++;
	a->naddresses = 1;
}

struct attempt *attempt_start(struct ev_loop *loop, const struct attempt_target *target,
			      int64_t timeout_ns, attempt_done *done, void *ctx, uint64_t tag)
{
	struct attempt *a = x_calloc(1, sizeof(*a));

	a->loop = loop;
	a->done = done;
	a->ctx = ctx;
	a->tag = tag;
	a->fd = -1;
	a->retry_ns = RETRY_FIRST_NS;
	a->timeout_ns = timeout_ns;
	a->deadline_mono_ns = clock_mono_ns() + timeout_ns;
	loop_io_init(&a->io, loop, on_io);
	loop_timer_init(&a->deadline, loop, on_deadline);
	loop_timer_init(&a->pause, loop, on_pause);
	loop_timer_set(&a->deadline, timeout_ns);
	strbuf_init(&a->request);
	if (target->socket != NULL) {
		add_socket(a, target->socket);
	} else if (strcmp(target->host, "localhost") == 0) {
		add_host(a, "127.0.0.1", target->port);
		add_host(a, "::1", target->port);
	} else {
		add_host(a, target->host, target->port);
	}
	if (target->http != NULL)
		http_request(target->host, target->port, target->http, &a->request);
	if (a->naddresses == 0 && a->first_error == 0)
		a->first_error = EAFNOSUPPORT;
	connect_next(a);
	return a;
}

void attempt_cancel(struct attempt *a)
{
	attempt_free(a);
}
