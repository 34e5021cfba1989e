/* Reading kernel text files line by line and directories name by name, in fixed storage. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "keeper/linereader.h"

/* Room for one entry with a number of up to seven digits (32 bytes), and for no two (48). */
#define ONE_PROCESS 40

bool linereader_open(struct linereader *r, int dirfd, const char *path, char *line, size_t cap)
{
	r->fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	r->line = line;
	r->cap = cap;
	r->at = r->have = 0;
	return r->fd >= 0;
}

static bool linereader_fill(struct linereader *r)
{
	ssize_t n;

	do
		n = read(r->fd, r->buf, sizeof(r->buf));
	while (n < 0 && errno == EINTR);
	r->at = 0;
	r->have = n > 0 ? (size_t)n : 0;
	return n > 0;
}

bool linereader_next(struct linereader *r)
{
	size_t n = 0;
	bool any = false;

	for (;;) {
		if (r->at == r->have && !linereader_fill(r))
			break;
		any = true;
		if (r->buf[r->at] == '\n') {
			r->at++;
			break;
		}
		if (n + 1 < r->cap)
			r->line[n++] = r->buf[r->at];
		r->at++;
	}
	r->line[n] = '\0';
	return any;
}

void linereader_close(struct linereader *r)
{
	close(r->fd);
	r->fd = -1;
}

void direntry_init(struct direntry_reader *r, int fd)
{
	r->fd = fd;
	r->at = r->have = 0;
	r->ask = sizeof(r->buf);
	lseek(fd, 0, SEEK_SET);
}

void direntry_one_by_one(struct direntry_reader *r)
{
	r->ask = ONE_PROCESS;
}

static long direntry_fill(struct direntry_reader *r)
{
	long n = syscall(SYS_getdents64, r->fd, r->buf, r->ask);

	if (n < 0 && errno == EINVAL)	/* a longer name */
		n = syscall(SYS_getdents64, r->fd, r->buf, sizeof(r->buf));
	return n;
}

static bool direntry_wanted(const struct dirent64 *e, enum direntry_kind kind)
{
	switch (kind) {
	case DIRENTRY_NUMBERS:
		return e->d_name[0] >= '1' && e->d_name[0] <= '9';
	case DIRENTRY_DIRECTORIES:
		return e->d_type == DT_DIR && e->d_name[0] != '.';
	default:
		return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	}
}

const char *direntry_next(struct direntry_reader *r, enum direntry_kind kind)
{
	for (;;) {
		const struct dirent64 *e;

		if (r->at >= r->have) {
			r->have = direntry_fill(r);
			r->at = 0;
			if (r->have <= 0)
				return NULL;
		}
		/* the kernel's record is laid out like struct dirent64 */
		e = (const struct dirent64 *)(const void *)(r->buf + r->at);
		r->at += e->d_reclen;
		if (direntry_wanted(e, kind))
			return e->d_name;
	}
}
