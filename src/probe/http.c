/* Byte by byte, because a status line may come in any pieces, and with nothing stored but where we
 * are: an answer of any size costs no memory. */
#include "probe/http.h"

#define HTTP_PORT 80

/* "HTTP/1.x SSS" */
enum { AT_MINOR = 7, AT_BLANK = 8, AT_CODE = 9, AT_END = 12 };

static void garbage(struct http_answer *a)
{
	a->garbage = true;
}

static void status_end(struct http_answer *a, char c)
{
	if (c != ' ' && c != '\r' && c != '\n') {
		garbage(a);
		return;
	}
	if (a->code < 100 || a->code > 199 || a->code == 101) {
		a->status = a->code;
		return;
	}
	a->skipping = true;	/* an interim answer: the final one follows its head */
	a->blank = c == '\n';
}

static void status_byte(struct http_answer *a, char c)
{
	static const char begin[] = "HTTP/1.";
	size_t at = a->n++;

	if (at < AT_MINOR) {
		if (c != begin[at])
			garbage(a);
	} else if (at == AT_MINOR) {
		if (c < '0' || c > '9')
			garbage(a);
	} else if (at == AT_BLANK) {
		if (c != ' ')
			garbage(a);
	} else if (at < AT_END) {
		if (c < '0' || c > '9' || (at == AT_CODE && c == '0'))
			garbage(a);
		a->code = a->code * 10 + (c - '0');
	} else {
		status_end(a, c);
	}
}

/* An empty line ends the head. */
static void head_byte(struct http_answer *a, char c)
{
	if (c == '\n')
		a->blank++;
	else if (c != '\r')
		a->blank = 0;
	if (a->blank < 2)
		return;
	a->skipping = false;
	a->n = 0;
	a->code = 0;
}

bool http_read(struct http_answer *a, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n && a->status == 0 && !a->garbage; i++) {
		if (++a->total > HTTP_HEAD_MAX)
			garbage(a);
		else if (a->skipping)
			head_byte(a, bytes[i]);
		else
			status_byte(a, bytes[i]);
	}
	return a->status != 0 || a->garbage;
}

void http_request(const char *host, int port, const char *target, struct strbuf *out)
{
	strbuf_addf(out, "GET %s HTTP/1.1\r\nHost: ", target);
	if (host == NULL)
		strbuf_addstr(out, "localhost");
	else
		strbuf_addf(out, strchr(host, ':') != NULL ? "[%s]" : "%s", host);
	if (host != NULL && port != HTTP_PORT)
		strbuf_addf(out, ":%d", port);
	strbuf_addstr(out, "\r\nUser-Agent: procd\r\nAccept: */*\r\nConnection: close\r\n\r\n");
}
