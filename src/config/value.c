/* TOML values, by recursive descent over a span that the reader has cut out (or over a whole JSON
 * text). Every value remembers where it began, so that later checks can point at it. Depth is
 * bounded, and each byte is looked at a constant number of times. */
#include "config/value.h"

#include <errno.h>
#include <stdarg.h>

#include "base/alloc.h"
#include "base/map.h"
#include "config/bare.h"

#define DEPTH_MAX 32

struct parser {
	const char *p, *end;
	int line, column;	/* of p */
	enum value_syntax syntax;
	int depth;
	struct value_error *error;
};

static int fail_at(struct parser *ps, int line, int column, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
static int fail_at(struct parser *ps, int line, int column, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ps->error->message, sizeof(ps->error->message), fmt, ap);
	va_end(ap);
	ps->error->line = line;
	ps->error->column = column;
	return -EINVAL;
}
#define fail(ps, ...) fail_at((ps), (ps)->line, (ps)->column, __VA_ARGS__)

static void advance(struct parser *ps)
{
	unsigned char c = (unsigned char)*ps->p++;

	if (c == '\n') {
		ps->line++;
		ps->column = 1;
	} else if ((c & 0xc0) != 0x80) {
		ps->column++;
	}
}

static int peek(const struct parser *ps)
{
	return ps->p < ps->end ? (unsigned char)*ps->p : -1;
}

/* Blanks, line ends and comments inside brackets. ';' opens a comment at a line's start only. */
static void skip_space(struct parser *ps)
{
	bool line_start = false;

	while (ps->p < ps->end) {
		char c = *ps->p;

		if (c == '#' || (c == ';' && line_start)) {
			while (ps->p < ps->end && *ps->p != '\n')
				advance(ps);
			continue;
		}
		if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
			return;
		if (c == '\n')
			line_start = true;
		advance(ps);
	}
}

/* --- strings -------------------------------------------------------------------------------- */

static int hex_digits(struct parser *ps, int n, uint32_t *out)
{
	uint32_t v = 0;

	for (int i = 0; i < n; i++) {
		int c = peek(ps), d;

		if (c >= '0' && c <= '9')
			d = c - '0';
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			d = (c | 32) - 'a' + 10;
		else
			return fail(ps, "\\%c needs %d hexadecimal digits", n == 4 ? 'u' : 'U', n);
		v = v * 16 + (uint32_t)d;
		advance(ps);
	}
	*out = v;
	return 0;
}

static void add_utf8(struct strbuf *sb, uint32_t cp)
{
	if (cp < 0x80) {
		strbuf_addch(sb, (char)cp);
		return;
	}
	if (cp >= 0x10000) {
		strbuf_addch(sb, (char)(0xf0 | (cp >> 18)));
		strbuf_addch(sb, (char)(0x80 | ((cp >> 12) & 0x3f)));
	} else if (cp >= 0x800) {
		strbuf_addch(sb, (char)(0xe0 | (cp >> 12)));
	}
	if (cp >= 0x800)
		strbuf_addch(sb, (char)(0x80 | ((cp >> 6) & 0x3f)));
	else
		strbuf_addch(sb, (char)(0xc0 | (cp >> 6)));
	strbuf_addch(sb, (char)(0x80 | (cp & 0x3f)));
}

