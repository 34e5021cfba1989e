/* Finding where a value ends, without understanding it. Pure; any thread. */
#ifndef CONFIG_SCAN_H
#define CONFIG_SCAN_H

#include <stdbool.h>

#include "base/util.h"

struct cursor {
	const char *p, *end;
	const char *line_start;
	int line;	/* of p, from 1 */
};
void cursor_init(struct cursor *c, const char *text, size_t n);
int cursor_column(const struct cursor *c);	/* from 1, in characters */
bool cursor_at_line_end(const struct cursor *c);	/* LF, CR LF, or the end of the text */
void cursor_skip_blanks(struct cursor *c);	/* spaces and tabs */
void cursor_next_line(struct cursor *c);	/* behind the next LF */

/* Bare text up to " #", " ;" or the line's end. Returns its length without blanks at the end. */
size_t scan_bare(struct cursor *c);
/* At a quote or bracket: go behind its end, over several lines when it is a bracket. Otherwise a
 * message comes back and the cursor is where that applies. */
const char *scan_structured(struct cursor *c);
/* After an error of scan_structured(): go on to the line behind which reading makes sense again.
 * For a value that is one string, and for one in brackets. */
void scan_resync_string(struct cursor *c);
void scan_resync_brackets(struct cursor *c);

#endif
