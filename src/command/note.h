/* What is worth knowing about a subsystem beside its state, in a few words. */
#ifndef COMMAND_NOTE_H
#define COMMAND_NOTE_H

#include "base/json.h"
#include "command/view.h"
#include "console/table.h"

enum tint state_tint(struct span state);

/* Append it to OUT, not made harmless; nothing when all is well. Returns how grave it is: red,
 * yellow, or none. */
enum tint note_format(const struct view *v, struct strbuf *out);

/* One answer of subsystem.why as lines, harmless, appended to OUT. In verbs_query.c. */
void why_format(const json_t *why, struct strbuf *out);

#endif
