/* The last 64 KiB of each subsystem's output, for `procd logs`. Any thread; lock-free against the
 * log thread (what was overwritten during a copy is copied again or counted as lost). */
#ifndef OUTPUT_TAIL_H
#define OUTPUT_TAIL_H

#include "output/output.h"

enum tail_stream { TAIL_OUT, TAIL_ERR };	/* TAIL_ERR only with stderr = "log" */

/* Bytes of SLOT's STREAM from position *POS on, at most MAX, appended to OUT; *POS advances to the
 * end of what was copied. Positions count all bytes ever captured; a *POS older than the ring is
 * moved up and the difference added to *LOST. Returns false when there is no such output yet. */
bool tail_read(struct output *o, uint32_t slot, enum tail_stream stream, uint64_t *pos, size_t max,
	       struct strbuf *out, uint64_t *lost);
/* Position from which the last N lines can be read (N < 0: everything that is left). */
uint64_t tail_seek_lines(struct output *o, uint32_t slot, enum tail_stream stream, long n);
/* WAKE(CTX) on the log thread after new output of any slot; only to wake. At most 8. */
void tail_subscribe(struct output *o, void (*wake)(void *ctx), void *ctx);
void tail_unsubscribe(struct output *o, void (*wake)(void *ctx), void *ctx);

#endif
