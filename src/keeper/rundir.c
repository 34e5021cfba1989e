/* Making sure that the run directory is ours alone.
 *
 * The way to it is walked with distrust (base/path.h), and the directory itself must be our own and
 * nobody else's to write to. The instance lock is an open file description lock on a file that is
 * never truncated before it is held: a pid in a file proves nothing, a held lock does. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/child.h"
#include "keeper/rundir.h"

#define LOCK_FILE "lock"
#define LOCK_TRIES 16
#define HOLDER_TRIES 20
#define HEIR_TRIES 200		/* 2 s, for a disk from which a program is slow to load */

/* --- the place -------------------------------------------------------------------------------- */

/* 0; -EPERM: it is not; another -errno: nobody can tell. */
static int ours_alone(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)) ? 0 : -EPERM;
}

/* Returns the open directory or -errno; *UNSAFE when the reason is distrust. */
static int place_open(const char *path, bool *created, bool *unsafe)
{
	auto_free(closep) int parent_fd = -1;
	mode_t mode = geteuid() == 0 ? 0755 : 0700;
	struct path_parent parent;
	int fd, ret;

	*unsafe = false;
	if (path[0] != '/')
		return -EINVAL;
	fd = path_parent_open(AT_FDCWD, path, PATH_MAKE | PATH_FOLLOW_LAST, &parent);
	if (fd < 0) {
		*unsafe = fd == -ELOOP || fd == -EPERM;
		return fd;
	}
	parent_fd = parent.fd;
	*created = mkdirat(parent_fd, parent.name, mode) == 0;
	if (!*created && errno != EEXIST)
		return -errno;
	fd = openat(parent_fd, parent.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = ours_alone(fd);
	if (ret == 0)
		return fd;
	close(fd);
	*unsafe = ret == -EPERM;
	return ret;
}

/* --- the lock --------------------------------------------------------------------------------- */

static const struct timespec holder_pause = { .tv_nsec = 10 * 1000 * 1000 };

/* 0: there is none, or not all of it. */
static pid_t pid_read(int fd)
{
	char text[16];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[MAX(n, 0)] = '\0';
	return n > 0 && text[n - 1] == '\n' ? (pid_t)strtol(text, NULL, 10) : 0;
}

/* The holder writes its pid right after it got the lock: wait a moment for it. */
static pid_t holder_read(int fd)
{
	for (int i = 0; i < HOLDER_TRIES; i++) {
		pid_t pid = pid_read(fd);

		if (pid != 0)
			return pid;
		nanosleep(&holder_pause, NULL);
	}
	return 0;
}

/* Is the file that we locked still the one that the name leads to? Its holder removes it at the
 * end, and a lock on a removed file excludes nobody. */
static bool lock_current(int dirfd, int fd)
{
	struct stat ours, named;

	return fstat(fd, &ours) == 0 &&
	       fstatat(dirfd, LOCK_FILE, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

static int pid_write(int fd)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (ftruncate(fd, 0) < 0)
		return -errno;
	return fd_write_all(fd, text, (size_t)n);
}

/* The child that a killed keeper was just making holds the lock, too, until it has executed its
 * program: what a dead holder left is waited for. -1 with errno; EAGAIN or EACCES: *HOLDER has
 * it. */
static int lock_take(int fd, pid_t *holder)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int err;

	for (int i = 0; i < HEIR_TRIES; i++) {
		if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
			return 0;
		err = errno;
		if (err != EAGAIN && err != EACCES)
			return -1;
		*holder = holder_read(fd);
		if (*holder <= 0 || kill(*holder, 0) == 0 || errno != ESRCH)
			break;
		nanosleep(&holder_pause, NULL);
	}
	errno = err;
	return -1;
}

static enum setup_stage rundir_lock(struct rundir *d, int *errnum, pid_t *holder)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		int fd = file_open_owned(d->fd, LOCK_FILE, O_RDWR, 0600);

		if (fd < 0) {
			*errnum = -fd;
			return SETUP_LOCK;
		}
		if (lock_take(fd, holder) < 0) {
			*errnum = errno;
			close(fd);
			return *errnum == EAGAIN || *errnum == EACCES ? SETUP_LOCKED : SETUP_LOCK;
		}
		if (lock_current(d->fd, fd)) {
			*holder = pid_read(fd);
			d->lock_fd = dup3(fd, LOW_LOCK, O_CLOEXEC);
			*errnum = d->lock_fd < 0 ? errno : -pid_write(fd);
			close(fd);
			return *errnum == 0 ? SETUP_OK : SETUP_LOCK;
		}
		close(fd);
	}
	*errnum = EBUSY;
	return SETUP_LOCK;
}

enum setup_stage rundir_open(struct rundir *d, const char *path, int *errnum, pid_t *holder)
{
	bool unsafe;
	int fd = place_open(path, &d->created, &unsafe);

	*holder = 0;
	if (fd < 0 || dup3(fd, LOW_RUN_DIR, O_CLOEXEC) < 0) {
		*errnum = fd < 0 ? -fd : errno;
		closep(&fd);
		return unsafe ? SETUP_RUN_DIR_UNSAFE : SETUP_RUN_DIR;
	}
	close(fd);
	d->fd = LOW_RUN_DIR;
	memcpy(d->path, path, strlen(path) + 1);
	return rundir_lock(d, errnum, holder);
}

void rundir_identity(const struct rundir *d, char *out, size_t cap)
{
	struct stat st = { 0 };

	fstat(d->fd, &st);
	snprintf(out, cap, "%ju:%ju %s", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino, d->path);
}

enum setup_stage rundir_pid_file(struct rundir *d, const char *path, int *errnum)
{
	struct path_parent dir;
	int ret;

	if (path[0] == '\0')
		return SETUP_OK;
	ret = path_parent_open(AT_FDCWD, path, 0, &dir);
	if (ret < 0) {
		*errnum = -ret;
		return SETUP_PID_FILE;
	}
	/* scripts act on the number in it: nobody else may be able to put another file there */
	d->pid_fd = dir.others_may_replace ? -EPERM : file_open_in(&dir, O_RDWR, 0644);
	close(dir.fd);
	*errnum = d->pid_fd < 0 ? -d->pid_fd : -pid_write(d->pid_fd);
	if (*errnum != 0)
		return SETUP_PID_FILE;
	memcpy(d->pid_file, path, strlen(path) + 1);
	return SETUP_OK;
}

/* --- the end ---------------------------------------------------------------------------------- */

static void pid_file_remove(struct rundir *d)
{
	struct stat ours, named;

	if (d->pid_fd < 0)
		return;
	if (fstat(d->pid_fd, &ours) == 0 && lstat(d->pid_file, &named) == 0 &&
	    ours.st_ino == named.st_ino && ours.st_dev == named.st_dev &&
	    holder_read(d->pid_fd) == getpid())
		unlink(d->pid_file);
	closep(&d->pid_fd);
	d->pid_fd = -1;
}

void rundir_close(struct rundir *d)
{
	pid_file_remove(d);
	if (d->lock_fd >= 0) {
		unlinkat(d->fd, LOCK_FILE, 0);
		if (d->created)
			rmdir(d->path);
		dup3(LOW_NULL, LOW_LOCK, O_CLOEXEC);	/* lets go; the number stays taken */
	}
	d->lock_fd = -1;
	d->fd = -1;
}
