/* One subsystem as `status.get` tells it. Front thread. */
#ifndef CONTROL_STATUS_RECORD_H
#define CONTROL_STATUS_RECORD_H

#include "base/strbuf.h"
#include "event/board.h"

struct output;
struct sample;

/* Milliseconds from THEN to NOW (CLOCK_MONOTONIC, ns); 0 for one that is still to come, or for none
 * (0). */
int64_t status_ms_since(int64_t now, int64_t then);

/* Append the record of R, inside a read section. SAMPLE: what it uses; NULL: not known. OUTPUT:
 * whose troubles with its streams are told; may be NULL. NOW: CLOCK_MONOTONIC, ns. BRIEF: the
 * members that a table shows, and of these only what says something. */
void status_record_put(struct strbuf *out, bool brief, const struct board_record *r,
		       const struct sample *sample, struct output *output, int64_t now);

#endif
