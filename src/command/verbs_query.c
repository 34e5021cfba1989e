/* Verbs that ask once: is-*, why. */
#include <errno.h>

#include "base/text.h"
#include "command/call.h"
#include "command/note.h"
#include "command/verbs.h"
#include "command/view.h"

/* --- predicates ------------------------------------------------------------------------------- */

struct question {
	enum verb_id id;
	bool yes;		/* for all so far */
	size_t n;
	struct strbuf words;	/* one line per subsystem */
};

static void ask_one(void *ctx, const struct view *v)
{
	struct question *q = ctx;
	bool ready = span_is(v->ready, "true");

	q->n++;
	if (q->id == VERB_IS_READY) {
		q->yes &= ready;
		strbuf_addstr(&q->words, ready ? "ready" : "not ready");
	} else {
		q->yes &= span_is(v->state, q->id == VERB_IS_FAILED ? "\"failed\"" :
				  "\"running\"");
		span_string(v->state, &q->words);
	}
	strbuf_addch(&q->words, '\n');
}

int verb_is(const struct cli_options *o)
{
	struct question q = { .id = verb_id(o->verb), .yes = true, .words = STRBUF_INIT };
	auto_free(call_fini) struct call call;
	const char *text;
	size_t len;
	int rc = call_begin(&call, o, "status.get", call_names(o), CALL_PROMPT, &text, &len);

	if (rc != 0)
		return rc;
	if (!view_each(text, len, ask_one, NULL, &q))
		rc = call_broken(&call, -EPROTO);
	else if (o->json)
		rc = cli_print_json(json_pack("{s:b}", "result", q.yes && q.n > 0));
	else if (!o->quiet)
		rc = cli_print(q.words.buf, q.words.len);
	strbuf_fini(&q.words);
	return rc != 0 ? rc : q.yes && q.n > 0 ? EXIT_OK : EXIT_NOT_ACTIVE;
}

/* --- why -------------------------------------------------------------------------------------- */

static void add_escaped(struct strbuf *out, const char *text)
{
	if (text)
		terminal_escape(text, strlen(text), out);
}

static void add_last_lines(struct strbuf *out, const char *text)
{
	strbuf_addstr(out, "  what it wrote last:\n");
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");

		strbuf_addstr(out, "    | ");
		terminal_escape(text, n, out);
		strbuf_addch(out, '\n');
		text += n + (text[n] == '\n');
	}
}

void why_format(const json_t *why, struct strbuf *out)
{
	size_t i;
	json_t *line;

	add_escaped(out, json_string_value(json_object_get(why, "name")));
	strbuf_addstr(out, " is ");
	add_escaped(out, json_string_value(json_object_get(why, "state")));
	strbuf_addch(out, '\n');
	json_array_foreach(json_object_get(why, "why"), i, line) {
		strbuf_addstr(out, "  ");
		add_escaped(out, json_string_value(line));
		strbuf_addch(out, '\n');
	}
	if (json_object_get(why, "stderr_tail"))
		add_last_lines(out, json_string_value(json_object_get(why, "stderr_tail")));
}

int verb_why(const struct cli_options *o)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	auto_free(json_decrefp) json_t *result = NULL;
	json_t *list, *why;
	size_t i;
	int rc = call_once(o, "subsystem.why", call_names(o), CALL_PROMPT, &result);

	if (rc != 0)
		return rc;
	list = json_object_get(result, "subsystems");
	if (o->json)
		return cli_print_json(json_array_size(list) == 1 ?
				      json_incref(json_array_get(list, 0)) : json_incref(result));
	json_array_foreach(list, i, why)
		why_format(why, &out);
	return cli_print(out.buf, out.len);
}
