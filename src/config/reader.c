/* The logical-line reader: it knows where a value ends (quotes, brackets over several lines,
 * comments), and hands inih one short canonical line per step: "[s]" for a table, "k=@" for a
 * pair. Names and values travel by reference in the context that reader and handler share; inih
 * calls the handler within the same step, so the context is exactly right. Thus nothing depends on
 * how inih was built: line limits, inline comments, ':' and continuation lines never come to pass.
 *
 * Every error is reported with line and column, and reading goes on behind it. */
#define INI_HANDLER_LINENO 1	/* the system's library passes the line as fifth argument */
#include <ini.h>

#include "config/reader.h"

#include "base/alloc.h"
#include "config/bare.h"
#include "config/bytes.h"
#include "config/scan.h"

struct reader {
	const struct reader_ops *ops;
	void *ctx;
	struct cursor at;
	struct bad_lines bad;		/* already reported for their bytes */
	unsigned nerrors;
	size_t looked_ahead;		/* bytes, at most, in search of ends that were not there */
	/* the pair that the line given to inih stands for */
	bool pending;
	const char *key;
	size_t key_len;
	int key_line, key_column;
	struct value_span value;
};

/* Past this many errors reading ends: nobody reads more. Nor may looks ahead take seconds. */
#define ERRORS_MAX 500
#define LOOK_AHEAD_MAX ((size_t)128 << 20)

static void report(struct reader *r, int line, int column, const char *message)
{
	r->nerrors++;
	if (!bad_lines_has(&r->bad, line))
		r->ops->error(r->ctx, line, column, message);
}

/* Nothing but blanks and a comment may follow on this line. */
static bool rest_is_empty(struct reader *r)
{
	cursor_skip_blanks(&r->at);
	if (cursor_at_line_end(&r->at) || *r->at.p == '#')
		return true;
	report(r, r->at.line, cursor_column(&r->at), *r->at.p == ';' ?
	       "';' begins a comment only at the start of a line; use '#' here" :
	       "unexpected text at the end of the line");
	return false;
}

/* --- [section] ------------------------------------------------------------------------------ */

/* A header that cannot be understood: the pairs below it belong nowhere. */
static bool broken_section(struct reader *r, int column, const char *message)
{
	report(r, r->at.line, column, message);
	r->ops->section(r->ctx, NULL, 0, r->at.line, column);
	return false;
}

/* At '['. True: a section was announced to the owner. */
static bool read_section(struct reader *r)
{
	int column = cursor_column(&r->at);
	const char *start = ++r->at.p, *end;

	if (start < r->at.end && *start == '[')
		return broken_section(r, column, "arrays of tables are not accepted; write "
				      "[subsystem.NAME]");
	while (!cursor_at_line_end(&r->at) && *r->at.p != ']' && *r->at.p != '#')
		r->at.p++;
	if (cursor_at_line_end(&r->at) || *r->at.p != ']')
		return broken_section(r, column, "the table header is not closed; ']' is missing");
	end = r->at.p++;
	while (start < end && (*start == ' ' || *start == '\t'))
		start++;
	while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (memchr(start, '"', (size_t)(end - start)) != NULL ||
	    memchr(start, '\'', (size_t)(end - start)) != NULL)
		return broken_section(r, column, "keys in quotes are not accepted");
	rest_is_empty(r);	/* a wrong rest does not unmake the header */
	r->ops->section(r->ctx, start, (size_t)(end - start), r->at.line, column);
	return true;
}

/* --- key = value ---------------------------------------------------------------------------- */

