/* A logical line is gathered first (what continues it belongs to it, comments between do not), then
 * taken apart. The two flavours differ in how a line goes on and in nothing that a caller sees. */
#include "import/ini.h"

#include <errno.h>

struct ini {
	struct import *im;
	const char *file;
	enum ini_flavour flavour;
	const char *at;			/* what is not read yet */
	int line;			/* of AT, from 1 */
	struct strbuf section, logical;
	bool has_section;
	int began;			/* line of LOGICAL */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_comment(const char *p)
{
	return *p == '#' || *p == ';';
}

/* The next physical line, without LF; *N its length. False: there is none. */
static bool next_line(struct ini *x, const char **line, size_t *n)
{
	const char *lf;

	if (*x->at == '\0')
		return false;
	lf = strchr(x->at, '\n');
	*line = x->at;
	*n = lf != NULL ? (size_t)(lf - x->at) : strlen(x->at);
	x->at += *n + (lf != NULL);
	x->line++;
	return true;
}

static void trim(struct strbuf *sb)
{
	size_t lead = 0;

	while (sb->len > 0 && (is_blank(sb->buf[sb->len - 1]) || sb->buf[sb->len - 1] == '\n'))
		sb->buf[--sb->len] = '\0';
	while (lead < sb->len && (is_blank(sb->buf[lead]) || sb->buf[lead] == '\n'))
		lead++;
	strbuf_consume(sb, lead);
}

/* Without the comment that a blank introduces. */
static size_t without_comment(const char *line, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (is_comment(&line[i]) && is_blank(line[i - 1]))
			return i;
	return n;
}

/* supervisord: indented lines continue the one before. */
static bool gather_indented(struct ini *x)
{
	const char *line;
	size_t n;

	while (next_line(x, &line, &n)) {
		size_t lead = strspn(line, " \t");

		if (lead >= n || is_comment(line + lead))
			continue;
		strbuf_add(&x->logical, line, without_comment(line, n));
		x->began = x->line - 1;
		while (is_blank(*x->at)) {
			next_line(x, &line, &n);
			lead = strspn(line, " \t");
			if (lead >= n)	/* a blank line ends it */
				break;
			if (is_comment(line + lead))
				continue;
			strbuf_addch(&x->logical, '\n');
			strbuf_add(&x->logical, line + lead, without_comment(line, n) - lead);
		}
		return true;
	}
	return false;
}

/* systemd: a backslash at the end is a blank, and the next line that is no comment goes on. */
static bool gather_backslash(struct ini *x)
{
	const char *line;
	bool more = false, any = false;
	size_t n;

	while (next_line(x, &line, &n)) {
		size_t lead = strspn(line, " \t");

		if ((lead < n && is_comment(line + lead)) || (lead >= n && !more))
			continue;
		if (!more)
			x->began = x->line - 1;
		any = true;
		more = n > 0 && line[n - 1] == '\\';
		strbuf_add(&x->logical, line, n - more);
		if (!more)
			break;
		strbuf_addch(&x->logical, ' ');
	}
	return any;
}

static int take_header(struct ini *x)
{
	char *end = strchr(x->logical.buf, ']');

	if (end == NULL || (end[1] != '\0' && x->flavour == INI_SYSTEMD))
		return import_fail(x->im, x->file, x->began,
				   "the section's name is not closed by \"]\"");
	strbuf_reset(&x->section);
	strbuf_add(&x->section, x->logical.buf + 1, (size_t)(end - x->logical.buf - 1));
	x->has_section = true;
	return 0;
}

/* Splits LOGICAL in place. */
static int take_pair(struct ini *x, struct ini_line *l, struct strbuf *value)
{
	char *line = x->logical.buf;
	size_t n = strcspn(line, x->flavour == INI_SYSTEMD ? "=" : "=:");

	if (line[n] == '\0' || n == 0)
		return import_fail(x->im, x->file, x->began, "expected [SECTION] or KEY = VALUE, found "
				   "\"%.60s\"", line);
	strbuf_reset(value);
	strbuf_addstr(value, line + n + 1);
	trim(value);
	while (n > 0 && is_blank(line[n - 1]))
		n--;
	line[n] = '\0';
	for (char *p = line; x->flavour == INI_SUPERVISORD && *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	l->key = line;
	l->value = value->buf;
	return 0;
}

int ini_read(struct import *im, const char *file, const struct strbuf *text,
	     enum ini_flavour flavour, int (*one)(void *ctx, const struct ini_line *l), void *ctx)
{
	auto_free(strbuf_fini) struct strbuf value = STRBUF_INIT;
	struct ini x = {
		.im = im, .file = file, .flavour = flavour, .at = text->buf, .line = 1,
		.section = STRBUF_INIT, .logical = STRBUF_INIT,
	};
	int r = 0;

	while (r == 0 && (flavour == INI_SYSTEMD ? gather_backslash(&x) : gather_indented(&x))) {
		struct ini_line l = { .line = x.began };

		trim(&x.logical);
		if (x.logical.buf[0] == '[')
			r = take_header(&x);
		else if (x.logical.len > 0)
			r = take_pair(&x, &l, &value);
		l.section = x.has_section ? x.section.buf : NULL;
		if (r == 0 && x.logical.len > 0)
			r = one(ctx, &l);
		strbuf_reset(&x.logical);
	}
	strbuf_fini(&x.section);
	strbuf_fini(&x.logical);
	return r;
}
