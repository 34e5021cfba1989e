/* The file of a unix socket that is bound for somebody else: how it comes, and goes. The directory
 * may be on any disk, and take its time; any thread, but one at a time (it sets the umask). */
#ifndef COMMAND_SOCKET_FILE_H
#define COMMAND_SOCKET_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "config/listen.h"

/* Which file is ours. */
struct socket_file {
	bool known;
	dev_t dev;
	ino_t ino;
};

struct socket_owner {
	mode_t mode;
	bool set_ids;		/* else it is procd's */
	uid_t uid;
	gid_t gid;
};

/* Bind FD to A's path, and listen where that is a stream. What nobody listens on any more is
 * replaced. 0; or -errno, and there is no file. */
int socket_file_bind(int fd, const struct listen_address *a, const struct socket_owner *o);
/* Take the file that is at A's path for ours. */
void socket_file_know(struct socket_file *f, const struct listen_address *a);
/* Remove it, if it still is that very one. */
void socket_file_remove(const struct socket_file *f, const struct listen_address *a);

#endif