static bool read_key(struct reader *r)
{
	r->key = r->at.p;
	r->key_line = r->at.line;
	r->key_column = cursor_column(&r->at);
	if (*r->at.p == '"' || *r->at.p == '\'') {
		report(r, r->at.line, r->key_column, "keys in quotes are not accepted");
		return false;
	}
	while (r->at.p < r->at.end && bare_is_key(*r->at.p))
		r->at.p++;
	r->key_len = (size_t)(r->at.p - r->key);
	if (r->key_len == 0) {
		report(r, r->at.line, r->key_column, "expected 'key = value' or '[table]'");
		return false;
	}
	cursor_skip_blanks(&r->at);
	if (!cursor_at_line_end(&r->at) && *r->at.p == '=') {
		r->at.p++;
		return true;
	}
	report(r, r->at.line, cursor_column(&r->at), "expected '=' after the key");
	return false;
}

/* After '='. Cuts the value out and leaves the cursor behind it. */
static bool read_value(struct reader *r)
{
	const char *message;

	cursor_skip_blanks(&r->at);
	r->value = (struct value_span){
		.s = r->at.p, .line = r->at.line, .column = cursor_column(&r->at),
	};
	if (cursor_at_line_end(&r->at) || *r->at.p == '#' || *r->at.p == ';') {
		report(r, r->at.line, r->value.column,
		       "the value is missing; write \"\" for an empty string");
		return false;
	}
	if (strchr("\"'[{", *r->at.p) == NULL) {
		r->value.n = scan_bare(&r->at);
		return true;
	}
	message = scan_structured(&r->at);
	if (message != NULL) {
		report(r, r->at.line, cursor_column(&r->at), message);
		r->looked_ahead += (size_t)(r->at.end - r->at.p);
		if (*r->value.s == '[' || *r->value.s == '{')
			scan_resync_brackets(&r->at);
		else
			scan_resync_string(&r->at);
		return false;
	}
	r->value.n = (size_t)(r->at.p - r->value.s);
	return rest_is_empty(r);
}

/* --- what inih sees ------------------------------------------------------------------------- */

/* One logical line into the canonical text for inih; NULL at the end. */
static char *next_line(char *line, int size, void *arg)
{
	struct reader *r = arg;

	BUG_ON(size < 8);
	BUG_ON(r->pending);	/* inih did not call the handler: a build that we do not know */
	for (; r->at.p < r->at.end && r->nerrors < ERRORS_MAX &&
	       r->looked_ahead < LOOK_AHEAD_MAX; cursor_next_line(&r->at)) {
		cursor_skip_blanks(&r->at);
		if (cursor_at_line_end(&r->at) || *r->at.p == '#' || *r->at.p == ';')
			continue;
		if (*r->at.p == '[') {
			if (!read_section(r))
				continue;
			cursor_next_line(&r->at);
			return memcpy(line, "[s]\n", sizeof("[s]\n"));
		}
		if (!read_key(r))
			continue;
		if (!read_value(r)) {
			if (r->ops->broken != NULL)
				r->ops->broken(r->ctx, r->key, r->key_len, r->key_line,
					       r->key_column);
			continue;
		}
		r->pending = true;
		cursor_next_line(&r->at);
		return memcpy(line, "k=@\n", sizeof("k=@\n"));
	}
	return NULL;
}

static int take_pair(void *arg, const char *section, const char *name, const char *value, int line)
{
	struct reader *r = arg;

	(void)section, (void)line;
	if (name == NULL)
		return 1;	/* a build that announces sections, too */
	BUG_ON(!r->pending || strcmp(name, "k") != 0 || strcmp(value, "@") != 0);
	r->pending = false;
	r->ops->pair(r->ctx, r->key, r->key_len, r->key_line, r->key_column, &r->value);
	return 1;
}

void reader_run(const char *text, size_t n, const struct reader_ops *ops, void *ctx)
{
	struct reader r = { .ops = ops, .ctx = ctx };
	char *clean;

	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		n -= 3;
	}
	clean = bytes_check(text, n, ops->error, ctx, &r.bad);
	cursor_init(&r.at, clean != NULL ? clean : text, n);
	ini_parse_stream(next_line, &r, take_pair, &r);
	free(clean);
	free(r.bad.lines);
}
