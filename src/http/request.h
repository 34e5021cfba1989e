/* What is made of a request before anybody is asked for anything: pure, any thread. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_TOKEN_MAX 512
#define HTTP_TOKEN_BITS 128	/* at least */

enum http_page { HTTP_METRICS, HTTP_HEALTH };

/* Of a request, as the library cut it; NULL: not there. */
struct http_request {
	const char *method, *path;	/* the path without its query */
	const char *host, *authorization, *accept;
	bool doubled;			/* a header of which there is one only came twice */
	bool body;			/* it has, or announces, one */
};

struct http_policy {
	const char *token;		/* NULL: none is asked for */
	const char *host_name;		/* of this machine; NULL: not known */
	bool this_machine;		/* nobody else can connect */
};

/* The status to answer with; 200: *PAGE is what is wanted. In this order: 400 a request that could
 * mean two things, 421 a foreign Host, 401, 404, 405, 400 a body. */
int http_judge(const struct http_policy *policy, const struct http_request *r,
	       enum http_page *page);
/* Is HOST (a Host header) a name of this machine? Names that others can point here are not, because
 * a browser would follow them: an address is, where that kind of address can be used; so are
 * "localhost" and, where others can connect, the machine's own name with or without a domain. */
bool http_host_is_ours(const struct http_policy *policy, const char *host);
/* Does AUTHORIZATION (a header; NULL: none) show TOKEN? Takes as long wherever they differ.
 * Source: RFC 6750, 2.1. */
bool http_token_shown(const char *token, const char *authorization);
/* The token in a file of N bytes at TEXT: the caller frees it. NULL: *WHY (static) says what is
 * wrong. */
char *http_token_read(const char *text, size_t n, const char **why);
/* Does ACCEPT prefer the older text format to OpenMetrics? Source: RFC 9110, 12.5.1. */
bool http_prefers_older_text(const char *accept);
/* The reason phrase. */
const char *http_status_text(int status);

#endif
