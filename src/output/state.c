/* One thread writes one thing at a time, so one record is enough for all rings. The proof is the
 * file's size: before the write it was OFFSET, after it OFFSET + OUT_LEN, in between the write was
 * cut short. It is looked at before the successor writes its first byte.
 *
 * The record counts when its checksum holds, and has one only as long as the write goes on. */
#include "output/state.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/sealed.h"
#include "output/ring.h"

#define STATE_FILE "output.state"
#define STATE_MAGIC 0x3154534f434f5250ull
#define STATE_BAD STATE_FILE ".bad"
#define STATE_VERSION 2

static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
	return hash_fold(hash_add(h, bytes, n));
}

static uint64_t check_of(const struct state *st)
{
	uint64_t h = mix(HASH_START, st->ring,
			 offsetof(struct state, path) - offsetof(struct state, ring));

	return mix(h, st->path, strnlen(st->path, sizeof st->path)) | 1;
}

static bool is_sound(const struct state *st)
{
	uint64_t check = atomic_load(&st->check);

	return st->magic == STATE_MAGIC && st->version == STATE_VERSION &&
	       st->size == sizeof *st && sealed_fine(st->sink_active) &&
	       sealed_value(st->sink_active) <= 1 && sealed_fine(st->sink_seq) &&
	       (check == 0 || check == check_of(st));
}

/* NULL with errno; EBADMSG: what is there is none of ours. */
static struct state *map_file(int run_dirfd, bool *is_new)
{
	const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
	auto_free(closep) int fd = openat(run_dirfd, STATE_FILE, flags);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		fd = openat(run_dirfd, STATE_FILE, flags | O_CREAT, 0600);

	*is_new = false;
	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	errno = EBADMSG;
	if (!S_ISREG(st.st_mode))
		return NULL;
	*is_new = st.st_size == 0;
	if (st.st_size != 0 && st.st_size != (off_t)sizeof(struct state))
		return NULL;
	if (st.st_size == 0) {
		auto_free(freep) void *zeros = x_calloc(1, sizeof(struct state));

		/* Written, not only sized: a store into a hole could be SIGBUS. */
		int err = fd_write_all(fd, zeros, sizeof(struct state));

		if (err < 0) {
			unlinkat(run_dirfd, STATE_FILE, 0);
			errno = -err;
			return NULL;
		}
	}
	void *p = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p != MAP_FAILED ? p : NULL;
}

static void begin_anew(struct state *st)
{
	memset(st, 0, sizeof *st);
	st->version = STATE_VERSION;
	st->size = sizeof *st;
	atomic_store(&st->sink_active, sealed_make(0));
	atomic_store(&st->sink_seq, sealed_make(0));
	__atomic_store_n(&st->magic, STATE_MAGIC, __ATOMIC_RELEASE);
}

/* There may be a good file, that just cannot be had now. */
static bool may_be_fine(int errnum)
{
	return errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM || errnum == EIO ||
	       errnum == EACCES;
}

static void set_aside(int run_dirfd)
{
	if (renameat(run_dirfd, STATE_FILE, run_dirfd, STATE_BAD) < 0)
		return;
	log_warn("what the log thread had noted in " STATE_FILE " was damaged and is kept as "
		 STATE_BAD "; a line or an event that was being written may be there twice");
}

struct state *state_open(int run_dirfd)
{
	bool is_new;
	struct state *st = map_file(run_dirfd, &is_new);

	if (st != NULL && (is_new || is_sound(st))) {
		if (is_new)
			begin_anew(st);
		return st;
	}
	if (st == NULL && may_be_fine(errno))
		return NULL;
	if (st != NULL)
		state_close(st);
	set_aside(run_dirfd);
	st = map_file(run_dirfd, &is_new);
	if (st == NULL) {
		void *p = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		BUG_ON(p == MAP_FAILED);
		st = p;
	}
	begin_anew(st);
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

	if (!target_provable(t) || fstat(t->kind == TARGET_FILE ? t->file.fd : t->fd, &now) < 0)
		return;
	memset(st->ring, 0, sizeof st->ring);
	snprintf(st->ring, sizeof st->ring, "%s", ring);
	st->raw_to = raw_to;
	st->dev = now.st_dev;
	st->ino = now.st_ino;
	st->offset = (uint64_t)now.st_size;
	st->out_len = out_len;
	st->fd = t->number;
	if (t->number < 0)
		snprintf(st->path, sizeof st->path, "%s", t->file.path);
	atomic_store_explicit(&st->check, check_of(st), memory_order_release);
}

void state_end(struct state *st)
{
	atomic_store_explicit(&st->check, 0, memory_order_release);
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

	if (h->magic == RING_MAGIC && h->version == RING_VERSION && ring_numbers_fine(h) &&
	    sealed_value(h->written) < to && to <= sealed_value(h->head))
		atomic_store(&h->written, sealed_make(to));
	munmap(p, sizeof *h);
}

void state_settle(struct state *st, int ring_dirfd)
{
	if (atomic_load(&st->check) == 0)
		return;
	st->ring[sizeof st->ring - 1] = '\0';
	st->path[sizeof st->path - 1] = '\0';
	if (write_completed(st))
		mark_written(ring_dirfd, st->ring, st->raw_to);
	state_end(st);
}
