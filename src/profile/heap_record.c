/* Three tables: blocks by address (open addressing, doubled when three quarters full), places by
 * their stack (chains in buckets), and the return addresses of the places in a row. All are mapped
 * memory; what is not used of it costs nothing.
 *
 * The figures of each place at the moment when the whole heap was largest are kept without copying
 * them at each new peak: every peak has a number, and a place notes its own figures only when they
 * change for the first time after one.
 *
 * A forked child must not go on with its copy of the books, and its copy of the lock may be taken
 * for ever. So the switch stands on a page that the kernel clears in a forked child. */
#include "profile/heap_record.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096U
#define BUCKETS (2 * HEAP_SITES_MAX)
#define OTHER_PLACES 0U		/* the number of the place without addresses */

#define NS_PER_SECOND UINT64_C(1000000000)

struct heap_state procd_heap_state;
static _Atomic int never;
_Atomic int *_Atomic heap_record_gate = &never;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_SECOND + (uint64_t)t.tv_nsec;
}

uint64_t heap_now_us(void)
{
	return now_ns() / 1000;
}

/* --- the lock --------------------------------------------------------------------------------- */

static void lock_wait(struct heap_state *h, int ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	syscall(SYS_futex, &h->lock, FUTEX_WAIT_PRIVATE, 2, &t, NULL, 0);
}

static bool lock_try(struct heap_state *h)
{
	uint32_t free_ = 0;

	return atomic_compare_exchange_strong(&h->lock, &free_, 1);
}

