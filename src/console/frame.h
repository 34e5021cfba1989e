/* One picture of a screen: pieces of text in places. What draws it decides how (console/screen.h);
 * tests read it as text. */
#ifndef CONSOLE_FRAME_H
#define CONSOLE_FRAME_H

#include "console/rows.h"

struct piece {
	unsigned row, column;
	size_t at, len;			/* in TEXT: harmless UTF-8 that ends within the row */
	enum tint tint;
	bool reverse;
};

struct frame {
	unsigned columns, rows;
	struct strbuf text;
	struct piece *pieces;		/* from the top left to the bottom right */
	size_t n, cap;
	unsigned row, column;		/* where the next piece goes */
	bool reverse;
};
#define FRAME_INIT { .text = STRBUF_INIT }
void frame_fini(struct frame *f);

/* Begin a picture of this size. */
void frame_begin(struct frame *f, unsigned columns, unsigned rows);
/* Go to the beginning of ROW; REVERSE: all of it. Rows beyond the last are dropped. */
void frame_row(struct frame *f, unsigned row, bool reverse);
/* Put TEXT, which is harmless, cut to WIDTH columns and to the row. */
void frame_put(struct frame *f, enum tint tint, const char *text, size_t n, unsigned width);
void frame_add(struct frame *f, enum tint tint, const char *text);
/* Blanks up to COLUMN. */
void frame_pad(struct frame *f, unsigned column);
/* For tests and for terminals without a library: ROW as text, without blanks at its end. */
void frame_text(const struct frame *f, unsigned row, struct strbuf *out);

/* The table of R in the rows FROM to TO (not included): titles, then as many as fit. */
void frame_table(struct frame *f, struct rows *r, unsigned from, unsigned to);

#endif
