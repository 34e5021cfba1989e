/* Messages about the configuration: collected while everything is read and checked, shown at once.
 * The number kept is bounded, so that a hostile file cannot fill the memory with complaints. */
#include "config/issue.h"

#include "base/alloc.h"
#include "base/text.h"

#define ISSUES_MAX 500

static struct config_issue *diag_slot(struct config_diag *d)
{
	if (d->n == d->cap) {
		d->cap = d->cap != 0 ? d->cap * 2 : 16;
		d->issues = x_reallocarray(d->issues, d->cap, sizeof(*d->issues));
	}
	return &d->issues[d->n++];
}

/* "--set KEY: " in front of "KEY: what is wrong" would name the key twice. */
static void put_label(struct strbuf *text, const char *label)
{
	const char *key = strncmp(label, "--set ", 6) == 0 ? label + 6 : label;
	size_t n = strlen(key);
	bool named = strncmp(text->buf, key, n) == 0 && strncmp(text->buf + n, ": ", 2) == 0;
	auto_free(freep) char *message = x_strdup(text->buf + (named ? n + 2 : 0));

	strbuf_reset(text);
	strbuf_addf(text, "%s: %s", label, message);
}

static void diag_add(struct config_diag *d, const struct place *at, bool warning, const char *fmt,
		     va_list ap) PRINTF_LIKE(4, 0);
static void diag_add(struct config_diag *d, const struct place *at, bool warning, const char *fmt,
		     va_list ap)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	struct config_issue *issue;

	if (!warning)
		d->nerrors++;
	if (d->n >= ISSUES_MAX)
		return;
	if (d->n == ISSUES_MAX - 1)
		strbuf_addstr(&text, "too many messages; the rest is left out");
	else
		strbuf_vaddf(&text, fmt, ap);
	if (at->label != NULL)
		put_label(&text, at->label);
	issue = diag_slot(d);
	issue->file = x_strdup(at->file);
	issue->line = at->line;
	issue->column = at->line > 0 ? at->column : 0;
	issue->message = strbuf_detach(&text);
	issue->warning = warning;
	issue->code = ERROR_CONFIG_INVALID;
}

void diag_code(struct config_diag *d, enum error_code code)
{
	d->issues[d->n - 1].code = code;
}

enum error_code config_diag_code(const struct config_diag *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (!d->issues[i].warning)
			return d->issues[i].code;
	return ERROR_CONFIG_INVALID;
}

void diag_error(struct config_diag *d, const struct place *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_add(d, at, false, fmt, ap);
	va_end(ap);
}

void diag_warn(struct config_diag *d, const struct place *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_add(d, at, true, fmt, ap);
	va_end(ap);
}

void config_diag_fini(struct config_diag *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->issues[i].file);
		free(d->issues[i].message);
	}
	free(d->issues);
	*d = (struct config_diag)CONFIG_DIAG_INIT;
}

/* --- order --------------------------------------------------------------------------------- */

struct ranked {
	struct config_issue issue;
	size_t rank;	/* of the file; then of the message */
	size_t was;
};

static int ranked_compare(const void *pa, const void *pb)
{
	const struct ranked *a = pa, *b = pb;

	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->issue.line != b->issue.line)
		return a->issue.line < b->issue.line ? -1 : 1;
	if (a->issue.column != b->issue.column)
		return a->issue.column < b->issue.column ? -1 : 1;
	return a->was < b->was ? -1 : 1;
}

static size_t file_rank(const struct ranked *r, size_t i)
{
	if (r[i].issue.file == NULL)
		return SIZE_MAX;
	for (size_t j = 0; j < i; j++)
		if (r[j].issue.file != NULL && strcmp(r[j].issue.file, r[i].issue.file) == 0)
			return r[j].rank;
	return i;
}

void diag_sort(struct config_diag *d)
{
	struct ranked *r;

	if (d->n < 2)
		return;
	r = x_calloc(d->n, sizeof(*r));
	for (size_t i = 0; i < d->n; i++) {
		r[i].issue = d->issues[i];
		r[i].was = i;
		r[i].rank = file_rank(r, i);
	}
	qsort(r, d->n, sizeof(*r), ranked_compare);
	for (size_t i = 0; i < d->n; i++)
		d->issues[i] = r[i].issue;
	free(r);
}

/* --- for people and programs ---------------------------------------------------------------- */

/* Names and values from files are shown, never obeyed by a terminal. */
static void issue_print(const struct config_issue *i, struct strbuf *out)
{
	if (i->file != NULL)
		terminal_escape(i->file, strlen(i->file), out);
	if (i->file != NULL && i->line > 0)
		strbuf_addf(out, ":%d:%d", i->line, i->column);
	if (i->file != NULL)
		strbuf_addstr(out, ": ");
	if (i->warning)
		strbuf_addstr(out, "warning: ");
	terminal_escape(i->message, strlen(i->message), out);
	strbuf_addch(out, '\n');
}

void config_diag_print(const struct config_diag *d, bool with_warnings, struct strbuf *out)
{
	for (size_t i = 0; i < d->n; i++)
		if (with_warnings || !d->issues[i].warning)
			issue_print(&d->issues[i], out);
}

json_t *config_diag_json(const struct config_diag *d, bool warnings)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->n; i++) {
		const struct config_issue *issue = &d->issues[i];

		if (issue->warning == warnings)
			json_array_append_new(list, json_pack("{so si si so}",
				"file", json_text(issue->file), "line", issue->line,
				"column", issue->column, "message", json_text(issue->message)));
	}
	return list;
}
