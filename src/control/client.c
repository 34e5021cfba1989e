/* Answers are cut at their line ends and handed out as text: a status of ten thousand subsystems
 * can then be printed or scanned without building a tree. Our own server writes envelopes in one
 * fixed way; the text functions know that form and fall back to "parse it" for any other. */
#include "control/client.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "control/address.h"
#include "control/passing.h"

#define ANSWER_MAX (512u * 1024 * 1024)	/* a daemon gone mad must not take us along */

void client_fini(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	strbuf_fini(&c->in);
	c->pos = 0;
	while (c->nfds > 0)
		close(c->fds[--c->nfds]);
	free(take(c->fds));
}

int client_connect(struct client *c, const char *path, struct error *e)
{
	int fd = socket_connect(path, 0);

	if (fd < 0) {
		error_set(e, fd == -EACCES || fd == -EPERM ? ERROR_IO_PERMISSION :
			  fd == -ENOENT ? ERROR_IO_NOT_FOUND : ERROR_IO, -fd,
			  "cannot reach procd at %s", path);
		return fd;
	}
	c->fd = fd;
	return 0;
}

static int wait_for(struct client *c, short events)
{
	for (;;) {
		struct pollfd p = { .fd = c->fd, .events = events };
		int64_t left = c->deadline_ns == INT64_MAX ? -1 :
			c->deadline_ns - clock_mono_ns();
		int rc;

		if (c->deadline_ns != INT64_MAX && left <= 0)
			return -ETIMEDOUT;
		rc = poll(&p, 1, left < 0 ? -1 :
			  (int)MIN((left + NS_PER_MS - 1) / NS_PER_MS, (int64_t)INT32_MAX));
		if (rc > 0)
			return 0;
		if (rc < 0 && errno != EINTR)
			return -errno;
	}
}

static void keep_fds(struct client *c, struct msghdr *m)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h != NULL; h = CMSG_NXTHDR(m, h)) {
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		c->fds = x_reallocarray(c->fds, c->nfds + n, sizeof(*c->fds));
		memcpy(c->fds + c->nfds, CMSG_DATA(h), n * sizeof(int));
		c->nfds += n;
	}
}

static ssize_t receive(struct client *c)
{
	char room[CMSG_SPACE(PASSING_AT_ONCE * sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = { c->in.buf + c->in.len, c->in.cap - c->in.len - 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room,
			    .msg_controllen = sizeof(room) };
	ssize_t n;

	if (!c->takes_fds)
		return recv(c->fd, iov.iov_base, iov.iov_len, MSG_DONTWAIT);
	n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n >= 0)
		keep_fds(c, &m);
	return n;
}

static int fill(struct client *c)
{
	ssize_t n;
	int rc;

	if (c->pos > 0) {
		strbuf_consume(&c->in, c->pos);
		c->pos = 0;
	}
	if (c->in.len > ANSWER_MAX)
		return -EMSGSIZE;
	strbuf_reserve(&c->in, MAX((size_t)64 * 1024, MIN(c->in.len, (size_t)1024 * 1024)));
	for (;;) {
		n = receive(c);
		if (n >= 0)
			break;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		rc = wait_for(c, POLLIN);
		if (rc < 0)
			return rc;
	}
	c->in.len += (size_t)n;
	c->in.buf[c->in.len] = '\0';
	return n > 0;
}

int client_line(struct client *c, const char **line, size_t *len)
{
	size_t looked = 0;

	for (;;) {
		const char *start = c->in.buf + c->pos;
		const char *end = memchr(start + looked, '\n', c->in.len - c->pos - looked);
		int rc;

		if (end) {
			*line = start;
			*len = (size_t)(end - start);
			c->pos += *len + 1;
			return 1;
		}
		looked = c->in.len - c->pos;
		rc = fill(c);
		if (rc <= 0)
			return rc;
	}
}

bool client_has_line(const struct client *c)
{
	return memchr(c->in.buf + c->pos, '\n', c->in.len - c->pos) != NULL;
}

static int send_all(struct client *c, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(c->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		int rc;

		if (sent >= 0) {
			bytes += sent;
			n -= (size_t)sent;
			continue;
		}
		/* A server that showed us out has said why: read that instead. */
		if (errno == EPIPE || errno == ECONNRESET)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		rc = wait_for(c, POLLOUT);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool is_notification(const char *line, size_t len)
{
	static const char start[] = "{\"jsonrpc\":\"2.0\",\"method\":";

	return len >= sizeof(start) - 1 && memcmp(line, start, sizeof(start) - 1) == 0;
}

int client_send(struct client *c, const char *method, json_t *params, json_int_t *id)
{
	auto_free(json_decrefp) json_t *request = json_pack("{s:s, s:I, s:s, s:o*}",
		"jsonrpc", "2.0", "id", ++c->last_id, "method", method, "params", params);
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	json_dump(request, &text);
	strbuf_addch(&text, '\n');
	if (id)
		*id = c->last_id;
	return send_all(c, text.buf, text.len);
}

int client_ask(struct client *c, const char *method, json_t *params, const char **line,
	       size_t *len)
{
	int rc = client_send(c, method, params, NULL);

	if (rc < 0)
		return rc;
	for (;;) {
		rc = client_line(c, line, len);
		if (rc <= 0 || !is_notification(*line, *len))
			return rc;
		if (c->notified)
			c->notified(c->ctx, *line, *len);
	}
}

/* The text between PREFIX + anything up to KEY and the final brace. */
static const char *member_text(const char *line, size_t len, const char *key, size_t from,
			       size_t *out_len)
{
	size_t n = strlen(key);

	if (len < from + n + 1 || line[len - 1] != '}' || memcmp(line + from, key, n) != 0)
		return NULL;
	*out_len = len - 1 - from - n;
	return line + from + n;
}

json_int_t client_answer_id(const char *line, size_t len)
{
	static const char start[] = "{\"jsonrpc\":\"2.0\",\"id\":";
	json_int_t id = 0;

	if (len < sizeof(start) || memcmp(line, start, sizeof(start) - 1) != 0)
		return 0;
	for (size_t i = sizeof(start) - 1; i < len && line[i] >= '0' && line[i] <= '9'; i++) {
		if (id > (INT64_MAX - 9) / 10)
			return 0;
		id = id * 10 + (line[i] - '0');
	}
	return id;
}

const char *client_result_text(const char *line, size_t len, size_t *result_len)
{
	static const char start[] = "{\"jsonrpc\":\"2.0\",\"id\":";
	size_t at = sizeof(start) - 1;

	if (len <= at || memcmp(line, start, at) != 0)
		return NULL;
	while (at < len && line[at] >= '0' && line[at] <= '9')
		at++;
	return member_text(line, len, ",\"result\":", at, result_len);
}

const char *client_params_text(const char *line, size_t len, const char *method,
			       size_t *params_len)
{
	static const char start[] = "{\"jsonrpc\":\"2.0\",\"method\":\"";
	size_t at = sizeof(start) - 1, n = strlen(method);

	if (len <= at + n || memcmp(line, start, at) != 0 || memcmp(line + at, method, n) != 0)
		return NULL;
	return member_text(line, len, "\",\"params\":", at + n, params_len);
}
