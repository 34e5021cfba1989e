/* The books of the heap profiler: which blocks are alive, and what each place that allocates has
 * cost so far. They live in the profiled process: in the preload object, and in procd itself for
 * its own heap.
 *
 * Depends on libc only and never allocates from the heap. All that has to do with numbers is exact:
 * one lock covers every change. An outsider who wants to read the books from another process
 * (heap_reader.h) finds them by struct heap_state and holds up changes for a moment. */
#ifndef PROFILE_HEAP_RECORD_H
#define PROFILE_HEAP_RECORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAP_MAGIC UINT64_C(0x3170616568636f72)	/* "rocheap1" */
#define HEAP_DEPTH 24			/* return addresses of one place, at most */
#define HEAP_SITES_MAX (1U << 16)	/* places; what comes later counts as "other places" */
#define HEAP_FRAMES_MAX (1U << 20)	/* return addresses of all places */
#define HEAP_BLOCKS_FIRST (1U << 12)
#define HEAP_BLOCKS_MAX (1U << 22)	/* room of the table; three quarters of it are used */

/* A place that allocates: a stack of return addresses. Times are microseconds. */
struct heap_site {
	uint64_t total_bytes, total_blocks;
	uint64_t lifetimes_us;			/* of its blocks that are gone */
	uint64_t bytes, blocks;			/* alive */
	uint64_t max_bytes, max_blocks;		/* when its own bytes were most */
	uint64_t peak_bytes, peak_blocks;	/* when those of all were most, at peak EPOCH */
	uint64_t epoch;
	uint32_t hash;
	uint32_t frames, nframes;		/* in the table of addresses; innermost first */
	uint32_t next;				/* in its bucket: number + 1, 0: none */
};

/* A block that is alive. Address 0: an empty place of the table. */
struct heap_block {
	uint64_t address, size;
	uint64_t born_us;
	uint32_t site, pad;
};

/* Where everything is. Pointers are kept as numbers, because outsiders read this, too; its layout
 * is what MAGIC stands for. */
struct heap_state {
	_Atomic uint64_t magic;		/* HEAP_MAGIC: it records; 0: not yet, or not at all */
	_Atomic uint32_t lock;		/* 0 free, 1 taken, 2 and somebody waits */
	uint32_t pid;			/* whose heap it is */
	_Atomic uint64_t hold_until_ns;	/* CLOCK_MONOTONIC: until then an outsider reads; 0: none */
	uint64_t started_us;		/* CLOCK_MONOTONIC */
	uint64_t sites, frames, buckets, blocks;	/* addresses of the tables */
	uint32_t nsites, nframes;
	uint32_t room, nblocks;		/* of the table of blocks: a power of two */
	uint64_t bytes, total_bytes, total_blocks;
	uint64_t peak_bytes, peak_blocks, peak_us;
	uint64_t epoch;			/* how often there was a new peak */
	uint64_t untracked;		/* blocks beyond the table: in the totals only */
};

/* One per process; its address is what outsiders ask for. */
extern struct heap_state procd_heap_state;

/* Begin, with empty books. 0, -EALREADY, or -errno when there is no memory. After a fork only the
 * parent goes on. */
int heap_record_start(void);
/* End; the books are gone. */
void heap_record_stop(void);
/* Does it record, in this very process? */
extern _Atomic int *_Atomic heap_record_gate;
static inline bool heap_record_on(void)
{
	_Atomic int *gate = atomic_load_explicit(&heap_record_gate, memory_order_relaxed);

	return atomic_load_explicit(gate, memory_order_relaxed) != 0;
}

/* A block of SIZE bytes was born at ADDRESS, asked for from STACK (N >= 1 return addresses, the
 * innermost first). */
void heap_record_born(const void *address, size_t size, const uintptr_t *stack, unsigned n);
/* The block at ADDRESS is about to be given back; it may be one that is not known. *WAS is what was
 * known of it (address 0: nothing), for heap_record_undo(). */
void heap_record_died(const void *address, struct heap_block *was);
/* It lives on after all: realloc(3) failed. */
void heap_record_undo(const struct heap_block *was);

/* Nothing changes between these. False: not within PATIENCE_MS. Async-signal-safe unless the
 * calling thread is inside of one of the above. */
bool heap_record_freeze(int patience_ms);
void heap_record_thaw(void);

uint64_t heap_now_us(void);	/* CLOCK_MONOTONIC */

#endif
