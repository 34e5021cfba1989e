/* The name is looked at again at most every CHECK_NS, and always after a pause, so that a file that
 * was moved or deleted from outside is left within that time. As long as the new one cannot be
 * opened and the old one still has a name somewhere, lines go on into the old one.
 *
 * All calls here may block on the disk: log thread only. */
#include "output/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "output/lines.h"

#define CHECK_NS (100 * NS_PER_MS)
#define ROTATE_RETRY_NS (5 * NS_PER_SEC)
#define LOG_FILE_MODE 0640

void file_init(struct file *f, const char *path)
{
	*f = (struct file){ .path = x_strdup(path), .fd = -1, .dir.fd = -1 };
}

static void close_it(struct file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

void file_fini(struct file *f)
{
	close_it(f);
	closep(&f->dir.fd);
	free(f->path);
	f->path = NULL;
}

void file_reopen(struct file *f)
{
	f->reopen = true;
}

/* Replaces the open file only when the new one could be opened. */
static int open_it(struct file *f)
{
	struct path_parent dir;
	struct stat st;
	int fd = path_parent_open(AT_FDCWD, f->path, 0, &dir);

	if (fd < 0)
		return fd;
	fd = file_open_in(&dir, O_WRONLY, LOG_FILE_MODE);
	if (fd < 0 || fstat(fd, &st) < 0) {
		int err = fd < 0 ? fd : -errno;

		closep(&fd);
		close(dir.fd);
		return err;
	}
	close_it(f);
	closep(&f->dir.fd);
	f->dir = dir;
	f->fd = fd;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->size = (uint64_t)st.st_size;
	f->reopen = false;
	return 0;
}

/* Is the open file still the one that PATH names? Refreshes the size (it may be truncated from
 * outside). */
static int follow_name(struct file *f)
{
	struct stat now, named;
	int64_t t = clock_mono_ns();

	if (f->fd >= 0 && !f->reopen && t - f->checked_ns < CHECK_NS)
		return 0;
	f->checked_ns = t;
	if (f->fd < 0)
		return open_it(f);
	if (fstat(f->fd, &now) < 0)
		return -errno;
	f->size = (uint64_t)now.st_size;
	if (!f->reopen && now.st_nlink > 0 && stat(f->path, &named) == 0 &&
	    named.st_dev == f->dev && named.st_ino == f->ino)
		return 0;
	int err = open_it(f);

	return err < 0 && now.st_nlink > 0 ? 0 : err;
}

/* In the directory that the file was opened in, wherever its path leads by now. */
static int rename_chain(const struct file *f)
{
	char from[NAME_MAX + 24], to[NAME_MAX + 24];

	for (int64_t i = f->max_files - 1; i >= 0; i--) {
		if (i > 0)
			snprintf(from, sizeof from, "%s.%lld", f->dir.name, (long long)i);
		else
			snprintf(from, sizeof from, "%s", f->dir.name);
		snprintf(to, sizeof to, "%s.%lld", f->dir.name, (long long)i + 1);
		if (renameat(f->dir.fd, from, f->dir.fd, to) < 0 && (errno != ENOENT || i == 0))
			return -errno;
	}
	return 0;
}

static int rotate(struct file *f)
{
	if (f->max_files <= 0) {
		if (ftruncate(f->fd, 0) < 0)
			return -errno;
		f->size = 0;
		return 0;
	}
	int err = rename_chain(f);

	return err < 0 ? err : open_it(f);
}

ssize_t file_prepare(struct file *f, const char *lines, size_t len)
{
	int err = follow_name(f);

	if (err < 0)
		return err;
	if (f->max_size == 0 || f->size + len <= f->max_size)
		return (ssize_t)len;
	int64_t now = clock_mono_ns();

	if (now < f->rotate_after_ns)
		return (ssize_t)len;
	size_t room = f->size < f->max_size ? (size_t)(f->max_size - f->size) : 0;
	size_t n = lines_fitting(lines, len, room);

	if (n > 0)
		return (ssize_t)n;
	if (f->size > 0) {
		err = rotate(f);
		if (err < 0) {
			f->rotate_after_ns = now + ROTATE_RETRY_NS;
			log_warn("cannot rotate %s, going on with it: %s", f->path, strerror(-err));
			return (ssize_t)len;
		}
		n = lines_fitting(lines, len, (size_t)MIN(f->max_size, (uint64_t)len));
		if (n > 0)
			return (ssize_t)n;
	}
	/* One line that is longer than a whole file may be. */
	const char *nl = memchr(lines, '\n', len);

	return nl != NULL ? nl - lines + 1 : (ssize_t)len;
}

int file_write(struct file *f, const char *lines, size_t n)
{
	size_t done = 0;
	int err = 0;

	while (done < n && err == 0) {
		ssize_t got = write(f->fd, lines + done, n - done);

		if (got > 0)
			done += (size_t)got;
		else if (got == 0 || errno != EINTR)
			err = got == 0 ? -ENOSPC : -errno;
	}
	if (err == 0) {
		f->size += n;
		return 0;
	}
	/* No torn line stays behind; the whole piece is written again later. */
	struct stat st;

	if (done > 0 && fstat(f->fd, &st) == 0 && st.st_size >= (off_t)done &&
	    ftruncate(f->fd, st.st_size - (off_t)done) < 0)
		log_debug("%s: a torn line could not be taken back: %s", f->path, strerror(errno));
	return err;
}
