/* Facts that recovery reads from the records instead of hearing them from the keeper. */
#ifndef CORE_FACTS_H
#define CORE_FACTS_H

#include "core/subsystem.h"

/* The main process ended: drain its output, then the end is noted. */
void facts_exited(struct subsystem *s, int wait_status, int64_t at_mono_ns, bool tree_empty);
/* Its end is known and its output is read. */
void facts_ended(struct subsystem *s);

#endif
