/* The file is the head twice, then each slot twice, 256 bytes a piece. Stores go to the copy with
 * the older stamp, so there is always one whole copy however the writer ends. Room is allocated on
 * the file system before it is touched: a full disk is an error here and not a SIGBUS later. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "core/memory.h"
#include "keeper/record.h"

#define MEMORY_MAGIC 0x3159524f4d454d50ull	/* "PMEMORY1" */
#define COPY 256u
#define PAIR (2 * COPY)
#define MEMORY_MAX ((size_t)PAIR * (RECORDS_MAX_SLOTS + 1))
#define GROW_SLOTS 64u
#define STAMP_MAX (UINT64_C(1) << 62)	/* never reached by counting, so the next one is newer */

/* Both kinds begin like this. */
struct copy {
	uint64_t checksum;
	uint64_t stamp;
};

static uint64_t checksum_of(const void *copy)
{
	uint64_t words[COPY / 8];
	uint64_t h = UINT64_C(0x9e3779b97f4a7c15);

	memcpy(words, copy, sizeof(words));
	for (size_t i = 1; i < ARRAY_LEN(words); i++) {
		h = (h ^ words[i]) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
	}
	return h;
}

/* PAIR index 0 is the head, SLOT + 1 an entry. */
static unsigned char *copy_at(const struct memory *m, uint32_t pair, int which)
{
	return m->base + (size_t)pair * PAIR + (size_t)which * COPY;
}

static bool copy_valid(const unsigned char *p, struct copy *out)
{
	memcpy(out, p, sizeof(*out));
	return out->stamp != 0 && out->stamp < STAMP_MAX && out->checksum == checksum_of(p);
}

static bool is_zero(const unsigned char *p)
{
	static const unsigned char zeros[COPY];

	return memcmp(p, zeros, COPY) == 0;
}

/* The newest valid copy's number; -1: none. *BAD: copies that were written and are not valid. */
static int newest(const struct memory *m, uint32_t pair, uint64_t *stamp, uint32_t *bad)
{
	int best = -1;

	*stamp = 0;
	*bad = 0;
	for (int i = 0; i < 2; i++) {
		struct copy c;
		bool valid = copy_valid(copy_at(m, pair, i), &c);

		*bad += !valid && !is_zero(copy_at(m, pair, i));
		if (valid && c.stamp > *stamp) {
			*stamp = c.stamp;
			best = i;
		}
	}
	return best;
}

static bool make_room(struct memory *m, uint32_t nslots)
{
	size_t size = ((size_t)nslots + 1) * PAIR;
	int r = posix_fallocate(m->fd, 0, (off_t)size);

	if (r != 0) {
		if (!m->full)
			log_warn("cannot save run-time state for %u subsystems: %s", nslots,
				 strerror(r));
		m->full = true;
		return false;
	}
	m->nslots = nslots;
	return true;
}

static void store(struct memory *m, uint32_t pair, void *copy)
{
	struct copy head;
	uint64_t stamp;
	uint32_t bad;
	int which = newest(m, pair, &stamp, &bad) == 0 ? 1 : 0;

	head.stamp = ++m->stamp;
	memcpy((unsigned char *)copy + offsetof(struct copy, stamp), &head.stamp, 8);
	head.checksum = checksum_of(copy);
	memcpy(copy, &head.checksum, 8);
	memcpy(copy_at(m, pair, which), copy, COPY);
}

static void scan(struct memory *m)
{
	for (uint32_t pair = 0; pair <= m->nslots; pair++) {
		uint64_t stamp;
		uint32_t bad;

		if (newest(m, pair, &stamp, &bad) >= 0)
			m->older += bad;
		else if (bad > 0 && pair > 0)
			m->dropped++;
		else if (bad > 0)
			m->unusable = true;
		m->stamp = MAX(m->stamp, stamp);
	}
}

static void wipe(struct memory *m)
{
	memset(m->base, 0, ((size_t)m->nslots + 1) * PAIR);
	m->head_valid = false;
	m->stamp = 0;
}

static bool head_familiar(const struct memory_head *h, const char *boot_id)
{
	return h->magic == MEMORY_MAGIC && h->version == MEMORY_VERSION && h->entry_size == COPY &&
	       strncmp(h->boot_id, boot_id, 37) == 0;
}

