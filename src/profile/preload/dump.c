/* While the file is written, the books are locked: other threads wait when they want memory. */
#include "profile/preload/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profile/heap_dhat.h"

#define PATIENCE_MS 2000

static int sink(void *ctx, const char *text, size_t n)
{
	const int *fd = ctx;

	while (n > 0) {
		ssize_t done = write(*fd, text, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -EIO;
		text += done;
		n -= (size_t)done;
	}
	return 0;
}

static int write_books(int fd)
{
	const struct heap_state *h = &procd_heap_state;
	struct heap_view v = {
		.sites = (const struct heap_site *)(uintptr_t)h->sites,
		.frames = (const uint64_t *)(uintptr_t)h->frames,
		.blocks = (const struct heap_block *)(uintptr_t)h->blocks,
		.now_us = heap_now_us(),
	};

	memcpy(&v.state, h, sizeof(v.state));
	return heap_dhat_write(&v, sink, &fd);
}

static int open_new(const char *path)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY;
	int fd = open(path, flags, 0666);

	/* of an earlier process with this number, which did not live to finish it */
	if (fd < 0 && errno == EEXIST && unlink(path) == 0)
		fd = open(path, flags, 0666);
	return fd < 0 ? -errno : fd;
}

int heap_dump(const char *path)
{
	char temporary[PATH_MAX];
	struct stat st;
	int fd, ret;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return -EINVAL;
	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.%d.tmp", path, (int)getpid()) >=
	    sizeof(temporary))
		return -ENAMETOOLONG;
	if (!heap_record_freeze(PATIENCE_MS))
		return -ETIMEDOUT;
	fd = open_new(temporary);
	ret = fd < 0 ? fd : write_books(fd);
	heap_record_thaw();
	if (fd < 0)
		return ret;
	if (close(fd) < 0 && ret == 0)
		ret = -errno;
	if (ret == 0 && rename(temporary, path) < 0)
		ret = -errno;
	if (ret < 0)
		unlink(temporary);
	return ret;
}
