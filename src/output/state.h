/* What the log thread has to remember beyond its death, besides the rings: the write under way and
 * how far the event sink is. One page or two of the run directory, mapped. */
#ifndef OUTPUT_STATE_H
#define OUTPUT_STATE_H

#include <stdatomic.h>

#include "output/target.h"

#define STATE_PATH_CAP 4096

struct state {	/* a file format */
	uint64_t magic;
	uint32_t version;
	uint32_t size;			/* of this */
	_Atomic uint64_t check;		/* of what follows up to PATH, which describes a write
					   under way; 0: none is */
	char ring[24];			/* file name of the ring whose bytes are written */
	uint64_t raw_to;		/* its WRITTEN after this write */
	uint64_t dev, ino, offset, out_len;
	int32_t fd;			/* the given descriptor; -1: PATH */
	uint32_t pad;
	char path[STATE_PATH_CAP];
	_Atomic uint64_t sink_active;	/* sealed, 0 or 1: the event sink was writing */
	_Atomic uint64_t sink_seq;	/* sealed: last event that it wrote */
};

/* Where there can be no such file, memory that does not survive. A damaged file is kept as
 * "output.state.bad", reported, and begun anew. NULL with errno when it cannot be told which it is,
 * for want of a descriptor or of memory, or as the disk does not answer. */
struct state *state_open(int run_dirfd);
void state_close(struct state *st);

/* About to write OUT_LEN bytes to T, after which RING's bytes up to RAW_TO are forwarded. */
void state_begin(struct state *st, const char *ring, uint64_t raw_to, struct target *t,
		 size_t out_len);
void state_end(struct state *st);
/* Before anything is written: finish the bookkeeping of a predecessor that died in a write. A part
 * of it that reached the file is taken back, so that it can be written again. */
void state_settle(struct state *st, int ring_dirfd);

#endif