static void unlock(struct heap_state *h)
{
	if (atomic_exchange(&h->lock, 0) == 2)
		syscall(SYS_futex, &h->lock, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* 0: it may take as long as it takes. */
static bool lock_slowly(struct heap_state *h, uint64_t until_ns)
{
	int keep = errno;
	bool got;

	for (int i = 0; i < 64; i++)
		if (atomic_load_explicit(&h->lock, memory_order_relaxed) == 0 && lock_try(h))
			return true;
	while (!(got = atomic_exchange(&h->lock, 2) == 0)) {
		if (until_ns != 0 && now_ns() > until_ns)
			break;
		lock_wait(h, until_ns != 0 ? 10 : 1000);
	}
	errno = keep;
	return got;
}

/* An outsider reads, and did not forget to say that it is done. */
static bool is_held(const struct heap_state *h)
{
	uint64_t until = atomic_load(&h->hold_until_ns);

	return until != 0 && now_ns() < until;
}

static void lock(struct heap_state *h)
{
	const struct timespec moment = { .tv_nsec = 500000 };

	for (;;) {
		int keep;

		if (!lock_try(h))
			lock_slowly(h, 0);
		if (!is_held(h))
			return;
		unlock(h);
		keep = errno;
		nanosleep(&moment, NULL);
		errno = keep;
	}
}

/* False: they were closed meanwhile, and nothing is locked. */
static bool lock_books(struct heap_state *h)
{
	lock(h);
	if (atomic_load_explicit(&h->magic, memory_order_relaxed) == HEAP_MAGIC)
		return true;
	unlock(h);
	return false;
}

bool heap_record_freeze(int patience_ms)
{
	struct heap_state *h = &procd_heap_state;

	return lock_try(h) || lock_slowly(h, now_ns() + (uint64_t)patience_ms * 1000000);
}

void heap_record_thaw(void)
{
	unlock(&procd_heap_state);
}

/* --- tables ----------------------------------------------------------------------------------- */

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void unmap(uint64_t address, size_t size)
{
	if (address != 0)
		munmap((void *)(uintptr_t)address, size);
}

static struct heap_site *sites(const struct heap_state *h)
{
	return (struct heap_site *)(uintptr_t)h->sites;
}

static struct heap_block *blocks(const struct heap_state *h)
{
	return (struct heap_block *)(uintptr_t)h->blocks;
}

/* Where the search for ADDRESS begins. */
static uint32_t home(const struct heap_state *h, uint64_t address)
{
	return (uint32_t)((address >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (h->room - 1);
}

/* The place of ADDRESS, or the empty one where it belongs. */
static uint32_t block_find(const struct heap_state *h, uint64_t address)
{
	const struct heap_block *table = blocks(h);
	uint32_t i = home(h, address);

	while (table[i].address != 0 && table[i].address != address)
		i = (i + 1) & (h->room - 1);
	return i;
}

/* Close the gap at I: whoever was pushed beyond it moves up. */
static void block_remove(struct heap_state *h, uint32_t i)
{
	struct heap_block *table = blocks(h);
	uint32_t mask = h->room - 1;

	for (uint32_t j = (i + 1) & mask; table[j].address != 0; j = (j + 1) & mask) {
		if (((j - home(h, table[j].address)) & mask) < ((j - i) & mask))
			continue;
		table[i] = table[j];
		i = j;
	}
	table[i].address = 0;
	h->nblocks--;
}

static bool blocks_grow(struct heap_state *h)
{
	struct heap_block *old = blocks(h), *table;
	uint32_t room = h->room;

	if (room >= HEAP_BLOCKS_MAX)
		return false;
	table = map((size_t)room * 2 * sizeof(*table));
	if (table == NULL)
		return false;
	h->blocks = (uintptr_t)table;
	h->room = room * 2;
	for (uint32_t i = 0; i < room; i++)
		if (old[i].address != 0)
			table[block_find(h, old[i].address)] = old[i];
	munmap(old, (size_t)room * sizeof(*old));
	return true;
}

static bool block_add(struct heap_state *h, const struct heap_block *b)
{
	if (h->nblocks >= h->room / 4 * 3 && !blocks_grow(h))
		return false;
	blocks(h)[block_find(h, b->address)] = *b;
	h->nblocks++;
	return true;
}

static uint32_t stack_hash(const uintptr_t *stack, unsigned n)
{
	uint64_t hash = n;

	for (unsigned i = 0; i < n; i++)
		hash = (hash ^ stack[i]) * UINT64_C(0x9e3779b97f4a7c15) + (hash >> 29);
	return (uint32_t)(hash ^ hash >> 32);
}

static bool is_site(const struct heap_state *h, const struct heap_site *s, uint32_t hash,
		    const uintptr_t *stack, unsigned n)
{
	return s->hash == hash && s->nframes == n &&
	       memcmp((const uintptr_t *)(uintptr_t)h->frames + s->frames, stack,
		      n * sizeof(*stack)) == 0;
}

static uint32_t site_of(struct heap_state *h, const uintptr_t *stack, unsigned n)
{
	uint32_t hash = stack_hash(stack, n);
	uint32_t *bucket = (uint32_t *)(uintptr_t)h->buckets + hash % BUCKETS;
	struct heap_site *s;

	for (uint32_t i = *bucket; i != 0; i = sites(h)[i - 1].next)
		if (is_site(h, &sites(h)[i - 1], hash, stack, n))
			return i - 1;
	if (h->nsites == HEAP_SITES_MAX || h->nframes + n > HEAP_FRAMES_MAX)
		return OTHER_PLACES;
	s = &sites(h)[h->nsites];
	s->hash = hash;
	s->frames = h->nframes;
	s->nframes = n;
	memcpy((uintptr_t *)(uintptr_t)h->frames + s->frames, stack, n * sizeof(*stack));
	h->nframes += n;
	s->next = *bucket;
	*bucket = ++h->nsites;
	return h->nsites - 1;
}

/* --- counting --------------------------------------------------------------------------------- */

/* Before the figures of S change: what they were at the last peak is no longer in them. */
static void note_peak(const struct heap_state *h, struct heap_site *s)
{
	if (s->epoch == h->epoch)
		return;
	s->peak_bytes = s->bytes;
	s->peak_blocks = s->blocks;
	s->epoch = h->epoch;
}

static void add_alive(struct heap_state *h, struct heap_site *s, uint64_t size, uint64_t now_us)
{
	note_peak(h, s);
	s->blocks++;
	s->bytes += size;
	if (s->bytes > s->max_bytes) {
		s->max_bytes = s->bytes;
		s->max_blocks = s->blocks;
	}
	h->bytes += size;
	if (h->bytes <= h->peak_bytes)
		return;
	h->peak_bytes = h->bytes;
	h->peak_blocks = h->nblocks;
	h->peak_us = now_us;
	h->epoch++;
}

static void take_alive(struct heap_state *h, const struct heap_block *b)
{
	struct heap_site *s = &sites(h)[b->site];

	note_peak(h, s);
	s->blocks--;
	s->bytes -= b->size;
	h->bytes -= b->size;
}

static void bury(struct heap_state *h, uint32_t i, uint64_t now_us)
{
	struct heap_block b = blocks(h)[i];

	take_alive(h, &b);
	sites(h)[b.site].lifetimes_us += now_us - b.born_us;
	block_remove(h, i);
}

void heap_record_born(const void *address, size_t size, const uintptr_t *stack, unsigned n)
{
	struct heap_state *h = &procd_heap_state;
	struct heap_block b = { .address = (uintptr_t)address, .size = size,
				.born_us = heap_now_us() };
	struct heap_site *s;
	uint32_t i;

	if (!lock_books(h))
		return;
	i = block_find(h, b.address);
	/* it was given back on a way that is not seen from here */
	if (blocks(h)[i].address != 0)
		bury(h, i, b.born_us);
	b.site = site_of(h, stack, n);
	s = &sites(h)[b.site];
	s->total_blocks++;
	s->total_bytes += size;
	h->total_blocks++;
	h->total_bytes += size;
	if (block_add(h, &b))
		add_alive(h, s, size, b.born_us);
	else
		h->untracked++;
	unlock(h);
}

void heap_record_died(const void *address, struct heap_block *was)
{
	struct heap_state *h = &procd_heap_state;
	uint64_t now_us = heap_now_us();
	uint32_t i;

	was->address = 0;
	if (!lock_books(h))
		return;
	i = block_find(h, (uintptr_t)address);
	*was = blocks(h)[i];
	if (was->address != 0)
		bury(h, i, now_us);
	unlock(h);
}

void heap_record_undo(const struct heap_block *was)
{
	struct heap_state *h = &procd_heap_state;
	uint64_t now_us = heap_now_us();

	if (was->address == 0 || !lock_books(h))
		return;
	if (block_add(h, was)) {
		struct heap_site *s = &sites(h)[was->site];
		uint64_t gone_us = now_us - was->born_us;

		add_alive(h, s, was->size, now_us);
		s->lifetimes_us -= gone_us < s->lifetimes_us ? gone_us : s->lifetimes_us;
	}
	unlock(h);
}

/* --- beginning and end ------------------------------------------------------------------------ */

/* Once; the page stays. */
static int gate_make(void)
{
	_Atomic int *gate;

	if (heap_record_gate != &never)
		return 0;
	gate = map(PAGE);
	if (gate == NULL)
		return -ENOMEM;
	if (madvise(gate, PAGE, MADV_WIPEONFORK) < 0) {
		int ret = -errno;

		munmap(gate, PAGE);
		return ret;
	}
	heap_record_gate = gate;
	return 0;
}

static void tables_free(struct heap_state *h)
{
	unmap(h->sites, HEAP_SITES_MAX * sizeof(struct heap_site));
	unmap(h->frames, HEAP_FRAMES_MAX * sizeof(uintptr_t));
	unmap(h->buckets, BUCKETS * sizeof(uint32_t));
	unmap(h->blocks, (size_t)h->room * sizeof(struct heap_block));
	h->sites = h->frames = h->buckets = h->blocks = 0;
	h->room = 0;
}

static bool tables_new(struct heap_state *h)
{
	h->room = HEAP_BLOCKS_FIRST;
	h->sites = (uintptr_t)map(HEAP_SITES_MAX * sizeof(struct heap_site));
	h->frames = (uintptr_t)map(HEAP_FRAMES_MAX * sizeof(uintptr_t));
	h->buckets = (uintptr_t)map(BUCKETS * sizeof(uint32_t));
	h->blocks = (uintptr_t)map((size_t)h->room * sizeof(struct heap_block));
	if (h->sites != 0 && h->frames != 0 && h->buckets != 0 && h->blocks != 0)
		return true;
	tables_free(h);
	return false;
}

/* All but the lock: somebody may be waiting for it. */
static void state_reset(struct heap_state *h)
{
	h->pid = (uint32_t)getpid();
	h->started_us = h->peak_us = heap_now_us();
	h->nsites = 1;
	h->nframes = h->nblocks = 0;
	h->bytes = h->total_bytes = h->total_blocks = 0;
	h->peak_bytes = h->peak_blocks = h->epoch = h->untracked = 0;
}

int heap_record_start(void)
{
	struct heap_state *h = &procd_heap_state;
	int ret = gate_make();

	if (ret < 0)
		return ret;
	lock(h);
	if (atomic_load(&h->magic) == HEAP_MAGIC) {
		ret = -EALREADY;
	} else if (!tables_new(h)) {
		ret = -ENOMEM;
	} else {
		state_reset(h);
		atomic_store(&h->magic, HEAP_MAGIC);
		atomic_store(heap_record_gate, 1);
	}
	unlock(h);
	return ret;
}

void heap_record_stop(void)
{
	struct heap_state *h = &procd_heap_state;

	lock(h);
	if (atomic_load(&h->magic) == HEAP_MAGIC) {
		atomic_store(heap_record_gate, 0);
		atomic_store(&h->magic, 0);
		tables_free(h);
	}
	unlock(h);
}
