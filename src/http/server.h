/* HTTP on one listening socket, by libmicrohttpd within our loop. One thread. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "http/door.h"
#include "http/library.h"
#include "http/request.h"

#define HTTP_CONNECTIONS_MAX 32
#define HTTP_CONNECTION_MEMORY (16u * 1024)	/* of one: its request line and headers, mostly */
#define HTTP_IDLE_S 10				/* without a byte */
#define HTTP_REQUEST_MS 20000			/* from one request, or the beginning, to the next */

struct server {
	struct http_library library;
	struct http_policy policy;
	struct MHD_Daemon *daemon;
	struct door *door;
	struct ev_loop *loop;
	struct loop_io ready;
	struct loop_timer next;
	struct list suspended;		/* exchanges that wait for procd */
	bool someone_left;		/* in this turn */
	bool stopping;
};

/* S->library is loaded, S->policy and S->door are set. LISTEN_FD is taken over. False: it
 * cannot. */
bool server_start(struct server *s, struct ev_loop *loop, int listen_fd);
void server_stop(struct server *s);

#endif
