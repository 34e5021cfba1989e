/* The one place where a state is stored and told: object, stamp, board, event, memory. */
#ifndef CORE_PUBLISH_H
#define CORE_PUBLISH_H

#include "core/subsystem.h"

/* Store NEXT (a legal transition, else a bug), then tell it once. */
void publish_state(struct subsystem *s, enum subsystem_state next, enum reason reason);
/* Tell ready_changed, if that is news. */
void publish_ready(struct subsystem *s, enum reason reason);
/* Tell what is known of S's health now, and what that does to its readiness. */
void publish_health(struct subsystem *s);
/* Something that status shows or that the next supervisor must know has changed: board and memory,
 * no event. */
void publish_update(struct subsystem *s);
/* Send the last state_changed again: the supervisor before died between saving and sending it. */
void publish_missing_event(struct subsystem *s);
/* Count S in, out of the numbers per state (it appears, it disappears). */
void publish_appear(struct subsystem *s);
void publish_disappear(struct subsystem *s);

/* The instance, on the board, at the end of a settle. */
void publish_daemon(struct core *c);

/* {"id","name"} for events about S. */
json_t *publish_ident(const struct subsystem *s);

#endif
