/* Filled from the last line upwards, because how many fit depends on how often they are broken. */
#include "console/pager.h"

#include "base/alloc.h"
#include "base/text.h"

static size_t place_of(const struct pager *p, size_t i)
{
	return (p->first + i) % PAGER_LINES_MAX;
}

void pager_clear(struct pager *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->lines[place_of(p, i)].text);
	p->first = p->n = p->back = 0;
}

void pager_add(struct pager *p, enum tint tint, const char *text, size_t n)
{
	struct strbuf safe = STRBUF_INIT;
	struct pager_line *line;

	cell_escape(text, MIN(n, (size_t)PAGER_LINE_MAX), &safe);
	if (p->n == PAGER_LINES_MAX) {
		free(p->lines[p->first].text);
		p->first = (p->first + 1) % PAGER_LINES_MAX;
		p->n--;
	}
	line = &p->lines[place_of(p, p->n++)];
	line->text = safe.len > 0 ? strbuf_detach(&safe) : x_strdup("");
	line->tint = tint;
	if (p->back > 0)	/* whoever reads further up wants to go on reading */
		p->back = MIN(p->back + 1, p->n - 1);
}

void pager_scroll(struct pager *p, long by)
{
	if (by >= 0)
		p->back = MIN(p->back + (size_t)by, p->n > 0 ? p->n - 1 : 0);
	else
		p->back -= MIN((size_t)-by, p->back);
}

static unsigned height_of(const struct pager_line *line, unsigned columns)
{
	size_t n = strlen(line->text), at = 0, len;
	unsigned rows = 0;

	do {
		len = text_fit(line->text + at, n - at, columns);
		at += len;
		rows++;
	} while (at < n && len > 0);
	return rows;
}

/* From ROW on, without the first SKIP rows of it and not beyond TO; returns the row below. */
static unsigned put_line(struct frame *f, const struct pager_line *line, unsigned row, unsigned to,
			 unsigned skip)
{
	size_t n = strlen(line->text), at = 0, len;

	do {
		len = text_fit(line->text + at, n - at, f->columns);
		if (skip > 0) {
			skip--;
		} else if (row < to) {
			frame_row(f, row++, false);
			frame_put(f, line->tint, line->text + at, len, f->columns);
		}
		at += len;
	} while (at < n && len > 0);
	return row;
}

void pager_show(const struct pager *p, struct frame *f, unsigned from, unsigned to)
{
	unsigned room = to > from ? to - from : 0, used = 0, skip;
	size_t end = p->n - MIN(p->back, p->n), begin = end;

	while (begin > 0 && used < room)
		used += height_of(&p->lines[place_of(p, --begin)], f->columns);
	skip = used > room ? used - room : 0;
	for (; end < p->n && used < room; end++)	/* at the very top: no room is wasted */
		used += height_of(&p->lines[place_of(p, end)], f->columns);
	for (; begin < end; begin++, skip = 0)
		from = put_line(f, &p->lines[place_of(p, begin)], from, to, skip);
}
