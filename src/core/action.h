/* What the named actions of the matrix do. Called by settle only; they note facts for the next step
 * and never decide about another subsystem. */
#ifndef CORE_ACTION_H
#define CORE_ACTION_H

#include "config/start_files.h"
#include "core/subsystem.h"

/* What must be stored before the new state is told, and what is done after it was told. */
void action_before(struct subsystem *s, enum action action);
void action_after(struct subsystem *s, enum action action);

/* Is a start that failed so procd's trouble, or the machine's, and not the subsystem's? */
bool action_is_our_trouble(const struct subsystem *s, enum spawn_stage stage, int errnum);

/* The start goes on, its pre_start behind it: its files are read, or its plan is sent. */
void action_send_start(struct subsystem *s);
/* Its start waited for sockets (proc.binding), which are there now; or ERRNUM: why not. */
void action_bound(struct subsystem *s, int errnum);
/* The start's plan goes to the keeper; FILES (NULL: none) is what was read for it. */
void action_send_plan(struct subsystem *s, const struct start_files *files);
/* The start that was asked for fails before the keeper heard of it. */
void action_spawn_refused(struct subsystem *s, enum spawn_stage stage, int errnum);

/* S runs: when restart_reset_after has passed, its attempts count anew. */
void action_await_stable(struct subsystem *s);

/* S ended and will not be restarted: what that means for all (critical, `run -- CMD`). */
void action_finally_down(struct subsystem *s);

/* Tell the output side whose lines these are (core_ops.output_pid), if S is captured. */
void action_output_pid(const struct subsystem *s, int pid);

/* Let the output side capture S, if its options say so. Harmless when it does. */
void action_attach(struct subsystem *s);

#endif
