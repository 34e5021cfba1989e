/* Pieces are appended from left to right and cut as they come, so nothing that is drawn can leave
 * its row. Columns of the table give way one after the other when the screen is narrow. */
#include "console/frame.h"

#include "base/alloc.h"
#include "base/text.h"
#include "console/figures.h"

void frame_fini(struct frame *f)
{
	strbuf_fini(&f->text);
	free(f->pieces);
	*f = (struct frame)FRAME_INIT;
}

void frame_begin(struct frame *f, unsigned columns, unsigned rows)
{
	strbuf_reset(&f->text);
	f->n = 0;
	f->columns = columns;
	f->rows = rows;
	frame_row(f, 0, false);
}

void frame_row(struct frame *f, unsigned row, bool reverse)
{
	f->row = row;
	f->column = 0;
	f->reverse = reverse;
}

void frame_put(struct frame *f, enum tint tint, const char *text, size_t n, unsigned width)
{
	unsigned left = f->columns - MIN(f->column, f->columns);
	struct piece *piece;

	width = MIN(width, left);
	if (f->row >= f->rows || width == 0 || n == 0)
		return;
	if (f->n == f->cap) {
		f->cap = MAX(f->cap * 2, (size_t)256);
		f->pieces = x_reallocarray(f->pieces, f->cap, sizeof(*f->pieces));
	}
	piece = &f->pieces[f->n++];
	*piece = (struct piece){ .row = f->row, .column = f->column, .at = f->text.len,
				 .tint = tint, .reverse = f->reverse };
	f->column += cell_cut(text, n, width, &f->text);
	piece->len = f->text.len - piece->at;
}

void frame_add(struct frame *f, enum tint tint, const char *text)
{
	frame_put(f, tint, text, strlen(text), f->columns);
}

void frame_pad(struct frame *f, unsigned column)
{
	static const char blanks[] = "                                                                ";

	column = MIN(column, f->columns);
	while (f->column < column && f->row < f->rows) {
		unsigned n = MIN(column - f->column, (unsigned)sizeof(blanks) - 1);

		frame_put(f, TINT_NONE, blanks, n, n);
	}
}

void frame_text(const struct frame *f, unsigned row, struct strbuf *out)
{
	unsigned at = 0;

	for (size_t i = 0; i < f->n; i++) {
		const struct piece *piece = &f->pieces[i];

		if (piece->row != row)
			continue;
		for (; at < piece->column; at++)
			strbuf_addch(out, ' ');
		strbuf_add(out, f->text.buf + piece->at, piece->len);
		at += text_columns(f->text.buf + piece->at, piece->len);
	}
	while (out->len > 0 && out->buf[out->len - 1] == ' ')
		out->buf[--out->len] = '\0';
}

/* --- the table -------------------------------------------------------------------------------- */

enum column {
	COLUMN_NAME, COLUMN_STATE, COLUMN_PID, COLUMN_UPTIME, COLUMN_RESTARTS, COLUMN_CPU,
	COLUMN_MEMORY, COLUMN_THREADS, COLUMN_FDS, COLUMN_NOTE, COLUMN_COUNT
};

#define NAME_MIN 8
#define NAME_MAX_SHARE 3	/* at most a third of the screen */
#define NOTE_MIN 20

static const struct {
	const char *title;
	unsigned width;
	enum sort_key sort;	/* SORT_NKEYS: not by this */
	unsigned keep;		/* those with the smallest number go first; 0: never */
} columns[COLUMN_COUNT] = {
	[COLUMN_NAME] = { "NAME", 0, SORT_NAME, 0 },
	[COLUMN_STATE] = { "STATE", 10, SORT_STATE, 0 },
	[COLUMN_PID] = { "PID", 7, SORT_NKEYS, 4 },
	[COLUMN_UPTIME] = { "UPTIME", 7, SORT_UPTIME, 7 },
	[COLUMN_RESTARTS] = { "RESTARTS", 8, SORT_RESTARTS, 5 },
	[COLUMN_CPU] = { "CPU%", 5, SORT_CPU, 9 },
	[COLUMN_MEMORY] = { "RSS", 5, SORT_MEMORY, 8 },
	[COLUMN_THREADS] = { "THR", 4, SORT_NKEYS, 1 },
	[COLUMN_FDS] = { "FDS", 5, SORT_NKEYS, 2 },
	[COLUMN_NOTE] = { "NOTE", NOTE_MIN, SORT_NKEYS, 3 },
};

struct layout {
	unsigned widths[COLUMN_COUNT];	/* 0: not shown */
};

static unsigned total(const struct layout *l)
{
	unsigned sum = 0;

	for (int i = 0; i < COLUMN_COUNT; i++)
		sum += l->widths[i] > 0 ? l->widths[i] + (i > 0) : 0;
	return sum;
}

