/* The socket file. It is made under a temporary name beside its place, with mode and group set, and
 * renamed when it listens: nobody can connect to it half made, and a stale one is replaced in one
 * step. Who may connect is not yet who may do what: that is decided per request (access.h). */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "control/access.h"
#include "control/address.h"
#include "control/control.h"

#define BACKLOG 64
#define TEMPORARY ".new"

/* What is at PATH now? 0: nothing, or a socket that nobody serves. */
static int check_place(const char *path, struct error *e)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) < 0) {
		if (errno == ENOENT)
			return 0;
		error_set(e, ERROR_IO, errno, "control socket %s", path);
		return -e->errnum;
	}
	if (!S_ISSOCK(st.st_mode)) {
		error_set(e, ERROR_IO, 0, "control socket %s: something else is in its place "
			  "(not a socket); remove it or set control.socket", path);
		return -EEXIST;
	}
	fd = socket_connect(path, 0);
	if (fd == -ECONNREFUSED || fd == -ENOENT)
		return 0;
	if (fd < 0 && fd != -EAGAIN) {
		error_set(e, ERROR_IO, -fd, "control socket %s: cannot tell whether it is served",
			  path);
		return fd;
	}
	if (fd >= 0)
		close(fd);
	error_set(e, ERROR_IO, 0, "control socket %s: another process is serving it%s", path,
		  fd < 0 ? ", and does not answer (EAGAIN)" : "");
	return -EADDRINUSE;
}

/* The mode 0600 with a group configured would lock that group out, so it opens the door for them;
 * any other mode is taken as it was written. */
static mode_t effective_mode(const struct config *config)
{
	gid_t operate = config->control.gid, look = config->control.read_gid;
	mode_t mode = (mode_t)config->control.mode;

	if (mode != 0600 || (operate == GROUP_NONE && look == GROUP_NONE))
		return mode;
	if (operate == GROUP_NONE || look == GROUP_NONE || operate == look)
		return 0660;
	return 0666;	/* one file has one group */
}

/* Where the socket is to be. Refused when another user could put his own in its place: clients
 * would tell him what they mean for procd. */
static int enter_place(const char *path, struct path_parent *dir, struct error *e)
{
	int rc = path_parent_open(AT_FDCWD, path, 0, dir);

	if (rc == 0 && dir->others_may_replace) {
		close(dir->fd);
		rc = -EPERM;
	}
	if (rc < 0)
		error_set(e, rc == -EPERM || rc == -ELOOP ? ERROR_IO_PERMISSION : ERROR_IO, 0,
			  "control socket %s: %s", path, rc == -EPERM ?
			  "refused: its directory can be changed by another user" : file_refusal(rc));
	return rc;
}

/* Bound to NAME in DIR, owned and permitted as configured, listening. */
static int make_socket(const struct path_parent *dir, const char *name, const struct config *config,
		       struct error *e)
{
	gid_t gid = config->control.gid != GROUP_NONE ? config->control.gid :
		config->control.read_gid;
	auto_free(freep) char *temporary = x_asprintf("%s" TEMPORARY, config->control.socket);
	auto_free(closep) int dirfd = -1;
	struct sockaddr_un addr;
	int fd, rc = socket_address(temporary, &addr, &dirfd);

	if (rc < 0) {
		error_set(e, ERROR_IO, -rc, "control socket %s", config->control.socket);
		return rc;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		error_set(e, ERROR_IO, errno, "control socket");
		return -e->errnum;
	}
	/* The mode of the unbound socket becomes the file's: closed from its first moment. Nobody
	 * but us changes names in this directory, so what is there now is what was bound. */
	if (fchmod(fd, 0600) == 0 &&
	    bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0 &&
	    (gid == GROUP_NONE ||
	     fchownat(dir->fd, name, (uid_t)-1, gid, AT_SYMLINK_NOFOLLOW) == 0) &&
	    fchmodat(dir->fd, name, effective_mode(config), 0) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	rc = -errno;
	if (rc == -EADDRINUSE)
		error_set(e, ERROR_IO_PERMISSION, -rc, "control socket %s: %s is in the way and "
			  "belongs to another user", config->control.socket, temporary);
	else
		error_set(e, rc == -EPERM || rc == -EACCES ? ERROR_IO_PERMISSION : ERROR_IO, -rc,
			  "control socket %s", config->control.socket);
	close(fd);
	return rc;
}

int control_listen(const struct config *config, struct error *e)
{
	const char *path = config->control.socket;
	auto_free(freep) char *temporary = NULL;
	auto_free(closep) int dirfd = -1;
	struct path_parent dir;
	int fd, rc = enter_place(path, &dir, e);

	if (rc < 0)
		return rc;
	dirfd = dir.fd;
	rc = check_place(path, e);
	if (rc < 0)
		return rc;
	temporary = x_asprintf("%s" TEMPORARY, dir.name);
	unlinkat(dirfd, temporary, 0);
	fd = make_socket(&dir, temporary, config, e);
	if (fd >= 0 && renameat(dirfd, temporary, dirfd, dir.name) == 0)
		return fd;
	rc = fd;
	if (fd >= 0) {
		rc = -errno;
		error_set(e, ERROR_IO, errno, "control socket %s", path);
		close(fd);
	}
	unlinkat(dirfd, temporary, 0);
	return rc;
}

/* The kernel remembers the name that was bound. One through a descriptor says nothing later. */
char *control_listen_path(int fd)
{
	static const char through_fd[] = "/proc/self/fd/";
	const size_t tail = sizeof(TEMPORARY) - 1;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(addr);
	size_t n;

	if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		return NULL;
	n = strnlen(addr.sun_path, sizeof(addr.sun_path));
	if (n <= tail || memcmp(addr.sun_path + n - tail, TEMPORARY, tail) != 0 ||
	    strncmp(addr.sun_path, through_fd, sizeof(through_fd) - 1) == 0)
		return NULL;
	return x_strndup(addr.sun_path, n - tail);
}
