/* The web role: a process of its own that procd supervises as procd.http. */
#ifndef HTTP_ROLE_H
#define HTTP_ROLE_H

#include <stdbool.h>
#include <sys/types.h>

struct http_role {
	const char *name;	/* of the procd that it belongs to */
	uid_t owner;		/* whose processes may be that procd */
	bool token;		/* standard input is the file with the token */
};

/* Serve until SIGTERM. The descriptors are those that sd_listen_fds(3) tells of: 3 is the world, 4
 * is where procd connects; a line into 5 says that it is ready. Returns the exit code; what is
 * wrong was said on standard error. */
int http_role_run(const struct http_role *role);

#endif
