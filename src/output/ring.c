/* Each step leaves the file in a state from which a successor can go on; the order of the stores is
 * the whole trick. A killed process loses no store that it made to a shared mapping, so program
 * order (kept by the release stores) is enough.
 *
 * The file's blocks are reserved before they are touched: a store into a hole of a full file system
 * would be SIGBUS. Where they cannot be reserved the ring moves into a memfd and only loses the
 * ability to outlive the process. */
#include "output/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define RESERVE_FIRST (16u * 1024)	/* most streams never say more */

/* Bytes that no UTF-8 text contains and that are rare in binary data, too. */
static const unsigned char sentinel[8] = { 0xfd, 0xc0, 0xf7, 0xfb, 0xc1, 0xfa, 0xf6, 0xf9 };

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* The data begins on a page, and a page is not 4 KiB everywhere. */
static size_t file_size(void)
{
	return page_size() + RING_DATA;
}

/* What is there is written over where the file system knows no better way. */
static int reserve(int fd, size_t from, size_t to)
{
	static const char zeros[4096];

	if (fallocate(fd, 0, (off_t)from, (off_t)(to - from)) == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	while (from < to) {
		ssize_t n = pwrite(fd, zeros, MIN(sizeof zeros, to - from), (off_t)from);

		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		from += (size_t)n;
	}
	return 0;
}

/* Map FD at BASE, or anywhere when BASE is NULL. MAP_FIXED replaces what was there at once, so
 * concurrent readers see either of two equal contents. */
static char *map_twice(int fd, char *base)
{
	size_t page = page_size(), span = page + 2 * (size_t)RING_DATA;
	char *at = base;

	if (at == NULL)
		at = mmap(NULL, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	if (mmap(at, page + RING_DATA, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) !=
		    MAP_FAILED &&
	    mmap(at + page + RING_DATA, RING_DATA, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 fd, (off_t)page) != MAP_FAILED)
		return at;
	int err = errno;

	if (base == NULL)
		munmap(at, span);
	errno = err;
	return NULL;
}

static int memory_file(void)
{
	int fd = memfd_create("procd-ring", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, (off_t)file_size()) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static uint64_t number(const _Atomic uint64_t *word)
{
	return sealed_value(atomic_load(word));
}

static void number_set(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, sealed_make(value), memory_order_release);
}

bool ring_numbers_fine(const struct ring_header *h)
{
	const _Atomic uint64_t *const words[] = { &h->head, &h->claim, &h->expect, &h->written,
						  &h->lost_lines, &h->lost_unsaid,
						  &h->run_from };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!sealed_fine(atomic_load(words[i])))
			return false;
	return true;
}

static bool is_sound(const struct ring_header *h)
{
	uint64_t head = number(&h->head), written = number(&h->written), claim = number(&h->claim);
	uint32_t reserved = atomic_load(&h->reserved);

	return h->magic == RING_MAGIC && h->version == RING_VERSION && h->data_size == RING_DATA &&
	       memchr(h->owner, '\0', sizeof h->owner) != NULL && ring_numbers_fine(h) &&
	       written <= head && head - written <= RING_DATA && claim >= head &&
	       claim - written <= RING_DATA && number(&h->expect) <= claim &&
	       number(&h->run_from) <= head &&
	       (reserved == RING_DATA || (reserved == RESERVE_FIRST && claim <= reserved));
}

/* Out of the way. A damaged one is kept for who wants to know, until the next. */
static void set_aside(const struct ring *r)
{
	char bad[sizeof r->file + sizeof ".bad"];

	snprintf(bad, sizeof bad, "%s.bad", r->file);
	if (!r->set_aside || renameat(r->dirfd, r->file, r->dirfd, bad) < 0)
		unlinkat(r->dirfd, r->file, 0);
}

static int open_existing(struct ring *r, const char *owner)
{
	auto_free(closep) int fd = openat(r->dirfd, r->file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == (off_t)file_size()) {
		char *base = map_twice(fd, NULL);

		if (base == NULL)
			return -errno;
		r->header = (struct ring_header *)(void *)base;
		r->data = base + page_size();
		bool sound = is_sound(r->header);

		if (sound && strcmp(r->header->owner, owner) == 0)
			return 0;
		r->set_aside = !sound;
		r->replaced = sound;
		ring_close(r);
	} else {
		r->set_aside = true;
	}
	set_aside(r);
	return -ENOENT;
}

static int create_file(struct ring *r)
{
	int fd =
		openat(r->dirfd, r->file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd >= 0) {
		if (ftruncate(fd, (off_t)file_size()) == 0 &&
		    reserve(fd, 0, page_size() + RESERVE_FIRST) == 0)
			return fd;
		close(fd);
		unlinkat(r->dirfd, r->file, 0);
	}
	r->in_memory = true;
	return memory_file();
}

static int create(struct ring *r, const char *owner)
{
	auto_free(closep) int fd = create_file(r);
	char *base = fd >= 0 ? map_twice(fd, NULL) : NULL;

	if (base == NULL)
		return -errno;
	r->header = (struct ring_header *)(void *)base;
	r->data = base + page_size();
	r->header->version = RING_VERSION;
	r->header->data_size = RING_DATA;
	snprintf(r->header->owner, sizeof r->header->owner, "%s", owner);
	atomic_store(&r->header->reserved, r->in_memory ? RING_DATA : RESERVE_FIRST);
	number_set(&r->header->head, 0);
	number_set(&r->header->claim, 0);
	number_set(&r->header->expect, 0);
	number_set(&r->header->written, 0);
	number_set(&r->header->lost_lines, 0);
	number_set(&r->header->lost_unsaid, 0);
	number_set(&r->header->run_from, 0);
	__atomic_store_n(&r->header->magic, RING_MAGIC, __ATOMIC_RELEASE);
	return 0;
}

int ring_open(struct ring *r, int dirfd, const char *file, const char *owner, bool make)
{
	*r = (struct ring){ .dirfd = dirfd };
	snprintf(r->file, sizeof r->file, "%s", file);
	int err = open_existing(r, owner);

	if (err == -ENOENT && make)
		return create(r, owner);
	return err;
}

void ring_close(struct ring *r)
{
	if (r->header != NULL)
		munmap(r->header, page_size() + 2 * (size_t)RING_DATA);
	r->header = NULL;
	r->data = NULL;
}

void ring_recover(struct ring *r, int fd)
{
	struct ring_header *h = r->header;
	uint64_t head = ring_head(r), expect = number(&h->expect);
	int available = 0;

	if (expect > head) {
		size_t k = (size_t)(expect - head), n = MIN(k, sizeof sentinel);
		/* Not read: the sentinel is in place and the pipe still holds at least as much. */
		bool intact = memcmp(r->data + (expect - n) % RING_DATA,
				     sentinel + sizeof sentinel - n, n) == 0;

		if (ioctl(fd, FIONREAD, &available) == 0 && (size_t)available < k)
			intact = false;
		if (!intact)
			head = expect;
	}
	number_set(&h->head, head);
	number_set(&h->expect, head);
	number_set(&h->claim, head);
}

/* The file system has no room left: go on in memory. */
static int move_to_memory(struct ring *r)
{
	auto_free(closep) int fd = memory_file();
	size_t size = file_size();

	if (fd < 0 || fd_write_all(fd, r->header, size) < 0)
		return -ENOSPC;
	if (map_twice(fd, (char *)(void *)r->header) == NULL)
		return -errno;
	unlinkat(r->dirfd, r->file, 0);
	r->in_memory = true;
	return 0;
}

static int reserve_data(struct ring *r, uint64_t claim)
{
	size_t have = atomic_load(&r->header->reserved);

	if (MIN(claim, (uint64_t)RING_DATA) <= have)
		return 0;
	auto_free(closep) int fd = openat(r->dirfd, r->file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || reserve(fd, page_size() + have, file_size()) < 0) {
		int err = move_to_memory(r);

		if (err < 0)
			return err;
	}
	atomic_store(&r->header->reserved, RING_DATA);
	return 0;
}

ssize_t ring_capture(struct ring *r, int fd, size_t *available)
{
	struct ring_header *h = r->header;
	uint64_t head = ring_head(r), page = page_size();
	size_t room = RING_DATA - (size_t)(head - ring_written(r));
	int in_pipe = 0;

	*available = 0;
	if (ioctl(fd, FIONREAD, &in_pipe) < 0)
		return -errno;
	if (in_pipe <= 0)
		return 0;
	*available = (size_t)in_pipe;
	size_t k = MIN((size_t)in_pipe, room), n = MIN(k, sizeof sentinel);

	if (k == 0)
		return -ENOBUFS;
	int err = reserve_data(r, head + k);

	if (err < 0)
		return err;
	char *at = r->data + head % RING_DATA;

	/* From here on readers on other threads know that the oldest K bytes go away. */
	atomic_exchange(&h->claim, sealed_make(head + k));
	/* No page fault inside the read: with a fatal signal pending it would end half-way. */
	for (size_t i = 0; i < k; i += page)
		at[i] = 0;
	memcpy(at + k - n, sentinel + sizeof sentinel - n, n);
	number_set(&h->expect, head + k);
	ssize_t got = read(fd, at, k);

	if (got < 0) {
		err = -errno;
		number_set(&h->expect, head);
		number_set(&h->claim, head);
		return err == -EAGAIN || err == -EINTR ? 0 : err;
	}
	number_set(&h->head, head + (uint64_t)got);
	if ((size_t)got != k) {
		number_set(&h->expect, head + (uint64_t)got);
		number_set(&h->claim, head + (uint64_t)got);
	}
	return got;
}

bool ring_end_line(struct ring *r)
{
	uint64_t head = ring_head(r);

	if (head == 0 || r->data[(head - 1) % RING_DATA] == '\n')
		return true;
	if (head - ring_written(r) == RING_DATA || reserve_data(r, head + 1) < 0)
		return false;
	atomic_exchange(&r->header->claim, sealed_make(head + 1));
	r->data[head % RING_DATA] = '\n';
	number_set(&r->header->head, head + 1);
	return true;
}

void ring_advance(struct ring *r, uint64_t to)
{
	number_set(&r->header->written, to);
}

void ring_lost_add(struct ring *r, uint64_t lines)
{
	number_set(&r->header->lost_unsaid, number(&r->header->lost_unsaid) + lines);
	number_set(&r->header->lost_lines, number(&r->header->lost_lines) + lines);
}

void ring_run_begins(struct ring *r)
{
	number_set(&r->header->run_from, ring_head(r));
}

uint64_t ring_run_from(const struct ring *r)
{
	return number(&r->header->run_from);
}

bool ring_run_silent(const struct ring *r)
{
	return number(&r->header->claim) == ring_run_from(r);
}

uint64_t ring_lost_unsaid(const struct ring *r)
{
	return number(&r->header->lost_unsaid);
}

void ring_lost_said(struct ring *r, uint64_t lines)
{
	number_set(&r->header->lost_unsaid, number(&r->header->lost_unsaid) - lines);
}

/* Races with the capturing thread on purpose: what may have been overwritten is found out
 * afterwards and thrown away. */
__attribute__((no_sanitize("thread"))) static void copy_racing(char *to, const char *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED);
}

