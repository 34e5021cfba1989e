/* sun_path is short; /proc/self/fd/N/NAME names the same socket. */
#include "control/address.h"

#include <errno.h>
#include <fcntl.h>

#include "base/alloc.h"
#include "base/fd.h"

int socket_address(const char *path, struct sockaddr_un *addr, int *dirfd)
{
	const char *slash = strrchr(path, '/');
	auto_free(freep) char *dir = NULL;
	int n;

	*dirfd = -1;
	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(addr->sun_path, sizeof(addr->sun_path), "%s", path);
	if (n > 0 && (size_t)n < sizeof(addr->sun_path))
		return 0;
	if (n == 0 || !slash)
		return n == 0 ? -EINVAL : -ENAMETOOLONG;
	dir = x_strndup(path, (size_t)(slash - path) + 1);
	*dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*dirfd < 0)
		return -errno;
	n = snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d/%s", *dirfd,
		     slash + 1);
	if ((size_t)n < sizeof(addr->sun_path))
		return 0;
	close(*dirfd);
	*dirfd = -1;
	return -ENAMETOOLONG;
}

int socket_connect(const char *path, int flags)
{
	auto_free(closep) int dirfd = -1;
	struct sockaddr_un addr;
	int rc = socket_address(path, &addr, &dirfd), fd;

	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}
