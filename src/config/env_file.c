/* A reader of bytes with a line and a column. Values are secrets more often than not: a complaint
 * says where and what kind, and quotes nothing. */
#include "config/env_file.h"

#include <errno.h>
#include <stdbool.h>

#include "base/alloc.h"
#include "base/strbuf.h"

#define EXPORT "export"

struct reader {
	const char *at, *end;
	const char *line_start;
	int line;
	struct env_file_error *error;
};

static int fail_at(struct reader *r, const char *at, const char *what)
{
	*r->error = (struct env_file_error){ .line = r->line,
					     .column = (int)(at - r->line_start) + 1,
					     .what = what };
	return -EINVAL;
}

static bool at_end_of_line(const struct reader *r)
{
	return r->at == r->end || *r->at == '\n' ||
	       (*r->at == '\r' && (r->at + 1 == r->end || r->at[1] == '\n'));
}

static void skip_blanks(struct reader *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\t'))
		r->at++;
}

/* Over one byte, which may end a line. */
static void advance(struct reader *r)
{
	if (*r->at++ == '\n') {
		r->line++;
		r->line_start = r->at;
	}
}

static void skip_line(struct reader *r)
{
	while (r->at < r->end && *r->at != '\n')
		r->at++;
	if (r->at < r->end)
		advance(r);
}

static bool is_name_byte(char c, bool first)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
	       (!first && ((c >= '0' && c <= '9') || c == '.' || c == '-'));
}

static void skip_export(struct reader *r)
{
	const size_t n = sizeof(EXPORT) - 1;

	if ((size_t)(r->end - r->at) > n && memcmp(r->at, EXPORT, n) == 0 &&
	    (r->at[n] == ' ' || r->at[n] == '\t')) {
		r->at += n;
		skip_blanks(r);
	}
}

static int read_name(struct reader *r, struct strbuf *out)
{
	const char *start = r->at;

	while (r->at < r->end && is_name_byte(*r->at, r->at == start))
		r->at++;
	if (r->at == start)
		return fail_at(r, r->at, "expected NAME=VALUE");
	strbuf_add(out, start, (size_t)(r->at - start));
	if (r->at == r->end || *r->at != '=')
		return fail_at(r, r->at, "expected '=' behind the name of a variable");
	strbuf_addch(out, '=');
	r->at++;
	return 0;
}

static char unescaped(char c)
{
	switch (c) {
	case 'n': return '\n';
	case 't': return '\t';
	case 'r': return '\r';
	default: return c;
	}
}

/* Behind a backslash between double quotes. What has no meaning there keeps its backslash. */
static void read_escape(struct reader *r, struct strbuf *out)
{
	if (memchr("\"\\$`ntr", *r->at, 7) == NULL)
		strbuf_addch(out, '\\');
	strbuf_addch(out, unescaped(*r->at));
	advance(r);
}

static int read_quoted(struct reader *r, struct strbuf *out)
{
	const struct reader open = *r;
	const char quote = *r->at++;

	while (r->at < r->end && *r->at != quote) {
		if (quote == '"' && *r->at == '\\' && r->at + 1 < r->end) {
			r->at++;
			read_escape(r, out);
			continue;
		}
		strbuf_addch(out, *r->at);
		advance(r);
	}
	if (r->at == r->end) {
		*r = open;
		return fail_at(r, r->at, "the quote is not closed");
	}
	r->at++;
	skip_blanks(r);
	if (!at_end_of_line(r) && *r->at != '#' && *r->at != ';')
		return fail_at(r, r->at, "text behind the closing quote");
	return 0;
}

static void read_plain(struct reader *r, struct strbuf *out)
{
	const char *start = r->at, *last = r->at;

	for (; !at_end_of_line(r); r->at++)
		if (*r->at != ' ' && *r->at != '\t')
			last = r->at + 1;
	strbuf_add(out, start, (size_t)(last - start));
}

static int read_variable(struct reader *r, struct strbuf *out)
{
	int ret;

	skip_export(r);
	ret = read_name(r, out);
	if (ret < 0)
		return ret;
	skip_blanks(r);
	if (r->at < r->end && (*r->at == '"' || *r->at == '\''))
		return read_quoted(r, out);
	read_plain(r, out);
	return 0;
}

/* Replace the one of the same name, or append; false: there are too many. */
static bool put(struct strlist *list, const char *item)
{
	size_t name = strcspn(item, "=") + 1;

	for (size_t i = 0; i < list->n; i++) {
		if (strncmp(list->items[i], item, name) != 0)
			continue;
		explicit_bzero(list->items[i], strlen(list->items[i]));
		free(list->items[i]);
		list->items[i] = x_strdup(item);
		return true;
	}
	if (list->n == ENV_FILE_VARIABLES)
		return false;
	strlist_add(list, item);
	return true;
}

static int read_line(struct reader *r, struct strbuf *item, struct strlist *out)
{
	struct reader start;

	skip_blanks(r);
	if (at_end_of_line(r) || *r->at == '#' || *r->at == ';')
		return 0;
	start = *r;
	strbuf_reset(item);
	if (read_variable(r, item) < 0)
		return -EINVAL;
	if (memchr(item->buf, '\0', item->len) != NULL)
		return fail_at(&start, start.at, "a NUL byte in a value");
	return put(out, item->buf) ? 0 : fail_at(&start, start.at, "too many variables");
}

int env_file_parse(const char *text, size_t n, struct strlist *out, struct env_file_error *e)
{
	struct reader r = { .at = text, .end = text + n, .line_start = text, .line = 1,
			    .error = e };
	auto_free(strbuf_fini) struct strbuf item = STRBUF_INIT;
	int ret = 0;

	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		r.at = r.line_start = text + 3;
	/* once, so that no copy of a secret is left behind by growing */
	strbuf_reserve(&item, n + 16);
	while (ret == 0 && r.at < r.end) {
		ret = read_line(&r, &item, out);
		skip_line(&r);
	}
	explicit_bzero(item.buf, item.cap);
	return ret;
}
