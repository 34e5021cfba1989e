/* Aligned tables for terminals and pipes, coloured on request. What goes into a cell is made
 * harmless here (base/text.h), so hostile names and messages cannot steer a terminal. */
#ifndef COMMAND_TABLE_H
#define COMMAND_TABLE_H

#include <stdbool.h>

#include "base/strbuf.h"

enum tint { TINT_NONE, TINT_BOLD, TINT_DIM, TINT_RED, TINT_GREEN, TINT_YELLOW, TINT_COUNT };

#define TABLE_COLUMNS_MAX 12

struct table_cell {
	size_t at, len;		/* in TEXT */
	unsigned width;		/* in character cells, one per code point */
	enum tint tint;
};

struct table {
	unsigned columns;
	bool right[TABLE_COLUMNS_MAX];	/* aligned to the right */
	unsigned widths[TABLE_COLUMNS_MAX];
	struct strbuf text;
	struct table_cell *cells;	/* row by row */
	size_t n, cap;
};

/* TITLES: the header row, COLUMNS of them; one that begins with '>' is aligned to the right. */
void table_init(struct table *t, const char *const *titles, unsigned columns);
void table_fini(struct table *t);
/* The next cell, from the left to the right, row by row. */
void table_add(struct table *t, enum tint tint, const char *text);
void table_format(const struct table *t, bool colour, struct strbuf *out);

/* Colours on this descriptor: a terminal, TERM not "dumb", NO_COLOR not set. */
bool colour_wanted(int fd);
/* TEXT between the codes of TINT when COLOUR. */
void tint_add(struct strbuf *out, bool colour, enum tint tint, const char *text, size_t len);

/* "3s", "5m12s", "2h07m", "4d03h": at most two units. */
void age_format(int64_t ms, char out[24]);

#endif
