/* Cells are collected first, so the width of each column is known when the first line is
 * written. */
#include "command/table.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"

static const char *const codes[TINT_COUNT] = {
	[TINT_NONE] = "", [TINT_BOLD] = "\033[1m", [TINT_DIM] = "\033[2m",
	[TINT_RED] = "\033[31m", [TINT_GREEN] = "\033[32m", [TINT_YELLOW] = "\033[33m",
};

bool colour_wanted(int fd)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fd) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

void tint_add(struct strbuf *out, bool colour, enum tint tint, const char *text, size_t len)
{
	if (!colour || tint == TINT_NONE) {
		strbuf_add(out, text, len);
		return;
	}
	strbuf_addstr(out, codes[tint]);
	strbuf_add(out, text, len);
	strbuf_addstr(out, "\033[0m");
}

void table_init(struct table *t, const char *const *titles, unsigned columns)
{
	*t = (struct table){ .columns = columns, .text = STRBUF_INIT };
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

static bool is_plain(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < 0x20 || s[i] > 0x7e)
			return false;
	return true;
}

static unsigned width_of(const char *s, size_t n)
{
	unsigned width = 0;

	for (size_t i = 0; i < n; i++)
		width += ((unsigned char)s[i] & 0xc0) != 0x80;
	return width;
}

void table_add(struct table *t, enum tint tint, const char *text)
{
	size_t n = strlen(text);
	struct table_cell *cell;

	if (t->n == t->cap) {
		t->cap = MAX(t->cap * 2, (size_t)128);
		t->cells = x_reallocarray(t->cells, t->cap, sizeof(*t->cells));
	}
	cell = &t->cells[t->n];
	cell->at = t->text.len;
	cell->tint = tint;
	if (is_plain(text, n))
		strbuf_add(&t->text, text, n);
	else
		terminal_escape(text, n, &t->text);
	cell->len = t->text.len - cell->at;
	cell->width = width_of(t->text.buf + cell->at, cell->len);
	t->widths[t->n % t->columns] = MAX(t->widths[t->n % t->columns], cell->width);
	t->n++;
}

static void add_blanks(struct strbuf *out, unsigned n)
{
	while (n-- > 0)
		strbuf_addch(out, ' ');
}

void table_format(const struct table *t, bool colour, struct strbuf *out)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct table_cell *cell = &t->cells[i];
		unsigned column = (unsigned)(i % t->columns);
		unsigned pad = t->widths[column] - cell->width;
		bool last = column + 1 == t->columns;

		if (t->right[column])
			add_blanks(out, pad);
		tint_add(out, colour, cell->tint, t->text.buf + cell->at, cell->len);
		if (last) {
			while (out->len > 0 && out->buf[out->len - 1] == ' ')
				out->buf[--out->len] = '\0';
			strbuf_addch(out, '\n');
			continue;
		}
		if (!t->right[column])
			add_blanks(out, pad);
		add_blanks(out, 2);
	}
}

void age_format(int64_t ms, char out[24])
{
	int64_t s = ms / MS_PER_SEC;

	if (s < 60)
		snprintf(out, 24, "%llds", (long long)s);
	else if (s < 3600)
		snprintf(out, 24, "%lldm%02llds", (long long)(s / 60), (long long)(s % 60));
	else if (s < 86400)
		snprintf(out, 24, "%lldh%02lldm", (long long)(s / 3600), (long long)(s / 60 % 60));
	else
		snprintf(out, 24, "%lldd%02lldh", (long long)(s / 86400),
			 (long long)(s / 3600 % 24));
}
