/* The steps of a stop: ask, ask every member, force, kill; or ask and kill at stop_timeout. */
#ifndef CORE_LADDER_H
#define CORE_LADDER_H

#include "core/subsystem.h"

/* Ask S's process, or what is left of its tree, to end, and arm the next step. Nothing when a stop
 * is under way. */
void ladder_begin(struct subsystem *s);
/* A stop_command was not enough: the stop signal after all, if the stop has come no further. */
void ladder_ask(struct subsystem *s);
/* A deadline was reached: take the step, arm the next. */
void ladder_climb(struct subsystem *s);
/* The deadlines changed: the next one counts from the beginning of the stop, as ever. */
void ladder_retime(struct subsystem *s);
/* Take STEP now if a stop is under way and has not come that far (shutdown phases). */
void ladder_push(struct subsystem *s, enum ladder_step step);
/* Go on where the supervisor before stopped: steps whose time has come are taken again. */
void ladder_resume(struct subsystem *s);
/* The tree is empty. */
void ladder_end(struct subsystem *s);

#endif
