/* The rows of a live table: what is known of each subsystem, in an order, behind a filter, with one
 * chosen and some marked, and the part of it that a screen shows. Knows neither terminals nor
 * procd. */
#ifndef CONSOLE_ROWS_H
#define CONSOLE_ROWS_H

#include <stdbool.h>

#include "base/map.h"
#include "console/table.h"

enum sort_key {
	SORT_NAME, SORT_STATE, SORT_UPTIME, SORT_RESTARTS, SORT_CPU, SORT_MEMORY, SORT_NKEYS
};

/* Numbers that are not known are -1. */
struct row {
	char *name, *state, *note;	/* owned; NOTE is harmless text, never NULL */
	enum tint state_tint, note_tint;
	int64_t pid, uptime_ms, restarts, rss_bytes, threads, fds;
	double cpu_percent;
	bool marked;
	bool seen;			/* since rows_begin() */
};

struct rows {
	struct row **all;		/* in the order in which they came */
	size_t n, cap;
	struct map by_name;
	struct row **shown;		/* those behind the filter, in order */
	size_t nshown;
	enum sort_key sort;
	bool reversed;
	char filter[64];		/* part of the name or state; "" all */
	struct row *chosen;		/* NULL: none is shown */
	bool pinned;			/* it was chosen; else it is whatever stands first */
	size_t first;			/* of those shown: the topmost on the screen */
};

#define ROWS_INIT { .sort = SORT_NKEYS }	/* SORT_NKEYS: as they came */
void rows_fini(struct rows *r);

/* A whole answer: begin, then rows_get() for each, then end, which drops those that were not asked
 * for. */
void rows_begin(struct rows *r);
void rows_end(struct rows *r);
/* The row of NAME, made when it is new. */
struct row *rows_get(struct rows *r, const char *name);
struct row *rows_find(const struct rows *r, const char *name);		/* NULL: unknown */
void rows_remove(struct rows *r, const char *name);
void row_set_state(struct row *row, const char *state, enum tint tint);
void row_set_note(struct row *row, const char *note, size_t n, enum tint tint);	/* escapes */

/* After changes of rows, order or filter: make SHOWN anew. The chosen one stays chosen; when it has
 * left, its neighbour is. */
void rows_arrange(struct rows *r);
/* Choose the one BY rows further down (or up); from then on it stays chosen wherever it goes, until
 * the first place is chosen. */
void rows_move(struct rows *r, long by);
/* The chosen one's place among those shown. */
size_t rows_place(const struct rows *r);
/* Scroll so that HEIGHT rows from FIRST on hold the chosen one and no room is wasted. */
void rows_scroll(struct rows *r, size_t height);
size_t rows_marked(const struct rows *r);
void rows_unmark(struct rows *r);

/* The next way of sorting, or (BY -1) the one before, or a given one; again the same: reversed. */
void rows_sort(struct rows *r, enum sort_key key);
void rows_sort_step(struct rows *r, int by);
const char *sort_name(enum sort_key key);

#endif
