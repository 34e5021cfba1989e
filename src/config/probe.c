/* The grammar of probes. A probe asks a program on this machine, so hosts are numeric addresses or
 * localhost: a name service that is slow or down must neither delay a probe nor look like a program
 * that is ill. */
#include "config/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>

#include "base/alloc.h"
#include "base/text.h"

#define TARGET_MAX 1024		/* of an HTTP request */
#define FD_MIN 3		/* the three below are the standard streams */
#define FD_MAX 1023
#define HTTP_PORT 80

ENUMTEXT(probe_kind, "probe",
	 [PROBE_EXEC] = "exec", [PROBE_NOTIFY] = "notify", [PROBE_FD] = "fd:N",
	 [PROBE_TCP] = "tcp:HOST:PORT", [PROBE_UNIX] = "unix:PATH",
	 [PROBE_HTTP] = "http://HOST[:PORT]/PATH", [PROBE_COMMAND] = "command:COMMAND",
	 [PROBE_LOG] = "log:REGEX");

struct reader {
	const char *text;
	struct strbuf *why;
};

static int fail(const struct reader *r, const char *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
static int fail(const struct reader *r, const char *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(r->why, fmt, ap);
	va_end(ap);
	strbuf_addf(r->why, " (at character %zu of the probe)", (size_t)(at - r->text) + 1);
	return -EINVAL;
}

/* --- the parts ------------------------------------------------------------------------------ */

/* The N bytes at P. */
static int read_number(const struct reader *r, const char *p, size_t n, int min, int max,
		       const char *what, int *out)
{
	bool number = n > 0 && n <= 6 && strspn(p, "0123456789") >= n;

	if (!number || atoi(p) < min || atoi(p) > max)
		return fail(r, p, "the %s is a number from %d to %d, not \"%.*s\"", what, min, max,
			    (int)MIN(n, (size_t)40), p);
	*out = atoi(p);
	return 0;
}

static int read_fd(const struct reader *r, const char *p, struct probe_option *out)
{
	return read_number(r, p, strlen(p), FD_MIN, FD_MAX, "descriptor", &out->fd);
}

/* HOST or [HOST] at *P; goes behind it. */
static int read_host(const struct reader *r, const char **p, struct probe_option *out)
{
	bool brackets = **p == '[';
	const char *host = *p + brackets;
	size_t n = strcspn(host, brackets ? "]" : ":/?#");
	unsigned char address[sizeof(struct in6_addr)];

	if (brackets && host[n] == '\0')
		return fail(r, *p, "the bracket is not closed");
	if (n == 0)
		return fail(r, *p, "the host is missing");
	free(out->host);
	out->host = x_strndup(host, n);
	*p = host + n + brackets;
	if (brackets ? inet_pton(AF_INET6, out->host, address) != 1 :
	    inet_pton(AF_INET, out->host, address) != 1 && strcmp(out->host, "localhost") != 0)
		return fail(r, host, "\"%.80s\" is no address: write one such as 127.0.0.1 or "
			    "[::1], or localhost; names are not looked up", out->host);
	return 0;
}

static int read_port(const struct reader *r, const char *p, size_t n, struct probe_option *out)
{
	return read_number(r, p, n, 1, UINT16_MAX, "port", &out->port);
}

static int read_tcp(const struct reader *r, const char *p, struct probe_option *out)
{
	const char *host = p;

	if (*p != '[' && strchr(p, ':') != strrchr(p, ':'))
		return fail(r, p, "an IPv6 address stands in brackets: tcp:[::1]:80");
	if (strchr(p, ':') == NULL)
		return fail(r, p + strlen(p), "write tcp:HOST:PORT");
	if (read_host(r, &p, out) < 0)
		return -EINVAL;
	if (*p != ':')
		return fail(r, p, "a colon and the port are expected behind \"%.*s\"",
			    (int)MIN(p - host, 80), host);
	return read_port(r, p + 1, strlen(p + 1), out);
}

/* N bytes at P as the name of a Unix socket: a path, or @NAME without one. */
static int read_socket(const struct reader *r, const char *p, size_t n, struct probe_option *out)
{
	if (n == 0 || (n == 1 && *p == '@'))
		return fail(r, p, "the path of the socket is missing");
	if (n >= PATH_MAX)
		return fail(r, p, "the path is longer than %d bytes", PATH_MAX - 1);
	out->socket = x_strndup(p, n);
	return 0;
}

static int read_unix(const struct reader *r, const char *p, struct probe_option *out)
{
	return read_socket(r, p, strlen(p), out);
}

static int read_target(const struct reader *r, const char *p, struct probe_option *out)
{
	if (strlen(p) > TARGET_MAX)
		return fail(r, p, "the path is longer than %d bytes", TARGET_MAX);
	for (const char *c = p; *c != '\0'; c++) {
		if (*c <= 0x20 || *c >= 0x7f)
			return fail(r, c, "blanks, control and non-ASCII characters of a path are "
				    "written as %%XX");
		if (*c == '#')
			return fail(r, c, "a '#' is no part of what a server is asked");
	}
	out->target = x_asprintf("%s%s", *p == '/' ? "" : "/", p);
	return 0;
}

/* http://HOST[:PORT][/PATH], or http://unix:SOCKET[:/PATH]. */
static int read_http(const struct reader *r, const char *p, struct probe_option *out)
{
	size_t n;

	if (strncmp(p, "unix:", 5) == 0) {
		p += 5;
		n = strcspn(p, ":");
		if (read_socket(r, p, n, out) < 0)
			return -EINVAL;
		return read_target(r, p + n + (p[n] == ':'), out);
	}
	if (read_host(r, &p, out) < 0)
		return -EINVAL;
	out->port = HTTP_PORT;
	if (*p == ':') {
		n = strcspn(p + 1, "/?#");
		if (read_port(r, p + 1, n, out) < 0)
			return -EINVAL;
		p += 1 + n;
	}
	if (*p != '\0' && *p != '/' && *p != '?')
		return fail(r, p, "a colon with the port, or a path, is expected here");
	return read_target(r, p, out);
}

static int read_command(const struct reader *r, const char *p, struct probe_option *out)
{
	size_t offset = 0;

	if (words_split(p, &out->command, &offset) < 0)
		return fail(r, p + offset, "a quote is not closed or a backslash ends the text");
	if (out->command.n == 0 || *out->command.items[0] == '\0')
		return fail(r, p, "the command is empty");
	return 0;
}

static int read_log(const struct reader *r, const char *p, struct probe_option *out)
{
	if (pattern_refused(p, r->why))
		return -EINVAL;
	out->pattern = x_strdup(p);
	return 0;
}

/* --- the whole ------------------------------------------------------------------------------ */

/* READ NULL: the word is all there is. */
static const struct form {
	const char *begin;
	int (*read)(const struct reader *r, const char *p, struct probe_option *out);
} forms[PROBE_NKINDS] = {
	[PROBE_EXEC] = { "exec", NULL }, [PROBE_NOTIFY] = { "notify", NULL },
	[PROBE_FD] = { "fd:", read_fd }, [PROBE_TCP] = { "tcp:", read_tcp },
	[PROBE_UNIX] = { "unix:", read_unix }, [PROBE_HTTP] = { "http://", read_http },
	[PROBE_COMMAND] = { "command:", read_command }, [PROBE_LOG] = { "log:", read_log },
};

bool probe_is_kind(const char *text, enum probe_kind kind)
{
	const struct form *f = &forms[kind];

	return f->read == NULL ? strcmp(text, f->begin) == 0 :
	       strncmp(text, f->begin, strlen(f->begin)) == 0;
}

/* None of the KINDS: say which there are, and which may be meant. */
static int unknown(const char *text, unsigned kinds, struct strbuf *why)
{
	auto_free(freep) char *word = x_strndup(text, strcspn(text, ":"));
	const char *begins[PROBE_NKINDS], *near = NULL;
	const char *separator = "; accepted: ";
	size_t n = 0;

	for (int i = 0; i < PROBE_NKINDS; i++)
		if (kinds & PROBE_MASK(i))
			begins[n++] = forms[i].begin;
	if (strncmp(text, "https:", 6) == 0)
		strbuf_addstr(why,
			      "https is not supported: probe the port (tcp:HOST:PORT), or have "
			      "a command ask");
	else
		strbuf_addf(why, "unknown probe \"%.60s\"", text);
	for (int i = 0; i < PROBE_NKINDS; i++)
		if (probe_is_kind(text, (enum probe_kind)i)) {
			strbuf_reset(why);
			strbuf_addf(why, "\"%.60s\" is no probe for this key", text);
			near = "";
		}
	if (near == NULL && *word != '\0') {
		auto_free(freep) char *with_colon = x_asprintf("%s:", word);

		near = text_nearest(with_colon, begins, n);
		if (near != NULL && strncmp(text, "https:", 6) != 0)
			strbuf_addf(why, " (did you mean \"%s\"?)", near);
	}
	for (int i = 0; i < PROBE_NKINDS; i++) {
		if (!(kinds & PROBE_MASK(i)))
			continue;
		strbuf_addf(why, "%s%s", separator, enumtext_name(&probe_kind_text, i));
		separator = ", ";
	}
	return -EINVAL;
}

int probe_option_parse(const char *text, unsigned kinds, struct probe_option **out,
		       struct strbuf *why)
{
	struct reader r = { .text = text, .why = why };
	struct probe_option *o;
	int kind = 0;

	while (kind < PROBE_NKINDS &&
	       !(kinds & PROBE_MASK(kind) && probe_is_kind(text, (enum probe_kind)kind)))
		kind++;
	if (kind == PROBE_NKINDS)
		return unknown(text, kinds, why);
	o = x_calloc(1, sizeof(*o));
	o->kind = (enum probe_kind)kind;
	if (forms[kind].read != NULL &&
	    forms[kind].read(&r, text + strlen(forms[kind].begin), o) < 0) {
		probe_option_free(o);
		return -EINVAL;
	}
	*out = o;
	return 0;
}

static void format_host(const struct probe_option *o, struct strbuf *out)
{
	strbuf_addf(out, strchr(o->host, ':') != NULL ? "[%s]" : "%s", o->host);
}

void probe_option_format(const struct probe_option *o, struct strbuf *out)
{
	enum probe_kind kind = o != NULL ? o->kind : PROBE_EXEC;

	strbuf_addstr(out, forms[kind].begin);
	switch (kind) {
	case PROBE_FD:
		strbuf_addf(out, "%d", o->fd);
		break;
	case PROBE_TCP:
		format_host(o, out);
		strbuf_addf(out, ":%d", o->port);
		break;
	case PROBE_UNIX:
		strbuf_addstr(out, o->socket);
		break;
	case PROBE_HTTP:
		if (o->socket != NULL) {
			strbuf_addf(out, "unix:%s:%s", o->socket, o->target);
			break;
		}
		format_host(o, out);
		if (o->port != HTTP_PORT)
			strbuf_addf(out, ":%d", o->port);
		strbuf_addstr(out, o->target);
		break;
	case PROBE_COMMAND:
		for (size_t i = 0; i < o->command.n; i++) {
			strbuf_addstr(out, i > 0 ? " " : "");
			word_quote(o->command.items[i], out);
		}
		break;
	case PROBE_LOG:
		strbuf_addstr(out, o->pattern);
		break;
	case PROBE_EXEC:
	case PROBE_NOTIFY:
	case PROBE_NKINDS:
		break;
	}
}

static bool same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool probe_option_equal(const struct probe_option *a, const struct probe_option *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->kind == b->kind && a->fd == b->fd && a->port == b->port &&
	       same(a->host, b->host) && same(a->socket, b->socket) &&
	       same(a->target, b->target) && same(a->pattern, b->pattern) &&
	       strlist_equal(&a->command, &b->command);
}

struct probe_option *probe_option_copy(const struct probe_option *o)
{
	struct probe_option *copy;

	if (o == NULL)
		return NULL;
	copy = x_malloc(sizeof(*copy));
	*copy = (struct probe_option){
		.kind = o->kind, .fd = o->fd, .port = o->port, .host = x_strdup(o->host),
		.socket = x_strdup(o->socket), .target = x_strdup(o->target),
		.pattern = x_strdup(o->pattern),
	};
	strlist_copy(&copy->command, &o->command);
	return copy;
}

void probe_option_free(struct probe_option *o)
{
	if (o == NULL)
		return;
	free(o->host);
	free(o->socket);
	free(o->target);
	free(o->pattern);
	strlist_fini(&o->command);
	free(o);
}
