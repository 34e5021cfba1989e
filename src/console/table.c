/* Cells are collected first, so the width of each column is known when the first line is written.
 * On a narrow terminal the last column, which holds sentences, moves below its row: a message that
 * can be read is worth a line. */
#include "console/table.h"

#include <limits.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "config.h"

#define GAP 2			/* between columns */
#define INDENT 4		/* of what stands below a row */
#define LAST_MIN 40		/* a last column that is cut to less says too little */
#define FIRST_MIN 8

static const char *const codes[TINT_COUNT] = {
	[TINT_NONE] = "", [TINT_BOLD] = "\033[1m", [TINT_DIM] = "\033[2m",
	[TINT_RED] = "\033[31m", [TINT_GREEN] = "\033[32m", [TINT_YELLOW] = "\033[33m",
	[TINT_CYAN] = "\033[36m",
};

bool colour_wanted(int fd)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return WITH_CONSOLE && isatty(fd) && !(no_color && *no_color) && term &&
	       strcmp(term, "dumb") != 0;
}

unsigned terminal_columns(int fd)
{
	struct winsize size;

	return isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ?
		size.ws_col : UINT_MAX;
}

void tint_add(struct strbuf *out, bool colour, enum tint tint, const char *text, size_t len)
{
	if (!colour || tint == TINT_NONE || len == 0) {
		strbuf_add(out, text, len);
		return;
	}
	strbuf_addstr(out, codes[tint]);
	strbuf_add(out, text, len);
	strbuf_addstr(out, "\033[0m");
}

/* --- cells ------------------------------------------------------------------------------------ */

static bool is_plain(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < 0x20 || s[i] > 0x7e)
			return false;
	return true;
}

void cell_escape(const char *text, size_t n, struct strbuf *out)
{
	size_t from = out->len;

	if (is_plain(text, n)) {
		strbuf_add(out, text, n);
		return;
	}
	terminal_escape(text, n, out);
	for (char *c = out->buf + from; (c = strchr(c, '\t')) != NULL;)
		*c = ' ';
}

unsigned cell_cut(const char *text, size_t n, unsigned width, struct strbuf *out)
{
	unsigned columns = text_columns(text, n);

	if (columns > width) {
		n = text_fit(text, n, width > 0 ? width - 1 : 0);
		columns = text_columns(text, n) + (width > 0);
		strbuf_add(out, text, n);
		strbuf_addstr(out, width > 0 ? "\xe2\x80\xa6" : "");
		return columns;
	}
	strbuf_add(out, text, n);
	return columns;
}

void table_init(struct table *t, const char *const *titles, unsigned columns)
{
	*t = (struct table){ .columns = columns, .room = UINT_MAX, .text = STRBUF_INIT };
	for (unsigned i = 0; i < columns; i++) {
		t->right[i] = titles[i][0] == '>';
		table_add(t, TINT_BOLD, titles[i] + t->right[i]);
	}
}

void table_fini(struct table *t)
{
	strbuf_fini(&t->text);
	free(t->cells);
	*t = (struct table){ .text = STRBUF_INIT };
}

void table_add(struct table *t, enum tint tint, const char *text)
{
	size_t len = strlen(text);
	struct table_cell *cell;

	if (t->n == t->cap) {
		t->cap = MAX(t->cap * 2, (size_t)128);
		t->cells = x_reallocarray(t->cells, t->cap, sizeof(*t->cells));
	}
	cell = &t->cells[t->n];
	cell->at = t->text.len;
	cell->tint = tint;
	if (is_plain(text, len)) {
		strbuf_add(&t->text, text, len);
		cell->width = (unsigned)len;
	} else {
		cell_escape(text, len, &t->text);
		cell->width = text_columns(t->text.buf + cell->at, t->text.len - cell->at);
	}
	cell->len = t->text.len - cell->at;
	t->widths[t->n % t->columns] = MAX(t->widths[t->n % t->columns], cell->width);
	t->n++;
}

/* --- lines ------------------------------------------------------------------------------------ */

void table_fit(struct table *t, unsigned room)
{
	unsigned last = t->columns - 1, before = 0, more;

	t->room = room;
	for (unsigned i = 0; i < last; i++)
		before += t->widths[i] + GAP;
	if (room == UINT_MAX || before + t->widths[last] <= room)
		return;
	t->below = before + LAST_MIN > room;
	if (!t->below) {
		t->widths[last] = room - before;
		return;
	}
	before -= GAP;
	more = before > room ? before - room : 0;
	if (t->widths[0] > FIRST_MIN)
		t->widths[0] -= MIN(more, t->widths[0] - FIRST_MIN);
}

static void add_blanks(struct strbuf *out, unsigned n)
{
	strbuf_reserve(out, n);
	memset(out->buf + out->len, ' ', n);
	out->len += n;
	out->buf[out->len] = '\0';
}

/* CELL cut to WIDTH; returns the columns taken. */
static unsigned add_cell(const struct table *t, const struct table_cell *cell, unsigned width,
			 bool colour, struct strbuf *out)
{
	auto_free(strbuf_fini) struct strbuf cut = STRBUF_INIT;

	if (cell->width <= width) {
		tint_add(out, colour, cell->tint, t->text.buf + cell->at, cell->len);
		return cell->width;
	}
	width = cell_cut(t->text.buf + cell->at, cell->len, width, &cut);
	tint_add(out, colour, cell->tint, cut.buf, cut.len);
	return width;
}

static void end_line(struct strbuf *out)
{
	while (out->len > 0 && out->buf[out->len - 1] == ' ')
		out->buf[--out->len] = '\0';
	strbuf_addch(out, '\n');
}

/* A row without its last cell. What does not fit, even so, is left out. */
static void add_row(const struct table *t, const struct table_cell *row, bool colour,
		    struct strbuf *out)
{
	unsigned at = 0;

	for (unsigned i = 0; i + 1 < t->columns; i++) {
		unsigned gap = i > 0 ? GAP : 0, width = t->widths[i];
		unsigned taken;

		if (t->room != UINT_MAX && at + gap + width > t->room)
			return;
		add_blanks(out, gap);
		if (t->right[i])
			add_blanks(out, width - MIN(width, row[i].width));
		taken = add_cell(t, &row[i], width, colour, out);
		if (!t->right[i])
			add_blanks(out, width - taken);
		at += gap + width;
	}
}

void table_format(const struct table *t, bool colour, struct strbuf *out)
{
	for (size_t i = 0; i + t->columns <= t->n; i += t->columns) {
		const struct table_cell *row = &t->cells[i], *last = &row[t->columns - 1];

		add_row(t, row, colour, out);
		if (!t->below) {
			add_blanks(out, GAP);
			add_cell(t, last, t->widths[t->columns - 1], colour, out);
		}
		end_line(out);
		if (t->below && i > 0 && last->len > 0 && t->room > INDENT) {
			add_blanks(out, INDENT);
			add_cell(t, last, t->room - INDENT, colour, out);
			end_line(out);
		}
	}
}