/* Read-modify-write: a full barrier, as the fence that ThreadSanitizer does not know. */
static uint64_t oldest(const struct ring *r)
{
	uint64_t claim = sealed_value(atomic_fetch_add(&r->header->claim, 0));

	return claim > RING_DATA ? claim - RING_DATA : 0;
}

void ring_copy(const struct ring *r, uint64_t *pos, size_t max, struct strbuf *out, uint64_t *lost)
{
	uint64_t first = oldest(r), head = ring_head(r);

	/* A position from before the ring was made anew is as good as none. */
	uint64_t from = *pos > head ? head : MAX(*pos, first);

	if (*pos < from)
		*lost += from - *pos;
	size_t n = (size_t)MIN((uint64_t)max, head > from ? head - from : 0);

	*pos = from + n;
	if (n == 0)
		return;
	strbuf_reserve(out, n);
	size_t begin = out->len;

	copy_racing(out->buf + begin, r->data + from % RING_DATA, n);
	out->len += n;
	out->buf[out->len] = '\0';
	first = oldest(r);
	uint64_t gone = first > from ? MIN(first - from, (uint64_t)n) : 0;

	if (gone > 0) {
		memmove(out->buf + begin, out->buf + begin + gone, n - (size_t)gone);
		out->len -= (size_t)gone;
		out->buf[out->len] = '\0';
		*lost += gone;
	}
}