bool memory_peek(int fd, struct memory_head *out)
{
	unsigned char pair[PAIR];
	struct memory m = { .base = pair };
	char boot_id[37];

	boot_id_read(boot_id);
	return fd >= 0 && pread(fd, pair, PAIR, 0) == (ssize_t)PAIR && memory_load_head(&m, out) &&
	       head_familiar(out, boot_id);
}

/* What became of a file of SIZE bytes. */
static void inspect(struct memory *m, size_t size)
{
	struct memory_head head;
	bool has_head;

	scan(m);
	has_head = memory_load_head(m, &head);
	m->head_valid = has_head && head_familiar(&head, m->boot_id);
	m->unusable = !m->head_valid && size > 0 && (has_head || m->unusable || size < PAIR);
	m->cut = m->head_valid && size < ((size_t)head.nslots + 1) * PAIR;
	if (m->unusable || m->cut || m->dropped > 0)
		file_keep_copy(m->fd, MEMORY_MAX);
	if (has_head && !m->head_valid)
		wipe(m);
}

void memory_open(struct memory *m, int fd)
{
	struct stat st;
	size_t size;
	void *p;

	*m = (struct memory){ .fd = fd };
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	p = mmap(NULL, MEMORY_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		log_warn("cannot save run-time state: %s", strerror(errno));
		return;
	}
	m->base = p;
	size = MIN((size_t)st.st_size, MEMORY_MAX);
	/* A cut file loses the slots behind the cut; a partly cut pair is filled with zeros. */
	if (!make_room(m, MAX((uint32_t)((size + PAIR - 1) / PAIR), GROW_SLOTS + 1) - 1)) {
		munmap(m->base, MEMORY_MAX);
		m->base = NULL;
		return;
	}
	boot_id_read(m->boot_id);
	inspect(m, size);
}

void memory_unmap_idle(const struct memory *m)
{
	if (m->base != NULL)
		madvise(m->base, MEMORY_MAX, MADV_DONTNEED);	/* refused: it stays mapped */
}

void memory_close(struct memory *m)
{
	if (m->base != NULL)
		munmap(m->base, MEMORY_MAX);
	*m = (struct memory){ .fd = -1 };
}

void memory_wipe(struct memory *m)
{
	if (m->base == NULL)
		return;
	wipe(m);
	m->dropped = m->older = 0;
	m->cut = m->unusable = false;
}

static bool load(const struct memory *m, uint32_t pair, void *out)
{
	uint64_t stamp;
	uint32_t bad;
	int which;

	if (m->base == NULL || pair > m->nslots)
		return false;
	which = newest(m, pair, &stamp, &bad);
	if (which < 0)
		return false;
	memcpy(out, copy_at(m, pair, which), COPY);
	return true;
}

bool memory_load(const struct memory *m, uint32_t slot, struct memory_entry *out)
{
	return load(m, slot + 1, out) && (out->flags & MEMORY_USED) &&
	       memchr(out->name, '\0', sizeof(out->name)) != NULL;
}

bool memory_load_head(const struct memory *m, struct memory_head *out)
{
	return load(m, 0, out);
}

void memory_store(struct memory *m, uint32_t slot, struct memory_entry *e)
{
	if (m->base == NULL)
		return;
	if (slot >= m->nslots && !make_room(m, MIN(MAX(slot + 1, m->nslots * 2),
						   RECORDS_MAX_SLOTS)))
		return;
	store(m, slot + 1, e);
}

void memory_store_head(struct memory *m, struct memory_head *h)
{
	if (m->base == NULL)
		return;
	h->magic = MEMORY_MAGIC;
	h->version = MEMORY_VERSION;
	h->entry_size = COPY;
	h->nslots = m->nslots;
	memcpy(h->boot_id, m->boot_id, sizeof(h->boot_id));
	store(m, 0, h);
	m->head_valid = true;
}

void memory_bury(struct memory *m, uint32_t slot, uint64_t spawn_id)
{
	struct memory_entry e = { .flags = 0, .spawn_id = spawn_id };

	if (m->base != NULL && slot < m->nslots)
		store(m, slot + 1, &e);
}

void memory_clear(struct memory *m, uint32_t slot)
{
	memory_bury(m, slot, 0);
}

bool memory_buried(const struct memory *m, uint32_t slot, uint64_t spawn_id)
{
	struct memory_entry e;

	return load(m, slot + 1, &e) && !(e.flags & MEMORY_USED) && spawn_id <= e.spawn_id;
}
