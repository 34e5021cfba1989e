/* What the next supervisor must know: from a subsystem to its entry in core/memory, and back. Main
 * thread. */
#ifndef CORE_SAVED_H
#define CORE_SAVED_H

#include "core/memory.h"
#include "core/subsystem.h"

/* Keep S as it is now. */
void saved_store(struct subsystem *s);
/* Only an entry that can be is to be filled from. */
bool saved_is_sane(const struct memory_entry *e);
/* S, which is new, as E says, but for options and place. */
void saved_fill(struct subsystem *s, const struct memory_entry *e);
/* ... and what its program said, and why it runs (core/notes.h). */
void saved_fill_note(struct subsystem *s, const struct memory_entry *e);
/* How what the configuration no longer knows was to be stopped; untouched when E does not tell.
 * TIMEOUT_UNSET: there was no limit. */
void saved_stop(const struct memory_entry *e, int *signo, int64_t *timeout_ms);

/* The instance: ids, counters, shutdown, state. */
void saved_store_head(struct core *c);
/* Of core_new(): take them up; of a shutdown, only one that this keeper began. */
void saved_load_head(struct core *c);

#endif
