/* What has to be read of the answer to an HTTP request to know its status. Pure; any thread.
 * Source: RFC 9112. */
#ifndef PROBE_HTTP_H
#define PROBE_HTTP_H

#include <stdbool.h>

#include "base/strbuf.h"

/* Bytes after which an answer without a final status is none. */
#define HTTP_HEAD_MAX (16 * 1024)

struct http_answer {
	int status;		/* final one (not 1xx, but 101); 0: not known yet */
	bool garbage;		/* it is no HTTP answer */
	/* how far it was read */
	size_t total, n;	/* bytes in all, and of the status line */
	int code;		/* digits of the status line so far */
	int blank;		/* skipping an interim head: line ends in a row */
	bool skipping;
};
#define HTTP_ANSWER_INIT { 0 }

/* Read N more bytes. True: it is known now, the rest does not matter. */
bool http_read(struct http_answer *a, const char *bytes, size_t n);

/* Append GET TARGET. HOST may be NULL (a Unix socket). The connection is to be closed. */
void http_request(const char *host, int port, const char *target, struct strbuf *out);

#endif
