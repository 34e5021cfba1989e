/* The library reads the requests; each is judged by its headers alone (http/request.h), and only a
 * good one asks procd, while its connection is suspended. What a client may cost is bounded: how
 * many there are, how long their headers, how long they may take. */
#include "http/server.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#define OLDER_TEXT "prometheus"

/* A client. */
struct guest {
	struct server *server;
	struct loop_timer limit;
	int fd;
};

/* A request that procd is asked for. */
struct exchange {
	struct list link;
	struct server *server;
	struct MHD_Connection *connection;
	struct door_question question;
	enum http_page page;
	bool older_text, answered;
	int status;
	struct strbuf body;
	char content_type[96];
};

static void turn(struct server *s);

/* --- answers ---------------------------------------------------------------------------------- */

static enum MHD_Result respond(struct server *s, struct MHD_Connection *connection, int status,
			       const char *content_type, const char *body, size_t n)
{
	const struct http_library *l = &s->library;
	struct MHD_Response *r = l->create_response_from_buffer(
		n, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result queued;

	if (r == NULL)
		return MHD_NO;
	l->add_response_header(r, "Content-Type", content_type);
	l->add_response_header(r, "Cache-Control", "no-store");
	l->add_response_header(r, "X-Content-Type-Options", "nosniff");
	l->add_response_header(r, "Content-Security-Policy", "default-src 'none'");
	if (status == 401)
		l->add_response_header(r, "WWW-Authenticate", "Bearer");
	if (status == 405)
		l->add_response_header(r, "Allow", "GET, HEAD");
	if (status == 503)
		l->add_response_header(r, "Retry-After", "1");
	if (status == 400)
		l->add_response_header(r, "Connection", "close");
	queued = l->queue_response(connection, (unsigned)status, r);
	l->destroy_response(r);
	return queued;
}

static enum MHD_Result refuse(struct server *s, struct MHD_Connection *connection, int status)
{
	auto_free(strbuf_fini) struct strbuf body = STRBUF_INIT;

	strbuf_addf(&body, "%d %s\n", status, http_status_text(status));
	return respond(s, connection, status, "text/plain; charset=utf-8", body.buf, body.len);
}

static void set_text(struct exchange *x, int status, const char *text)
{
	x->status = status;
	snprintf(x->content_type, sizeof(x->content_type), "text/plain; charset=utf-8");
	strbuf_reset(&x->body);
	strbuf_addf(&x->body, "%s\n", text);
}

static void set_answer(struct exchange *x, const json_t *answer)
{
	const json_t *result = json_object_get(answer, "result");
	const char *why = json_string_value(json_object_get(json_object_get(answer, "error"),
							    "message"));
	const char *text = json_string_value(json_object_get(result, "text"));
	const char *type = json_string_value(json_object_get(result, "content_type"));

	if (answer == NULL)
		set_text(x, 503, "procd is not there");
	else if (result == NULL)
		set_text(x, 503, why != NULL ? why : "procd's answer cannot be read");
	else if (x->page == HTTP_HEALTH)
		set_text(x, 200, "ok");
	else if (text == NULL || type == NULL)
		set_text(x, 503, "procd's answer cannot be read");
	else {
		x->status = 200;
		snprintf(x->content_type, sizeof(x->content_type), "%s", type);
		strbuf_add(&x->body, text, json_string_length(json_object_get(result, "text")));
	}
}

static void on_answer(struct door_question *q, const json_t *answer)
{
	struct exchange *x = container_of(q, struct exchange, question);
	struct server *s = x->server;

	set_answer(x, answer);
	x->answered = true;
	list_remove(&x->link);
	s->library.resume_connection(x->connection);
	/* nobody else would wake the library */
	if (!s->stopping)
		loop_timer_set(&s->next, 0);
}

/* --- requests --------------------------------------------------------------------------------- */

static enum MHD_Result note_header(void *ctx, enum MHD_ValueKind kind, const char *name,
				   const char *value)
{
	struct http_request *r = ctx;
	const char **field = NULL;

	(void)kind;
	if (strcasecmp(name, "Host") == 0)
		field = &r->host;
	else if (strcasecmp(name, "Authorization") == 0)
		field = &r->authorization;
	else if (strcasecmp(name, "Accept") == 0 && r->accept == NULL)
		r->accept = value;
	else if (strcasecmp(name, "Transfer-Encoding") == 0)
		r->body = true;
	else if (strcasecmp(name, "Content-Length") == 0)
		r->body |= value == NULL || strcmp(value, "0") != 0;
	if (field != NULL) {
		r->doubled |= *field != NULL;
		*field = value;
	}
	return MHD_YES;
}

static enum MHD_Result first_look(struct server *s, struct MHD_Connection *connection,
				  const char *path, const char *method, struct exchange **out)
{
	struct http_request r = { .path = path, .method = method };
	enum http_page page;
	struct exchange *x;
	int status;

	s->library.get_connection_values(connection, MHD_HEADER_KIND, note_header, &r);
	status = http_judge(&s->policy, &r, &page);
	if (status != 200)
		return refuse(s, connection, status);
	x = x_calloc(1, sizeof(*x));
	x->server = s;
	x->connection = connection;
	x->page = page;
	x->older_text = http_prefers_older_text(r.accept);
	x->question.answered = on_answer;
	strbuf_init(&x->body);
	list_init(&x->link);
	list_init(&x->question.link);
	*out = x;
	return MHD_YES;
}

/* That procd's threads answer is what its health is; the list of features costs nobody anything. */
static bool ask(struct exchange *x)
{
	struct door *d = x->server->door;

	if (x->page == HTTP_HEALTH)
		return door_ask(d, &x->question, "daemon.features", NULL);
	return door_ask(d, &x->question, "metrics.get",
			x->older_text ? json_pack("{s:s}", "format", OLDER_TEXT) : NULL);
}

/* Called with the headers, then again without more, and again when it was resumed. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **place)
{
	struct server *s = ctx;
	struct exchange *x = *place;

	(void)version;
	(void)upload;
	if (x == NULL)
		return first_look(s, connection, path, method, (struct exchange **)place);
	if (*upload_size > 0)
		return MHD_NO;	/* it was not announced */
	if (x->answered)
		return respond(s, connection, x->status, x->content_type, x->body.buf, x->body.len);
	if (!ask(x)) {
		set_answer(x, NULL);
		return respond(s, connection, x->status, x->content_type, x->body.buf, x->body.len);
	}
	list_append(&s->suspended, &x->link);
	s->library.suspend_connection(connection);
	return MHD_YES;
}