/* The shown column that goes first; COLUMN_NAME: all that are left stay. */
static int least(const struct layout *l)
{
	int found = COLUMN_NAME;

	for (int i = 0; i < COLUMN_COUNT; i++)
		if (l->widths[i] > 0 && columns[i].keep > 0 &&
		    (found == COLUMN_NAME || columns[i].keep < columns[found].keep))
			found = i;
	return found;
}

static void lay_out(struct layout *l, const struct rows *r, unsigned room)
{
	unsigned longest = NAME_MIN, name_max = MAX(room / NAME_MAX_SHARE, (unsigned)NAME_MIN);
	int drop;

	for (size_t i = 0; i < r->n; i++)
		longest = MAX(longest, (unsigned)strlen(r->all[i]->name) + 1);
	for (int i = 0; i < COLUMN_COUNT; i++)
		l->widths[i] = columns[i].width;
	l->widths[COLUMN_NAME] = MIN(longest, name_max);
	while (total(l) > room && (drop = least(l)) != COLUMN_NAME)
		l->widths[drop] = 0;
	/* What is left over goes to the note, or makes names whole. */
	if (total(l) < room && l->widths[COLUMN_NOTE] > 0)
		l->widths[COLUMN_NOTE] += room - total(l);
	else if (total(l) < room)
		l->widths[COLUMN_NAME] += MIN(room - total(l), longest - l->widths[COLUMN_NAME]);
}

static bool is_right(int column)
{
	return column >= COLUMN_PID && column <= COLUMN_FDS;
}

static void put_column(struct frame *f, const struct layout *l, int column, enum tint tint,
		       const char *text)
{
	unsigned width = l->widths[column], start = f->column, wide;
	size_t n = strlen(text);

	if (width == 0)
		return;
	if (column > 0) {
		frame_pad(f, start + 1);
		start++;
	}
	wide = is_right(column) ? text_columns(text, n) : width;
	frame_pad(f, start + width - MIN(width, wide));
	frame_put(f, tint, text, n, width);
	frame_pad(f, start + width);
}

static void put_titles(struct frame *f, const struct layout *l, const struct rows *r)
{
	for (int i = 0; i < COLUMN_COUNT; i++) {
		bool sorted = columns[i].sort == r->sort && r->sort != SORT_NKEYS;

		put_column(f, l, i, sorted ? TINT_BOLD : TINT_NONE, columns[i].title);
	}
	frame_pad(f, f->columns);
}

static void number(int64_t n, char *out)
{
	snprintf(out, FIGURE_CAP, n < 0 ? "-" : "%lld", (long long)n);
}

static void put_row(struct frame *f, const struct layout *l, const struct row *row)
{
	char text[FIGURE_CAP], name[NAME_CAP + 2];

	snprintf(name, sizeof(name), "%s%s", row->marked ? "*" : "", row->name);
	put_column(f, l, COLUMN_NAME, row->marked ? TINT_YELLOW : TINT_BOLD, name);
	put_column(f, l, COLUMN_STATE, row->state_tint, row->state);
	number(row->pid, text);
	put_column(f, l, COLUMN_PID, TINT_NONE, text);
	if (row->uptime_ms < 0)
		number(-1, text);
	else
		age_format(row->uptime_ms, text);
	put_column(f, l, COLUMN_UPTIME, TINT_NONE, text);
	number(row->restarts, text);
	put_column(f, l, COLUMN_RESTARTS, row->restarts > 0 ? TINT_YELLOW : TINT_NONE, text);
	if (row->cpu_percent < 0)
		number(-1, text);
	else
		percent_format(row->cpu_percent, text);
	put_column(f, l, COLUMN_CPU, TINT_NONE, text);
	if (row->rss_bytes < 0)
		number(-1, text);
	else
		bytes_format(row->rss_bytes, text);
	put_column(f, l, COLUMN_MEMORY, TINT_NONE, text);
	number(row->threads, text);
	put_column(f, l, COLUMN_THREADS, TINT_NONE, text);
	number(row->fds, text);
	put_column(f, l, COLUMN_FDS, TINT_NONE, text);
	put_column(f, l, COLUMN_NOTE, row->note_tint, row->note);
	if (f->reverse)
		frame_pad(f, f->columns);
}

void frame_table(struct frame *f, struct rows *r, unsigned from, unsigned to)
{
	unsigned height = to > from + 1 ? to - from - 1 : 0;
	struct layout l;

	lay_out(&l, r, f->columns);
	rows_scroll(r, height);
	frame_row(f, from, true);
	put_titles(f, &l, r);
	for (unsigned i = 0; i < height && r->first + i < r->nshown; i++) {
		const struct row *row = r->shown[r->first + i];

		frame_row(f, from + 1 + i, row == r->chosen);
		put_row(f, &l, row);
	}
}
