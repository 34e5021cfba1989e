/* A name ends at the first '='; a path may hold one, so what stands before it must look like a
 * name. */
#include "config/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#define FORMS "tcp:ADDRESS:PORT, udp:ADDRESS:PORT or unix:/PATH"

const char *listen_address_text(const char *text)
{
	size_t n = strcspn(text, "=:/");

	return text[n] == '=' ? text + n + 1 : text;
}

static int wrong(struct strbuf *why, const char *what)
{
	strbuf_addstr(why, what);
	return -EINVAL;
}

static int parse_name(const char *text, size_t n, struct strbuf *why)
{
	if (n == 0 || n > LISTEN_NAME_MAX)
		return wrong(why, "the name before '=' has 1 to 255 characters");
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] >= 0x7f)
			return wrong(why,
				     "the name before '=' has printable ASCII characters only");
	return 0;
}

static int parse_port(const char *text, in_port_t *port, struct strbuf *why)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n > UINT16_MAX)
		return wrong(why, "the port is a number from 0 to 65535 (0: any free one)");
	*port = htons((in_port_t)n);
	return 0;
}

/* HOST:PORT or [HOST]:PORT. */
static int parse_inet(const char *text, struct listen_address *a, struct strbuf *why)
{
	const char *colon = strrchr(text, ':');
	bool bracket = text[0] == '[';
	char host[INET6_ADDRSTRLEN + 1];
	size_t n;

	if (colon == NULL || (bracket && (colon == text + 1 || colon[-1] != ']')))
		return wrong(why, "expected " FORMS);
	n = (size_t)(colon - text) - 2 * (size_t)bracket;
	if (n == 0 || n >= sizeof(host))
		return wrong(why,
			     "expected an address before the port: 127.0.0.1, 0.0.0.0 for all, "
			     "[::1], [::] for all");
	memcpy(host, text + bracket, n);
	host[n] = '\0';
	if (bracket && inet_pton(AF_INET6, host, &a->addr.in6.sin6_addr) == 1) {
		a->addr.in6.sin6_family = AF_INET6;
		a->len = sizeof(a->addr.in6);
		return parse_port(colon + 1, &a->addr.in6.sin6_port, why);
	}
	if (!bracket && inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
				  &a->addr.in.sin_addr) == 1) {
		a->addr.in.sin_family = AF_INET;
		a->len = sizeof(a->addr.in);
		return parse_port(colon + 1, &a->addr.in.sin_port, why);
	}
	return wrong(why,
		     "the address is a number: 127.0.0.1, 0.0.0.0 for all, [::1], [::] for all");
}

static int parse_unix(const char *path, struct listen_address *a, struct strbuf *why)
{
	size_t n = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || n < 2)
		return wrong(why,
			     "the path of a socket begins with '/' (or with '@' in the abstract "
			     "namespace)");
	if (n >= sizeof(a->addr.un.sun_path))
		return wrong(why, "the path of a socket has at most 107 bytes");
	a->addr.un.sun_family = AF_UNIX;
	memcpy(a->addr.un.sun_path, path, n + 1);
	a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (path[0] == '/'));
	if (path[0] == '@')
		a->addr.un.sun_path[0] = '\0';
	return 0;
}

int listen_parse(const char *text, struct listen_address *out, struct strbuf *why)
{
	const char *address = listen_address_text(text);
	struct listen_address a = { .type = SOCK_STREAM };
	int r = 0;

	if (address != text)
		r = parse_name(text, (size_t)(address - text) - 1, why);
	if (r < 0)
		return r;
	if (strncmp(address, "unix:", 5) == 0)
		r = parse_unix(address + 5, &a, why);
	else if (strncmp(address, "tcp:", 4) == 0)
		r = parse_inet(address + 4, &a, why);
	else if (strncmp(address, "udp:", 4) == 0)
		r = parse_inet(address + 4, &a, why);
	else
		r = wrong(why, "expected " FORMS ", with an optional NAME= before it");
	if (strncmp(address, "udp:", 4) == 0)
		a.type = SOCK_DGRAM;
	if (r == 0 && out != NULL)
		*out = a;
	return r;
}

void listen_format(const struct listen_address *a, struct strbuf *out)
{
	const char *kind = a->type == SOCK_DGRAM ? "udp" : "tcp";
	char host[INET6_ADDRSTRLEN];

	switch (a->addr.any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &a->addr.in.sin_addr, host, sizeof(host));
		strbuf_addf(out, "%s:%s:%u", kind, host, ntohs(a->addr.in.sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &a->addr.in6.sin6_addr, host, sizeof(host));
		strbuf_addf(out, "%s:[%s]:%u", kind, host, ntohs(a->addr.in6.sin6_port));
		break;
	default: {
		size_t n = a->len - offsetof(struct sockaddr_un, sun_path);
		bool abstract = n > 0 && a->addr.un.sun_path[0] == '\0';

		strbuf_addstr(out, "unix:");
		if (abstract)
			strbuf_addch(out, '@');
		strbuf_add(out, a->addr.un.sun_path + abstract,
			   abstract ? n - 1 : strnlen(a->addr.un.sun_path, n));
	}
	}
}

const char *listen_path(const struct listen_address *a)
{
	return a->addr.any.sa_family == AF_UNIX && a->addr.un.sun_path[0] != '\0' ?
	       a->addr.un.sun_path : NULL;
}
