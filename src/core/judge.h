/* What the end of a process means for its subsystem. Called by settle only. */
#ifndef CORE_JUDGE_H
#define CORE_JUDGE_H

#include "core/subsystem.h"

/* A process ended: record how, let the policy speak (subsystem.next_restart_ms, gave_up). Returns
 * FACT_DONE or FACT_DIED. */
enum fact judge_end(struct subsystem *s);
/* The same for a start that failed. */
void judge_failed_start(struct subsystem *s);
/* True when the process that just ended had lived long enough to count as started. */
bool judge_was_ready(const struct subsystem *s);

#endif
