/* The last lines of something that goes on: output, events. Bounded; shows its end unless it was
 * scrolled back, and then stays where it is. */
#ifndef CONSOLE_PAGER_H
#define CONSOLE_PAGER_H

#include "console/frame.h"

#define PAGER_LINES_MAX 2000
#define PAGER_LINE_MAX 4096	/* bytes; the rest of a longer line is dropped */

struct pager_line {
	char *text;		/* owned, harmless */
	enum tint tint;
};

struct pager {
	struct pager_line lines[PAGER_LINES_MAX];	/* a ring */
	size_t first, n;
	size_t back;		/* lines below the lowest one shown */
};

void pager_clear(struct pager *p);
void pager_add(struct pager *p, enum tint tint, const char *text, size_t n);	/* escapes */
/* Scroll up (BY > 0) or down. */
void pager_scroll(struct pager *p, long by);
/* Into the rows FROM to TO (not included); long lines go on in the next row. */
void pager_show(const struct pager *p, struct frame *f, unsigned from, unsigned to);

#endif
