/* Facts that recovery reads from the records instead of hearing them from the keeper. */
#ifndef CORE_FACTS_H
#define CORE_FACTS_H

#include "core/subsystem.h"

/* Whose process SPAWN_ID in SLOT is, or whose streams SLOT has; NULL: nobody's. It may be one that
 * nobody else sees (core/overlap.h). */
struct subsystem *facts_subsystem(const struct core *c, uint32_t slot, uint64_t spawn_id);
/* Whose process is, or would be, in SLOT. */
struct subsystem *facts_subsystem_in(const struct core *c, uint32_t slot);

/* The main process ended: drain its output, if there may be some, then the end is noted. */
void facts_exited(struct subsystem *s, int wait_status, int64_t at_mono_ns, bool tree_empty,
		  bool silent);
/* Its end is known and its output is read. */
void facts_ended(struct subsystem *s);

#endif
