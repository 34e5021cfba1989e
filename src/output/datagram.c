/* The daemon may be restarted at any time: its old socket then refuses, and the caller opens anew.
 * A line is a datagram or nothing, so none is ever torn. */
#include "output/datagram.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int datagram_open(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;

	if (fd < 0)
		return -errno;
	memcpy(sun.sun_path, path, strnlen(path, sizeof(sun.sun_path) - 1));
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

ssize_t datagram_send(int fd, const char *lines, size_t len)
{
	size_t done = 0;

	while (done < len) {
		const char *nl = memchr(lines + done, '\n', len - done);
		size_t n = nl != NULL ? (size_t)(nl - lines) - done : len - done;

		if (send(fd, lines + done, n, MSG_NOSIGNAL) >= 0)
			done += n + (nl != NULL);
		else if (errno != EINTR)
			return done > 0 ? (ssize_t)done : -errno;
	}
	return (ssize_t)done;
}
