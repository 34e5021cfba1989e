/* One mapping: a page about the instance, then one entry per slot. The file gets room for entries
 * as slots are used; where the file system refuses, those are not counted. */
#include "event/tally.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/log.h"

#define TALLY_MAGIC 0x31594c4c4154ull	/* "TALLY1" */
#define HEAD_SIZE 4096
#define CHUNK 64			/* entries that the file grows by */

const uint32_t tally_bounds_us[TALLY_BOUNDS] = {
	100, 250, 1000, 2500, 10000, 25000, 100000, 250000, 1000000, 2500000, 10000000, 30000000,
	60000000,
};
const uint32_t tally_start_bounds_us[TALLY_START_BOUNDS] = {
	5000, 20000, 100000, 500000, 1000000, 2000000, 5000000, 10000000, 30000000,
};

struct tally_head {
	uint64_t magic;
	uint32_t version, head_size, entry_size, pad;
	char boot_id[40];
	_Atomic uint64_t counters[TALLY_COUNTERS];
	_Atomic uint64_t errors[32];
	struct tally_histogram durations[TALLY_DURATIONS];
};
_Static_assert(sizeof(struct tally_head) <= HEAD_SIZE, "the head is one page");
_Static_assert(sizeof(struct tally_entry) == 104, "entries are a file format");

struct tally {
	struct tally_head *head;
	struct tally_entry *entries;
	int fd;
	uint32_t max_slots;
	_Atomic uint32_t nslots;	/* that the file has room for */
	_Atomic bool on;
	bool full;
	size_t size;
};

static size_t bytes_for(uint32_t nslots)
{
	return HEAD_SIZE + (size_t)nslots * sizeof(struct tally_entry);
}

/* --- opening ----------------------------------------------------------------------------------- */

static bool head_fits(const struct tally_head *h, const char *boot_id)
{
	return h->magic == TALLY_MAGIC && h->version == TALLY_VERSION &&
	       h->head_size == sizeof(*h) && h->entry_size == sizeof(struct tally_entry) &&
	       memcmp(h->boot_id, boot_id, 37) == 0;
}

static void begin(struct tally *t, const char *boot_id)
{
	struct tally_head *h = t->head;

	memset((void *)h, 0, sizeof(*h));
	if (t->fd >= 0 && ftruncate(t->fd, HEAD_SIZE) < 0)
		log_debug("tally: %s", strerror(errno));
	t->nslots = t->fd >= 0 ? 0 : t->max_slots;
	memcpy(h->boot_id, boot_id, 37);
	h->version = TALLY_VERSION;
	h->head_size = sizeof(*h);
	h->entry_size = sizeof(struct tally_entry);
	h->magic = TALLY_MAGIC;
}

/* How many entries a file of that size has for sure. */
static uint32_t slots_in(int fd, uint32_t max)
{
	off_t size = lseek(fd, 0, SEEK_END);

	return size <= HEAD_SIZE ? 0 :
	       (uint32_t)MIN((uint64_t)(size - HEAD_SIZE) / sizeof(struct tally_entry), max);
}

struct tally *tally_open(int fd, uint32_t max_slots)
{
	struct tally *t = x_calloc(1, sizeof(*t));
	char boot_id[37] = "";
	void *map;

	(void)boot_id_read(boot_id);
	t->max_slots = max_slots;
	t->size = bytes_for(max_slots);
	t->fd = fd >= 0 && posix_fallocate(fd, 0, HEAD_SIZE) == 0 ? fd : -1;
	map = mmap(NULL, t->size, PROT_READ | PROT_WRITE, t->fd >= 0 ? MAP_SHARED :
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, t->fd, 0);
	if (map == MAP_FAILED) {
		free(t);
		return NULL;
	}
	t->head = map;
	t->entries = (void *)((char *)map + HEAD_SIZE);
	t->nslots = t->fd >= 0 ? slots_in(t->fd, max_slots) : max_slots;
	t->on = true;
	if (!head_fits(t->head, boot_id))
		begin(t, boot_id);
	return t;
}

void tally_unmap_idle(struct tally *t)
{
	if (t != NULL && t->fd >= 0)
		madvise(t->head, t->size, MADV_DONTNEED);	/* refused: it stays mapped */
}

void tally_close(struct tally *t)
{
	if (t == NULL)
		return;
	munmap((void *)t->head, t->size);
	free(t);
}

/* --- adding ------------------------------------------------------------------------------------ */

static bool counts(struct tally *t)
{
	return t != NULL && atomic_load_explicit(&t->on, memory_order_relaxed);
}

void tally_enable(struct tally *t, bool on)
{
	if (t != NULL)
		atomic_store_explicit(&t->on, on, memory_order_relaxed);
}

