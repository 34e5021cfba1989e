/* Where does a value end? Quotes, escapes, brackets and comments are enough to tell. When a bracket
 * is never closed the place to complain about is where it was opened, and reading goes on with the
 * first following line that looks like an entry: one mistake, one message. */
#include "config/scan.h"

#include "config/bare.h"

void cursor_init(struct cursor *c, const char *text, size_t n)
{
	*c = (struct cursor){ .p = text, .end = text + n, .line_start = text, .line = 1 };
}

int cursor_column(const struct cursor *c)
{
	int column = 1;

	for (const char *p = c->line_start; p < c->p; p++)
		column += ((unsigned char)*p & 0xc0) != 0x80;
	return column;
}

bool cursor_at_line_end(const struct cursor *c)
{
	return c->p >= c->end || *c->p == '\n' ||
	       (*c->p == '\r' && c->p + 1 < c->end && c->p[1] == '\n');
}

void cursor_skip_blanks(struct cursor *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t'))
		c->p++;
}

void cursor_next_line(struct cursor *c)
{
	const char *lf = memchr(c->p, '\n', (size_t)(c->end - c->p));

	if (lf == NULL) {
		c->p = c->end;
		return;
	}
	c->p = c->line_start = lf + 1;
	c->line++;
}

size_t scan_bare(struct cursor *c)
{
	const char *start = c->p, *last = c->p;	/* last: behind the last byte that counts */

	for (; !cursor_at_line_end(c); c->p++) {
		if (*c->p == ' ' || *c->p == '\t')
			continue;
		if ((*c->p == '#' || *c->p == ';') && c->p > last)
			break;	/* behind a blank */
		last = c->p + 1;
	}
	while (!cursor_at_line_end(c))
		c->p++;
	return (size_t)(last - start);
}

/* --- strings and brackets ------------------------------------------------------------------- */

/* After the opening """: behind the closing one, if there is any. */
static void skip_multiline_string(struct cursor *c, char quote)
{
	struct cursor probe = *c;

	probe.p += 3;
	for (; probe.p < probe.end; probe.p++) {
		if (*probe.p == '\n') {
			probe.line++;
			probe.line_start = probe.p + 1;
		}
		if (probe.end - probe.p >= 3 && probe.p[0] == quote && probe.p[1] == quote &&
		    probe.p[2] == quote) {
			*c = probe;
			return;
		}
	}
}

static const char *scan_string(struct cursor *c)
{
	struct cursor open = *c;
	char quote = *c->p++;

	if (c->end - c->p >= 2 && c->p[0] == quote && c->p[1] == quote) {
		*c = open;
		return quote == '"' ?
		       "multi-line strings (\"\"\") are not accepted; use \"...\" with \\n" :
		       "multi-line strings (''') are not accepted; use \"...\" with \\n";
	}
	for (; !cursor_at_line_end(c); c->p++) {
		if (*c->p == quote) {
			c->p++;
			return NULL;
		}
		if (*c->p == '\\' && quote == '"' && c->p + 1 < c->end && c->p[1] != '\n')
			c->p++;
	}
	*c = open;
	return "the string is not closed";
}

/* Does the line at P look like "key =" or "[table]"? */
static bool begins_entry(const char *p, const char *end)
{
	const char *word;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (p < end && *p == '[') {
		for (word = ++p; p < end && (bare_is_key(*p) || *p == ':'); p++)
			;
		return p > word && p < end && *p == ']' && (p + 1 == end || p[1] != ',');
	}
	for (word = p; p < end && bare_is_key(*p); p++)
		;
	if (p == word)
		return false;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p < end && *p == '=';
}

/* Inside brackets, at the start of a line: has the value been left open by mistake? Not when it is
 * an inline table, whose lines look like entries. */
static bool left_open(const struct cursor *c, bool in_table)
{
	return !in_table && begins_entry(c->p, c->end);
}

static void skip_comment(struct cursor *c)
{
	while (!cursor_at_line_end(c))
		c->p++;
}

const char *scan_structured(struct cursor *c)
{
	struct cursor open = *c;
	int depth = 0, tables = 0;
	const char *message;

	do {
		char ch = *c->p;

		if (ch == '"' || ch == '\'') {
			message = scan_string(c);
			if (message != NULL)
				return message;
			continue;
		}
		if (ch == '#') {
			skip_comment(c);
			continue;
		}
		if (ch == '\n') {
			cursor_next_line(c);
			if (left_open(c, tables > 0))
				break;
			cursor_skip_blanks(c);
			if (c->p < c->end && *c->p == ';')
				skip_comment(c);
			continue;
		}
		depth += ch == '[' || ch == '{';
		depth -= ch == ']' || ch == '}';
		tables += ch == '{';
		tables -= ch == '}';
		c->p++;
	} while (depth > 0 && c->p < c->end);
	if (depth <= 0)
		return NULL;
	*c = open;
	return *open.p == '[' ? "'[' is not closed" : "'{' is not closed";
}

/* An unclosed string ends with its line; one in three quotes with its other end. */
void scan_resync_string(struct cursor *c)
{
	char quote = c->p < c->end ? *c->p : '\0';

	if (c->end - c->p >= 3 && c->p[1] == quote && c->p[2] == quote)
		skip_multiline_string(c, quote);
}

void scan_resync_brackets(struct cursor *c)
{
	for (;;) {
		const char *lf = memchr(c->p, '\n', (size_t)(c->end - c->p));

		if (lf == NULL || begins_entry(lf + 1, c->end))
			return;
		cursor_next_line(c);
	}
}
