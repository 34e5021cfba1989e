/* The file of a unix socket is as if its user had bound it: that owner, and the mode that its umask
 * leaves. The mode is there from the first moment; the owner is changed through a descriptor of the
 * file itself, looked at before, because the directory may belong to others, who can put any name
 * in its place. Source: unix(7). */
#include "command/socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

void socket_file_know(struct socket_file *f, const struct listen_address *a)
{
	struct stat st;

	f->known = lstat(listen_path(a), &st) == 0 && S_ISSOCK(st.st_mode);
	if (f->known) {
		f->dev = st.st_dev;
		f->ino = st.st_ino;
	}
}

void socket_file_remove(const struct socket_file *f, const struct listen_address *a)
{
	struct socket_file now;

	if (!f->known)
		return;
	socket_file_know(&now, a);
	if (now.known && now.dev == f->dev && now.ino == f->ino)
		unlink(listen_path(a));
}

/* Does somebody listen there? A file that nobody listens on any more is removed. 0 or -errno. */
static int clear_path(const struct listen_address *a)
{
	auto_free(closep) int fd = socket(AF_UNIX, a->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const char *path = listen_path(a);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EADDRINUSE;
	if (connect(fd, &a->addr.any, a->len) == 0 || errno == EAGAIN)
		return -EADDRINUSE;
	if (errno == ECONNREFUSED && unlink(path) < 0)
		return -errno;
	return errno == ECONNREFUSED || errno == ENOENT ? 0 : -errno;
}

/* Where it is the file that was just made, and nothing that was put there. */
static int give_away(const char *path, uid_t uid, gid_t gid)
{
	auto_free(closep) int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid == uid && st.st_gid == gid)
		return 0;
	if (!S_ISSOCK(st.st_mode) || st.st_nlink != 1 || st.st_uid != geteuid())
		return -EPERM;
	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int socket_file_bind(int fd, const struct listen_address *a, const struct socket_owner *o)
{
	mode_t before;
	int r = clear_path(a);

	if (r < 0)
		return r;
	if (fchmod(fd, o->mode) < 0)
		return -errno;
	/* the whole process has one; all that the other threads make has its mode said outright */
	before = umask(0);
	r = bind(fd, &a->addr.any, a->len) < 0 ? -errno : 0;
	umask(before);
	if (r == 0 && o->set_ids)
		r = give_away(listen_path(a), o->uid, o->gid);
	else if (r < 0)
		return r;
	if (r == 0 && a->type == SOCK_STREAM && listen(fd, SOMAXCONN) < 0)
		r = -errno;
	if (r < 0)
		unlink(listen_path(a));
	return r;
}
