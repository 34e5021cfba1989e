/* Text of the kernel, one socket per line. What is half closed by the client is still being served.
 * Source: proc_net_tcp.rst of the kernel, unix(7). */
#include "command/connections.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/util.h"

enum { TCP_STATE_ESTABLISHED = 0x01, TCP_STATE_CLOSE_WAIT = 0x08, UNIX_STATE_CONNECTED = 0x03 };

typedef bool line_matches(const char *line, const struct listen_address *a);

static int any_line(const char *path, const struct listen_address *a, line_matches *matches)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	int found = f == NULL ? -1 : 0;

	while (found == 0 && getline(&line, &room, f) > 0)
		found = matches(line, a);
	free(line);
	if (f != NULL)
		fclose(f);
	return found;
}

static void address_text(const struct listen_address *a, char out[40])
{
	const uint32_t *word = (const uint32_t *)(const void *)&a->addr.in6.sin6_addr;

	if (a->addr.any.sa_family == AF_INET)
		snprintf(out, 40, "%08X", a->addr.in.sin_addr.s_addr);
	else
		snprintf(out, 40, "%08X%08X%08X%08X", word[0], word[1], word[2], word[3]);
}

static bool tcp_line(const char *line, const struct listen_address *a)
{
	char local[40], own[40];
	unsigned port, state;

	if (sscanf(line, " %*u: %39[0-9A-F]:%x %*[0-9A-F]:%*x %x", local, &port, &state) != 3 ||
	    port != ntohs(a->addr.in.sin_port) ||
	    (state != TCP_STATE_ESTABLISHED && state != TCP_STATE_CLOSE_WAIT))
		return false;
	address_text(a, own);
	/* all zero: any address */
	return own[strspn(own, "0")] == '\0' || strcmp(own, local) == 0;
}

static bool unix_line(const char *line, const struct listen_address *a)
{
	const char *path = listen_path(a);
	unsigned state;
	int at = 0;
	size_t n;

	if (sscanf(line, "%*x: %*x %*x %*x %*x %x %*u %n", &state, &at) != 1 || at == 0 ||
	    state != UNIX_STATE_CONNECTED)
		return false;
	n = strlen(line + at);
	if (n > 0 && line[at + (int)n - 1] == '\n')
		n--;
	if (path == NULL && line[at] == '@') {
		path = a->addr.un.sun_path;
		return n == a->len - offsetof(struct sockaddr_un, sun_path) &&
		       memcmp(line + at + 1, path + 1, n - 1) == 0;
	}
	return path != NULL && strlen(path) == n && memcmp(line + at, path, n) == 0;
}

int connections_any(const struct listen_address *a)
{
	if (a->type == SOCK_DGRAM)
		return 0;
	if (a->addr.any.sa_family == AF_UNIX)
		return any_line("/proc/net/unix", a, unix_line);
	return any_line(a->addr.any.sa_family == AF_INET ? "/proc/net/tcp" : "/proc/net/tcp6", a,
			tcp_line);
}
