/* One thread writes one thing at a time, so one record is enough for all rings. The proof is the
 * file's size: before the write it was OFFSET, after it OFFSET + OUT_LEN, in between the write was
 * cut short. It is looked at before the successor writes its first byte. */
#include "output/state.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "output/ring.h"

#define STATE_FILE "output.state"
#define STATE_MAGIC 0x3154534f434f5250ull
#define STATE_VERSION 1

static struct state *map_file(int run_dirfd)
{
	auto_free(closep) int fd = openat(run_dirfd, STATE_FILE,
					  O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return NULL;
	if (st.st_size != (off_t)sizeof(struct state)) {
		auto_free(freep) void *zeros = x_calloc(1, sizeof(struct state));

		/* Written, not only sized: a store into a hole could be SIGBUS. */
		if (ftruncate(fd, 0) < 0 || fd_write_all(fd, zeros, sizeof(struct state)) < 0) {
			unlinkat(run_dirfd, STATE_FILE, 0);
			return NULL;
		}
	}
	void *p = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p != MAP_FAILED ? p : NULL;
}

struct state *state_open(int run_dirfd)
{
	struct state *st = map_file(run_dirfd);

	if (st == NULL) {
		void *p = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		BUG_ON(p == MAP_FAILED);
		st = p;
	}
	if (st->magic != STATE_MAGIC || st->version != STATE_VERSION) {
		memset(st, 0, sizeof *st);
		st->version = STATE_VERSION;
		st->magic = STATE_MAGIC;
	}
	return st;
}

void state_close(struct state *st)
{
	munmap(st, sizeof *st);
}

void state_begin(struct state *st, const char *ring, uint64_t raw_to, struct target *t,
		 size_t out_len)
{
	struct stat now;

	if (!target_provable(t) || fstat(t->number < 0 ? t->file.fd : t->fd, &now) < 0)
		return;
	snprintf(st->ring, sizeof st->ring, "%s", ring);
	st->raw_to = raw_to;
	st->dev = now.st_dev;
	st->ino = now.st_ino;
	st->offset = (uint64_t)now.st_size;
	st->out_len = out_len;
	st->fd = t->number;
	if (t->number < 0)
		snprintf(st->path, sizeof st->path, "%s", t->file.path);
	atomic_store(&st->writing, 1);
}

void state_end(struct state *st)
{
	atomic_store(&st->writing, 0);
}

/* Did the write reach the file as a whole? */
static bool write_completed(const struct state *st)
{
	int fd = st->fd >= 0 ? fcntl(st->fd, F_DUPFD_CLOEXEC, 3) :
			       open(st->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	auto_free(closep) int closing = fd;
	struct stat now;

	(void)closing;
	if (fd < 0 || fstat(fd, &now) < 0 || now.st_dev != st->dev || now.st_ino != st->ino ||
	    (uint64_t)now.st_size <= st->offset)
		return false;
	if ((uint64_t)now.st_size >= st->offset + st->out_len)
		return true;
	/* On failure the lines are in the file one and a half times: better than not at all. */
	if (ftruncate(fd, (off_t)st->offset) < 0)
		return false;
	if (st->fd >= 0)
		lseek(fd, (off_t)st->offset, SEEK_SET);
	return false;
}

static void mark_written(int ring_dirfd, const char *file, uint64_t to)
{
	auto_free(closep) int fd = openat(ring_dirfd, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat now;

	if (fd < 0 || fstat(fd, &now) < 0 || now.st_size < (off_t)sizeof(struct ring_header))
		return;
	void *p = mmap(NULL, sizeof(struct ring_header), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return;
	struct ring_header *h = p;

	if (h->magic == RING_MAGIC && atomic_load(&h->written) < to && to <= atomic_load(&h->head))
		atomic_store(&h->written, to);
	munmap(p, sizeof *h);
}

void state_settle(struct state *st, int ring_dirfd)
{
	if (atomic_load(&st->writing) == 0)
		return;
	st->ring[sizeof st->ring - 1] = '\0';
	st->path[sizeof st->path - 1] = '\0';
	if (write_completed(st))
		mark_written(ring_dirfd, st->ring, st->raw_to);
	atomic_store(&st->writing, 0);
}