#define ADD(place, n) atomic_fetch_add_explicit((place), (n), memory_order_relaxed)
#define LOAD(place) atomic_load_explicit((place), memory_order_relaxed)

void tally_add(struct tally *t, enum tally_counter what, uint64_t n)
{
	if (counts(t))
		ADD(&t->head->counters[what], n);
}

void tally_error(struct tally *t, enum error_category category)
{
	if (counts(t) && (size_t)category < ARRAY_LEN(t->head->errors))
		ADD(&t->head->errors[category], 1);
}

static size_t bucket_of(const uint32_t *bounds, size_t n, uint64_t us)
{
	size_t i = 0;

	while (i < n && us > bounds[i])
		i++;
	return i;
}

void tally_took(struct tally *t, enum tally_duration what, int64_t ns)
{
	uint64_t us = (uint64_t)MAX(ns, 0) / 1000;
	struct tally_histogram *h;

	if (!counts(t))
		return;
	h = &t->head->durations[what];
	ADD(&h->sum_us, us);
	ADD(&h->buckets[bucket_of(tally_bounds_us, TALLY_BOUNDS, us)], 1);
}

/* The file is to have room before the page is touched: a full file system is no reason to die. */
static bool make_room(struct tally *t, uint32_t slot)
{
	uint32_t want = MIN((slot / CHUNK + 1) * CHUNK, t->max_slots);
	int err;

	if (slot < LOAD(&t->nslots))
		return true;
	if (t->fd < 0 || t->full || slot >= t->max_slots)
		return false;
	err = posix_fallocate(t->fd, 0, (off_t)bytes_for(want));
	if (err != 0) {
		log_warn("cannot count what happens to more than %u subsystems: %s",
			 LOAD(&t->nslots), strerror(err));
		t->full = true;
		return false;
	}
	atomic_store_explicit(&t->nslots, want, memory_order_release);
	return true;
}

/* NULL: not counted. */
static struct tally_entry *entry_for(struct tally *t, uint32_t slot, uint64_t id)
{
	struct tally_entry *e;

	if (!counts(t) || !make_room(t, slot))
		return NULL;
	e = &t->entries[slot];
	if (LOAD(&e->id) != id) {
		memset((void *)e, 0, sizeof(*e));
		atomic_store_explicit(&e->id, id, memory_order_release);
	}
	return e;
}

void tally_started(struct tally *t, uint32_t slot, uint64_t id, int64_t ns)
{
	uint64_t us = (uint64_t)MAX(ns, 0) / 1000;
	struct tally_entry *e = entry_for(t, slot, id);

	if (e == NULL)
		return;
	ADD(&e->start_sum_us, us);
	ADD(&e->starts[bucket_of(tally_start_bounds_us, TALLY_START_BOUNDS, us)], 1);
}

void tally_start_failed(struct tally *t, uint32_t slot, uint64_t id)
{
	struct tally_entry *e = entry_for(t, slot, id);

	if (e != NULL)
		ADD(&e->failed_starts, 1);
}

void tally_ended(struct tally *t, uint32_t slot, uint64_t id, int exit_code, int signal)
{
	struct tally_entry *e = entry_for(t, slot, id);
	uint32_t how = exit_code >= 0 ? (uint32_t)exit_code : (uint32_t)(TALLY_SIGNAL + signal);

	if (e == NULL)
		return;
	for (size_t i = 0; i < TALLY_WAYS; i++) {
		struct tally_way *w = &e->ways[i];

		if (LOAD(&w->count) == 0)
			atomic_store_explicit(&w->how, how, memory_order_relaxed);
		if (LOAD(&w->how) == how) {
			atomic_fetch_add_explicit(&w->count, 1, memory_order_release);
			return;
		}
	}
	ADD(&e->other_ways, 1);
}

/* --- reading ----------------------------------------------------------------------------------- */

uint64_t tally_count(const struct tally *t, enum tally_counter what)
{
	return t != NULL ? LOAD(&t->head->counters[what]) : 0;
}

uint64_t tally_errors(const struct tally *t, enum error_category category)
{
	return t != NULL && (size_t)category < ARRAY_LEN(t->head->errors) ?
	       LOAD(&t->head->errors[category]) : 0;
}

const struct tally_histogram *tally_duration_get(const struct tally *t, enum tally_duration what)
{
	return t != NULL ? &t->head->durations[what] : NULL;
}

const struct tally_entry *tally_entry_get(const struct tally *t, uint32_t slot, uint64_t id)
{
	const struct tally_entry *e;

	if (t == NULL || slot >= atomic_load_explicit(&t->nslots, memory_order_acquire))
		return NULL;
	e = &t->entries[slot];
	return atomic_load_explicit(&e->id, memory_order_acquire) == id ? e : NULL;
}
