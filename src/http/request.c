/* The rules of the door to the world, apart from any socket. Whatever does not clearly belong here
 * is refused by a status, and procd never hears of it. */
#include "http/request.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"

/* --- Host ------------------------------------------------------------------------------------- */

/* Without its port. False: it is none. */
static bool host_part(const char *host, char *out, size_t size)
{
	const char *end;
	size_t n;

	if (host[0] == '[') {
		end = strchr(host, ']');
		if (end == NULL)
			return false;
		host++;
		n = (size_t)(end - host);
		end++;
	} else {
		n = strcspn(host, ":");
		end = host + n;
	}
	if (n == 0 || n >= size)
		return false;
	if (*end == ':')
		end += 1 + strspn(end + 1, "0123456789");
	if (*end != '\0')
		return false;
	memcpy(out, host, n);
	out[n] = '\0';
	return true;
}

static bool is_address(const char *name, bool loopback_only)
{
	struct in_addr four;
	struct in6_addr six;

	if (inet_pton(AF_INET, name, &four) == 1)
		return !loopback_only || ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET;
	if (inet_pton(AF_INET6, name, &six) == 1)
		return !loopback_only || IN6_IS_ADDR_LOOPBACK(&six);
	return false;
}

bool http_host_is_ours(const struct http_policy *policy, const char *host)
{
	char name[256];
	size_t n;

	if (host == NULL || !host_part(host, name, sizeof(name)))
		return false;
	if (strcasecmp(name, "localhost") == 0 || is_address(name, policy->this_machine))
		return true;
	if (policy->this_machine || policy->host_name == NULL || *policy->host_name == '\0')
		return false;
	n = strcspn(policy->host_name, ".");
	return strncasecmp(name, policy->host_name, n) == 0 && (name[n] == '\0' || name[n] == '.');
}

/* --- the token -------------------------------------------------------------------------------- */

static bool is_token_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~+/=", c) != NULL);
}

/* Fewer, if it is no random text; but nobody can see that. */
static size_t bits_at_most(const char *text, size_t n)
{
	bool hex = true;

	for (size_t i = 0; i < n; i++)
		hex = hex && strchr("0123456789abcdefABCDEF", text[i]) != NULL;
	return n * (hex ? 4 : 6);
}

char *http_token_read(const char *text, size_t n, const char **why)
{
	if (n > 0 && text[n - 1] == '\n')
		n--;
	if (n > 0 && text[n - 1] == '\r')
		n--;
	*why = NULL;
	if (n == 0)
		*why = "it is empty";
	else if (n > HTTP_TOKEN_MAX)
		*why = "it is longer than 512 bytes";
	for (size_t i = 0; i < n && *why == NULL; i++)
		if (!is_token_character(text[i]))
			*why = "it is one line of letters, digits and -._~+/=";
	if (*why == NULL && bits_at_most(text, n) < HTTP_TOKEN_BITS)
		*why = "it can be guessed: less than 128 bits (try `openssl rand -hex 16`)";
	return *why == NULL ? x_strndup(text, n) : NULL;
}

bool http_token_shown(const char *token, const char *authorization)
{
	size_t n = strlen(token), shown;
	unsigned char differ;

	if (authorization == NULL || strncasecmp(authorization, "Bearer ", 7) != 0)
		return false;
	authorization += 7;
	authorization += strspn(authorization, " ");
	shown = strlen(authorization);
	differ = shown != n;
	for (size_t i = 0; i < shown; i++)
		differ |= (unsigned char)((unsigned char)authorization[i] ^
					  (unsigned char)token[i % n]);
	return differ == 0;
}

/* --- Accept ----------------------------------------------------------------------------------- */

/* "0.35" as thousandths; 0: it is no such number. */
static int thousandths(const char *text, size_t n)
{
	int q = 0, unit = 100;

	if (n == 0 || text[0] != '0')
		return n > 0 && text[0] == '1' ? 1000 : 0;
	for (size_t i = 2; i < n && text[1] == '.' && text[i] >= '0' && text[i] <= '9'; i++) {
		q += (text[i] - '0') * unit;
		unit /= 10;
	}
	return q;
}

/* Of the N bytes of a range: ";q=0.5" in thousandths; 1000: it is not there. */
static int quality(const char *text, size_t n)
{
	for (size_t i = 1; i + 1 < n; i++)
		if ((text[i] == 'q' || text[i] == 'Q') && text[i + 1] == '=' &&
		    (text[i - 1] == ';' || text[i - 1] == ' '))
			return thousandths(text + i + 2, n - i - 2);
	return 1000;
}

/* How gladly TYPE is taken: the closest range that names it decides. */
static int taken(const char *accept, const char *type)
{
	size_t major = strcspn(type, "/") + 1;
	int best = 0, rank = 0;

	for (const char *at = accept; *at != '\0';) {
		size_t n = strcspn(at, ","), name, skip = strspn(at, " \t");
		int r;

		skip = skip < n ? skip : n;
		name = strcspn(at + skip, "; \t,");
		if (name == strlen(type) && strncasecmp(at + skip, type, name) == 0)
			r = 3;
		else if (name == major + 1 && strncasecmp(at + skip, type, major) == 0 &&
			 at[skip + major] == '*')
			r = 2;
		else
			r = name == 3 && strncmp(at + skip, "*/*", 3) == 0;
		if (r > rank || (r == rank && r > 0 && quality(at, n) > best)) {
			rank = r;
			best = quality(at, n);
		}
		at += n + (at[n] == ',');
	}
	return best;
}

bool http_prefers_older_text(const char *accept)
{
	return accept != NULL &&
	       taken(accept, "text/plain") > taken(accept, "application/openmetrics-text");
}

/* --- all of it -------------------------------------------------------------------------------- */

int http_judge(const struct http_policy *policy, const struct http_request *r, enum http_page *page)
{
	if (r->doubled)
		return 400;
	if (!http_host_is_ours(policy, r->host))
		return 421;
	if (policy->token != NULL && !http_token_shown(policy->token, r->authorization))
		return 401;
	if (strcmp(r->path, "/metrics") == 0)
		*page = HTTP_METRICS;
	else if (strcmp(r->path, "/healthz") == 0)
		*page = HTTP_HEALTH;
	else
		return 404;
	if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0)
		return 405;
	return r->body ? 400 : 200;
}

const char *http_status_text(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 421:
		return "Misdirected Request";
	case 503:
		return "Service Unavailable";
	default:
		return "Internal Server Error";
	}
}
