/* How a listening socket is written: tcp:127.0.0.1:80, tcp:[::1]:80, udp:0.0.0.0:53,
 * unix:/run/x.sock, unix:@abstract, each with an optional "NAME=" before it. Addresses are numbers,
 * because a name would have to be asked for; "localhost" is 127.0.0.1. Pure; any thread. */
#ifndef CONFIG_LISTEN_H
#define CONFIG_LISTEN_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/strbuf.h"

#define LISTEN_MAX 32		/* sockets of one subsystem */
#define LISTEN_NAME_MAX 255	/* sd_listen_fds_with_names(3) */

struct listen_address {
	int type;		/* SOCK_STREAM or SOCK_DGRAM */
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} addr;
	socklen_t len;
};

/* The address in TEXT, behind its name if it has one. */
const char *listen_address_text(const char *text);
/* -EINVAL: *WHY says what is wrong. *OUT may be NULL. */
int listen_parse(const char *text, struct listen_address *out, struct strbuf *why);
/* The canonical text of A: two that are equal mean the same socket. */
void listen_format(const struct listen_address *a, struct strbuf *out);
/* The path of its file; NULL: it has none. */
const char *listen_path(const struct listen_address *a);

#endif