/* After "\u" or "\U". JSON pairs two surrogates. */
static int parse_unicode(struct parser *ps, int digits, struct strbuf *sb)
{
	uint32_t cp, low;
	int line = ps->line, column = ps->column;

	if (hex_digits(ps, digits, &cp) < 0)
		return -EINVAL;
	if (ps->syntax == VALUE_JSON && cp >= 0xd800 && cp < 0xdc00 && ps->end - ps->p > 6 &&
	    ps->p[0] == '\\' && ps->p[1] == 'u') {
		advance(ps);
		advance(ps);
		if (hex_digits(ps, 4, &low) < 0)
			return -EINVAL;
		if (low >= 0xdc00 && low < 0xe000)
			cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
	}
	if (cp == 0)
		return fail_at(ps, line, column, "a string cannot hold the character U+0000");
	if (cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
		return fail_at(ps, line, column, "U+%04X is not a character", (unsigned)cp);
	add_utf8(sb, cp);
	return 0;
}

static int parse_escape(struct parser *ps, struct strbuf *sb)
{
	static const char from[] = "btnfre\"\\/", to[] = "\b\t\n\f\r\033\"\\/";
	int line = ps->line, column = ps->column, c;
	const char *at;

	advance(ps);
	c = peek(ps);
	if (c == 'u' || c == 'U') {
		advance(ps);
		return parse_unicode(ps, c == 'u' ? 4 : 8, sb);
	}
	at = c > 0 ? strchr(from, c) : NULL;
	if (at == NULL || (c == '/' && ps->syntax != VALUE_JSON))
		return fail_at(ps, line, column,
			       "unknown escape in a string; write \\\\ for a backslash, or "
			       "use '...'");
	strbuf_addch(sb, to[at - from]);
	advance(ps);
	return 0;
}

static bool stands_for_itself(char c, char quote)
{
	return c >= ' ' && (unsigned char)c < 0x80 && c != quote && c != '\\';
}

static void take_plain(struct parser *ps, char quote, struct strbuf *sb)
{
	const char *from = ps->p;
	size_t n;

	while (ps->p < ps->end && stands_for_itself(*ps->p, quote))
		ps->p++;
	n = (size_t)(ps->p - from);
	ps->column += (int)n;
	strbuf_add(sb, from, n);
}

static int parse_string(struct parser *ps, struct value *out)
{
	auto_free(strbuf_fini) struct strbuf sb = STRBUF_INIT;
	int line = ps->line, column = ps->column;
	char quote = *ps->p;

	if (ps->syntax == VALUE_TOML && ps->end - ps->p >= 3 && ps->p[1] == quote &&
	    ps->p[2] == quote)
		return fail(ps, "multi-line strings (%c%c%c) are not accepted; use \\n", quote,
			    quote, quote);
	advance(ps);
	for (take_plain(ps, quote, &sb); peek(ps) != quote; take_plain(ps, quote, &sb)) {
		if (peek(ps) < 0 || peek(ps) == '\n')
			return fail_at(ps, line, column, "the string is not closed");
		if (peek(ps) == 0)
			return fail(ps, "a string cannot hold the character U+0000");
		if (*ps->p == '\\' && quote == '"') {
			if (parse_escape(ps, &sb) < 0)
				return -EINVAL;
			continue;
		}
		strbuf_addch(&sb, *ps->p);
		advance(ps);
	}
	advance(ps);
	out->kind = VALUE_STRING;
	value_set_text(out, strbuf_detach(&sb));
	return 0;
}

/* --- bare text ------------------------------------------------------------------------------ */

static int set_bare(struct parser *ps, const char *s, size_t n, int line, int column,
		    struct value *out)
{
	if (bare_is_date(s, n))
		return fail_at(ps, line, column,
			       "dates and times are not accepted; put the text in quotes");
	bare_classify(s, n, out);
	return 0;
}

/* Inside brackets a bare word ends at a blank, comma, bracket or quote. */
static int parse_bare_item(struct parser *ps, struct value *out)
{
	const char *start = ps->p;
	int line = ps->line, column = ps->column;

	while (ps->p < ps->end && strchr(" \t\r\n,#[]{}\"'", *ps->p) == NULL &&
	       (ps->syntax != VALUE_JSON || *ps->p != ':'))
		advance(ps);
	if (ps->p == start)
		return fail(ps, "a value is missing");
	if (ps->syntax == VALUE_JSON && *start == 'n') {
		out->kind = VALUE_NULL;
		return 0;
	}
	return set_bare(ps, start, (size_t)(ps->p - start), line, column, out);
}

/* --- arrays and tables ---------------------------------------------------------------------- */

static int parse_value(struct parser *ps, struct value *out);

static struct value *add_item(struct value *v)
{
	/* 0, 4, 8, 16, ... are full */
	if (v->n == 0 || (v->n >= 4 && (v->n & (v->n - 1)) == 0))
		v->items = x_reallocarray(v->items, MAX(v->n * 2, (size_t)4), sizeof(*v->items));
	v->items[v->n] = (struct value)VALUE_INIT;
	return &v->items[v->n++];
}

/* Behind an item: 1 when another may follow, 0 when CLOSE was taken. */
static int next_item(struct parser *ps, char close, int line, int column)
{
	skip_space(ps);
	if (peek(ps) == close) {
		advance(ps);
		return 0;
	}
	if (peek(ps) == ',') {
		advance(ps);
		skip_space(ps);
		if (peek(ps) != close)
			return 1;
		advance(ps);
		return 0;
	}
	if (peek(ps) < 0)
		return fail_at(ps, line, column, "'%c' is not closed", close == ']' ? '[' : '{');
	return fail(ps, "expected ',' or '%c' here", close);
}

static int parse_array(struct parser *ps, struct value *out)
{
	int line = ps->line, column = ps->column, more = 1;

	out->kind = VALUE_ARRAY;
	advance(ps);
	skip_space(ps);
	if (peek(ps) == ']') {
		advance(ps);
		return 0;
	}
	while (more > 0) {
		struct value *item;

		if (peek(ps) < 0)
			return fail_at(ps, line, column, "'[' is not closed");
		item = add_item(out);
		if (parse_value(ps, item) < 0)
			return -EINVAL;
		out->variables |= item->variables;
		more = next_item(ps, ']', line, column);
	}
	return more;
}

static int parse_json_key(struct parser *ps, struct value_key *key)
{
	struct value text = VALUE_INIT;

	if (peek(ps) != '"')
		return fail(ps, "a key in quotes is missing here");
	if (parse_string(ps, &text) < 0)
		return -EINVAL;
	key->name = text.text;
	skip_space(ps);
	return 0;
}

static int parse_key(struct parser *ps, struct value_key *key)
{
	const char *start = ps->p;

	key->line = ps->line;
	key->column = ps->column;
	if (ps->syntax == VALUE_JSON)
		return parse_json_key(ps, key);
	if (peek(ps) == '"' || peek(ps) == '\'')
		return fail(ps, "keys in quotes are not accepted");
	while (ps->p < ps->end && bare_is_key(*ps->p))
		advance(ps);
	if (ps->p == start)
		return fail(ps, "a key is missing here");
	key->name = x_strndup(start, (size_t)(ps->p - start));
	skip_space(ps);
	return 0;
}

static int parse_entry(struct parser *ps, struct value *table, struct map *seen)
{
	struct value_key key = { 0 };
	char separator = ps->syntax == VALUE_JSON ? ':' : '=';
	struct value *item;

	if (parse_key(ps, &key) < 0)
		return -EINVAL;
	if (map_put(seen, key.name, seen) != NULL) {
		fail_at(ps, key.line, key.column, "the key '%.60s' is there twice", key.name);
		free(key.name);
		return -EINVAL;
	}
	if (table->n == 0 || (table->n & (table->n - 1)) == 0)
		table->keys = x_reallocarray(table->keys, table->n != 0 ? table->n * 2 : 1,
					     sizeof(*table->keys));
	table->keys[table->n] = key;
	item = add_item(table);
	if (peek(ps) != separator)
		return fail(ps, "expected '%c' after the key", separator);
	advance(ps);
	skip_space(ps);
	if (parse_value(ps, item) < 0)
		return -EINVAL;
	table->variables |= item->variables;
	return 0;
}

static int parse_table(struct parser *ps, struct value *out)
{
	auto_free(map_fini) struct map seen = MAP_INIT;
	int line = ps->line, column = ps->column, more = 1;

	out->kind = VALUE_TABLE;
	advance(ps);
	skip_space(ps);
	if (peek(ps) == '}') {
		advance(ps);
		return 0;
	}
	while (more > 0) {
		if (peek(ps) < 0)
			return fail_at(ps, line, column, "'{' is not closed");
		if (parse_entry(ps, out, &seen) < 0)
			return -EINVAL;
		more = next_item(ps, '}', line, column);
	}
	return more;
}

static int parse_value(struct parser *ps, struct value *out)
{
	int ret;

	out->line = ps->line;
	out->column = ps->column;
	switch (peek(ps)) {
	case '"':
		return parse_string(ps, out);
	case '\'':
		return parse_string(ps, out);
	case '[':
	case '{':
		if (++ps->depth > DEPTH_MAX)
			return fail(ps, "brackets are nested more than %d deep", DEPTH_MAX);
		ret = *ps->p == '[' ? parse_array(ps, out) : parse_table(ps, out);
		ps->depth--;
		return ret;
	default:
		return parse_bare_item(ps, out);
	}
}

/* --- the outside ---------------------------------------------------------------------------- */

static int parse_whole(struct parser *ps, struct value *out)
{
	if (ps->syntax == VALUE_JSON)
		skip_space(ps);
	if (ps->syntax == VALUE_TOML && (ps->p == ps->end || strchr("\"'[{", *ps->p) == NULL)) {
		out->line = ps->line;
		out->column = ps->column;
		return set_bare(ps, ps->p, (size_t)(ps->end - ps->p), ps->line, ps->column, out);
	}
	if (parse_value(ps, out) < 0)
		return -EINVAL;
	if (ps->syntax == VALUE_JSON)
		skip_space(ps);
	if (ps->p < ps->end)
		return fail(ps, "unexpected text after the value");
	return 0;
}

int value_parse(const struct value_span *span, enum value_syntax syntax, struct value *out,
		struct value_error *error)
{
	struct parser ps = {
		.p = span->s, .end = span->s + span->n, .line = span->line,
		.column = span->column, .syntax = syntax, .error = error,
	};
	struct value v = VALUE_INIT;

	if (parse_whole(&ps, &v) < 0) {
		value_fini(&v);
		return -EINVAL;
	}
	*out = v;
	return 0;
}
