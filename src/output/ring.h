/* The capture ring: the last 64 KiB of one stream, in a file that outlives the supervisor.
 *
 * A header page and the data, which is mapped twice in a row: a span of at most RING_DATA bytes is
 * contiguous wherever it begins. Positions count bytes for ever; byte P lives at P % RING_DATA.
 *
 *      written .......... head ...... claim
 *      not yet forwarded       being read
 *
 * Before bytes are taken from the FIFO, CLAIM is set to where HEAD will be (so that readers know
 * what is about to be overwritten), a sentinel is put at the end of the target, and only then EXPECT
 * is set, too: a successor that finds EXPECT > HEAD can tell whether the read happened. One thread
 * writes; tail.c reads from others.
 *
 * Every number of the header carries its check (base/sealed.h) or has one right value only, so a
 * damaged header is never believed. The data has none: it is text for people, nothing is decided by
 * it, and a flipped byte in it is a flipped byte in a log. */
#ifndef OUTPUT_RING_H
#define OUTPUT_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/rcu.h"
#include "base/sealed.h"
#include "base/strbuf.h"

#define RING_DATA (64u * 1024)
#define RING_MAGIC 0x31474e4952504f52ull
#define RING_VERSION 3

struct ring_header {	/* a file format */
	uint64_t magic;
	uint32_t version;
	uint32_t data_size;
	char owner[NAME_CAP];		/* subsystem; another one's ring is not continued */
	_Atomic uint64_t head, claim, expect, written;	/* sealed */
	_Atomic uint32_t reserved;	/* leading data bytes that the file system has room for: a
					   few pages or all */
	uint32_t pad;
	_Atomic uint64_t lost_lines;	/* sealed: ever */
	_Atomic uint64_t lost_unsaid;	/* sealed: of these, not yet told in the log */
	_Atomic uint64_t run_from;	/* sealed: where the output of the latest process begins */
};

struct ring {
	struct ring_header *header;
	char *data;			/* 2 * RING_DATA bytes */
	struct rcu_head rcu;
	int dirfd;
	char file[24];
	bool in_memory;			/* no room in the run directory: does not survive */
	bool set_aside;			/* a damaged ring was replaced, and kept as FILE.bad */
	bool replaced;			/* another owner's was */
};

/* Map FILE in DIRFD (which stays open as long as the ring), continued when it is OWNER's and sound.
 * CREATE: make it when there is none, if need be in memory only. 0, -ENOENT, or negative errno. */
int ring_open(struct ring *r, int dirfd, const char *file, const char *owner, bool create);
void ring_close(struct ring *r);
/* Settle what a dead predecessor left between HEAD and EXPECT. FD: the FIFO it read from. */
void ring_recover(struct ring *r, int fd);

/* Take what the pipe FD holds, as far as there is room. Returns the bytes taken, 0 when the pipe is
 * empty, -ENOBUFS when the ring is full of bytes not yet forwarded, or negative errno.
 * *AVAILABLE: what the pipe held. */
ssize_t ring_capture(struct ring *r, int fd, size_t *available);
/* Append one newline unless the captured bytes end with one. False: no room. */
bool ring_end_line(struct ring *r);
/* Bytes up to TO are forwarded (or lost). */
void ring_advance(struct ring *r, uint64_t to);

static inline uint64_t ring_head(const struct ring *r)
{
	return sealed_value(atomic_load_explicit(&r->header->head, memory_order_acquire));
}

static inline uint64_t ring_written(const struct ring *r)
{
	return sealed_value(atomic_load_explicit(&r->header->written, memory_order_relaxed));
}

/* The bytes not yet forwarded. */
static inline const char *ring_span(const struct ring *r, size_t *len)
{
	uint64_t from = ring_written(r);

	*len = (size_t)(ring_head(r) - from);
	return r->data + from % RING_DATA;
}

/* A new process will write what follows from here on; where the output of the latest begins. */
void ring_run_begins(struct ring *r);
uint64_t ring_run_from(const struct ring *r);

/* Any thread: nothing was read since, nor is it being read, as the claim comes before the read. */
bool ring_run_silent(const struct ring *r);

/* Lines that were lost; how many of them no log tells yet; those told now. */
void ring_lost_add(struct ring *r, uint64_t lines);
uint64_t ring_lost_unsaid(const struct ring *r);
void ring_lost_said(struct ring *r, uint64_t lines);
/* The header's numbers by themselves are what they were meant to be. */
bool ring_numbers_fine(const struct ring_header *h);

/* Any thread: append bytes from *POS on, at most MAX, to OUT; see tail_read(). */
void ring_copy(const struct ring *r, uint64_t *pos, size_t max, struct strbuf *out,
	       uint64_t *lost);

#endif