/* --- guests ----------------------------------------------------------------------------------- */

static void on_limit(struct loop_timer *t)
{
	struct guest *g = container_of(t, struct guest, limit);

	shutdown(g->fd, SHUT_RDWR);
	turn(g->server);
}

static void on_guest(void *ctx, struct MHD_Connection *connection, void **place,
		     enum MHD_ConnectionNotificationCode what)
{
	struct server *s = ctx;
	struct guest *g = *place;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (g != NULL)
			loop_timer_set(&g->limit, -1);
		free(g);
		*place = NULL;
		s->someone_left = true;
		return;
	}
	g = x_calloc(1, sizeof(*g));
	g->server = s;
	g->fd = s->library.get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->
		connect_fd;
	loop_timer_init(&g->limit, s->loop, on_limit);
	loop_timer_set(&g->limit, HTTP_REQUEST_MS * NS_PER_MS);
	*place = g;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **place,
			 enum MHD_RequestTerminationCode how)
{
	struct server *s = ctx;
	struct exchange *x = *place;
	const union MHD_ConnectionInfo *info =
		s->library.get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct guest *g = info != NULL ? info->socket_context : NULL;

	(void)how;
	if (g != NULL)
		loop_timer_set(&g->limit, HTTP_REQUEST_MS * NS_PER_MS);
	if (x == NULL)
		return;
	door_forget(&x->question);
	list_remove(&x->link);
	strbuf_fini(&x->body);
	free(x);
	*place = NULL;
}

/* --- the loop --------------------------------------------------------------------------------- */

static void turn(struct server *s)
{
	MHD_UNSIGNED_LONG_LONG ms;

	s->someone_left = false;
	s->library.run(s->daemon);
	/* at the limit it listens again one turn after there is room, and nothing would bring
	 * that */
	if (s->someone_left)
		loop_timer_set(&s->next, 0);
	else if (s->library.get_timeout(s->daemon, &ms) == MHD_YES)
		loop_timer_set(&s->next, (int64_t)MIN(ms, 3600000ULL) * NS_PER_MS);
	else
		loop_timer_set(&s->next, -1);
}

static void on_ready(struct loop_io *io, int revents)
{
	(void)revents;
	turn(container_of(io, struct server, ready));
}

static void on_next(struct loop_timer *t)
{
	turn(container_of(t, struct server, next));
}

static void complain(void *ctx, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
static void complain(void *ctx, const char *fmt, va_list ap)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	(void)ctx;
	strbuf_vaddf(&text, fmt, ap);
	while (text.len > 0 && text.buf[text.len - 1] == '\n')
		text.buf[--text.len] = '\0';
	log_debug("%s", text.buf);
}

bool server_start(struct server *s, struct ev_loop *loop, int listen_fd)
{
	const union MHD_DaemonInfo *info;

	s->loop = loop;
	list_init(&s->suspended);
	loop_io_init(&s->ready, loop, on_ready);
	loop_timer_init(&s->next, loop, on_next);
	fd_set_nonblock(listen_fd, true);
	s->daemon = s->library.start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		on_request, s, MHD_OPTION_EXTERNAL_LOGGER, complain, NULL,
		MHD_OPTION_LISTEN_SOCKET, listen_fd,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_CONNECTION_MEMORY,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_IDLE_S,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_NOTIFY_CONNECTION, on_guest, s,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_END);
	if (s->daemon == NULL)
		return false;
	info = s->library.get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL)
		return false;
	loop_io_set(&s->ready, info->epoll_fd, EV_READ);
	turn(s);
	return true;
}

void server_stop(struct server *s)
{
	s->stopping = true;
	loop_io_set(&s->ready, -1, 0);
	loop_timer_set(&s->next, -1);
	list_for_each(item, &s->suspended) {
		struct exchange *x = list_entry(item, struct exchange, link);

		door_forget(&x->question);
		on_answer(&x->question, NULL);
	}
	s->library.stop_daemon(s->daemon);
}
