/* Aligned tables for terminals and pipes, coloured on request. What goes into a cell is made
 * harmless here (base/text.h), so hostile names and messages cannot steer a terminal. */
#ifndef CONSOLE_TABLE_H
#define CONSOLE_TABLE_H

#include <stdbool.h>

#include "base/strbuf.h"

enum tint {
	TINT_NONE, TINT_BOLD, TINT_DIM, TINT_RED, TINT_GREEN, TINT_YELLOW, TINT_CYAN, TINT_COUNT
};

#define TABLE_COLUMNS_MAX 12

struct table_cell {
	size_t at, len;		/* in TEXT */
	unsigned width;		/* in columns of the terminal */
	enum tint tint;
};

struct table {
	unsigned columns;
	bool right[TABLE_COLUMNS_MAX];	/* aligned to the right */
	unsigned widths[TABLE_COLUMNS_MAX];
	unsigned room;			/* of a line; UINT_MAX: any */
	bool below;			/* the last column stands below its row */
	struct strbuf text;
	struct table_cell *cells;	/* row by row */
	size_t n, cap;
};

/* TITLES: the header row, COLUMNS of them; one that begins with '>' is aligned to the right. */
void table_init(struct table *t, const char *const *titles, unsigned columns);
void table_fini(struct table *t);
/* The next cell, from the left to the right, row by row. */
void table_add(struct table *t, enum tint tint, const char *text);
/* All cells are there: make it fit a line of ROOM columns. The last column gets what the others
 * leave, or, where that is too little, lines of its own; what is still too wide is cut. */
void table_fit(struct table *t, unsigned room);
void table_format(const struct table *t, bool colour, struct strbuf *out);

/* Append TEXT made harmless, on one line. */
void cell_escape(const char *text, size_t n, struct strbuf *out);
/* Append the beginning of the harmless TEXT that fits in WIDTH columns, with an ellipsis where
 * something is missing; returns the columns taken. */
unsigned cell_cut(const char *text, size_t n, unsigned width, struct strbuf *out);

/* Colours on this descriptor: a terminal, TERM not "dumb", NO_COLOR not set. */
bool colour_wanted(int fd);
/* Columns of the terminal FD; UINT_MAX: none, or it does not tell. */
unsigned terminal_columns(int fd);
/* TEXT between the codes of TINT when COLOUR. */
void tint_add(struct strbuf *out, bool colour, enum tint tint, const char *text, size_t len);

#endif
