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
	return out->stamp != 0 && out->checksum == checksum_of(p);
}

/* The newest valid copy's number; -1: none. *TOUCHED: something was ever written. */
static int newest(const struct memory *m, uint32_t pair, uint64_t *stamp, bool *touched)
{
	int best = -1;

	*stamp = 0;
	*touched = false;
	for (int i = 0; i < 2; i++) {
		struct copy c;
		bool valid = copy_valid(copy_at(m, pair, i), &c);

		*touched |= c.checksum != 0 || c.stamp != 0;
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
	bool touched;
	int which = newest(m, pair, &stamp, &touched) == 0 ? 1 : 0;

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
		bool touched;

		if (newest(m, pair, &stamp, &touched) < 0 && touched && pair > 0)
			m->dropped++;
		m->stamp = MAX(m->stamp, stamp);
	}
}

void memory_open(struct memory *m, int fd)
{
	struct memory_head head;
	struct stat st;
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
	if ((size_t)st.st_size > MEMORY_MAX)
		st.st_size = (off_t)MEMORY_MAX;
	/* A cut file loses the slots behind the cut; a partly cut pair is filled with zeros. */
	if (!make_room(m, MAX((uint32_t)(((size_t)st.st_size + PAIR - 1) / PAIR),
			      GROW_SLOTS + 1) - 1)) {
		munmap(m->base, MEMORY_MAX);
		m->base = NULL;
		return;
	}
	scan(m);
	boot_id_read(m->boot_id);
	if (!memory_load_head(m, &head))
		return;
	if (head.magic == MEMORY_MAGIC && head.version == MEMORY_VERSION &&
	    head.entry_size == COPY && strncmp(head.boot_id, m->boot_id, sizeof(m->boot_id)) == 0)
		m->head_valid = true;
	else
		memory_wipe(m);
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
	memset(m->base, 0, ((size_t)m->nslots + 1) * PAIR);
	m->head_valid = false;
	m->dropped = 0;
	m->stamp = 0;
}

static bool load(const struct memory *m, uint32_t pair, void *out)
{
	uint64_t stamp;
	bool touched;
	int which;

	if (m->base == NULL || pair > m->nslots)
		return false;
	which = newest(m, pair, &stamp, &touched);
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
	memcpy(h->boot_id, m->boot_id, sizeof(h->boot_id));
	store(m, 0, h);
	m->head_valid = true;
}

void memory_clear(struct memory *m, uint32_t slot)
{
	struct memory_entry e = { .flags = 0 };

	if (m->base != NULL && slot < m->nslots)
		store(m, slot + 1, &e);
}
