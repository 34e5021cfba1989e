/* Verbs that ask once: status, is-*, why. */
#include <errno.h>
#include <unistd.h>

#include "base/text.h"
#include "command/call.h"
#include "command/table.h"
#include "command/verbs.h"
#include "command/view.h"

/* The result as it came, on one line. */
static int print_raw(const char *text, size_t len)
{
	int rc = cli_print(text, len);

	return rc == 0 ? cli_print("\n", 1) : rc;
}

/* --- status ----------------------------------------------------------------------------------- */

struct status_view {
	struct table table;
	struct strbuf scratch, degraded;
};

static const struct {
	const char *state;
	enum tint tint;
} state_tints[] = {
	{ "\"running\"", TINT_GREEN }, { "\"starting\"", TINT_YELLOW },
	{ "\"stopping\"", TINT_YELLOW }, { "\"restarting\"", TINT_YELLOW },
	{ "\"failed\"", TINT_RED }, { "\"stopped\"", TINT_DIM },
};

static enum tint state_tint(struct span state)
{
	for (size_t i = 0; i < ARRAY_LEN(state_tints); i++)
		if (span_is(state, state_tints[i].state))
			return state_tints[i].tint;
	return TINT_NONE;
}

/* A value as text in the scratch buffer; "-" for null and absent ones. */
static const char *text_of(struct status_view *view, struct span v)
{
	strbuf_reset(&view->scratch);
	if (v.n == 0 || span_is(v, "null"))
		return "-";
	if (!span_string(v, &view->scratch)) {
		strbuf_reset(&view->scratch);
		strbuf_add(&view->scratch, v.s, v.n);
	}
	return view->scratch.buf;
}

/* "waits for db, cache" */
static bool add_waits_for(struct span waits_for, struct strbuf *out)
{
	struct scan s = scan_text(waits_for.s, waits_for.n);
	struct span name;
	bool any = false;

	if (waits_for.n == 0 || !scan_enter(&s, '['))
		return false;
	while (scan_element(&s) && scan_value(&s, &name)) {
		strbuf_addstr(out, any ? ", " : "waits for ");
		span_string(name, out);
		any = true;
	}
	return any;
}

/* "2026-11-22T20:21:07.123456789Z" up to the seconds. */
static void add_short_time(struct span at, struct strbuf *out)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	if (span_string(at, &text))
		strbuf_addf(out, "%.19sZ", text.buf);
}

/* The last thing worth knowing: what it waits for or runs, why it failed, how it ended,
 * when it comes back. */
static const char *last_of(struct status_view *view, const struct view *v)
{
	struct strbuf *out = &view->scratch;
	int64_t ms;

	strbuf_reset(out);
	if (add_waits_for(v->waits_for, out))
		return out->buf;
	if (v->awaits.n > 0 && !span_is(v->awaits, "null")) {
		strbuf_addstr(out, "waits for ");
		span_string(v->awaits, out);
		return out->buf;
	}
	if (v->doing.n > 0 && !span_is(v->doing, "null")) {
		strbuf_addstr(out, "runs ");
		span_string(v->doing, out);
		return out->buf;
	}
	if (v->last_error.n > 0 && span_string(v->last_error, out))
		;
	else if (v->signal.n > 0 && span_string(v->signal, out))
		;
	else if (v->exit_code.n > 0 && !span_is(v->exit_code, "null"))
		strbuf_addf(out, "exit %.*s", (int)v->exit_code.n, v->exit_code.s);
	if (span_int(v->next_restart_ms, &ms)) {
		if (out->len > 0)
			strbuf_addstr(out, ", ");
		strbuf_addf(out, "restart in %lld.%01llds", (long long)(ms / 1000),
			    (long long)(ms % 1000 / 100));
	}
	if (v->next_run_at.n > 0 && !span_is(v->next_run_at, "null")) {
		if (out->len > 0)
			strbuf_addstr(out, ", ");
		strbuf_addstr(out, "next run ");
		add_short_time(v->next_run_at, out);
	}
	if (span_is(v->gave_up, "true"))
		strbuf_addstr(out, out->len > 0 ? ", gave up" : "gave up");
	return out->buf;
}

static void add_row(void *ctx, const struct view *v)
{
	struct status_view *view = ctx;
	struct table *t = &view->table;
	char age[24] = "-";
	int64_t ms;

	if (span_int(v->uptime_ms, &ms))
		age_format(ms, age);
	table_add(t, TINT_BOLD, text_of(view, v->name));
	table_add(t, state_tint(v->state), text_of(view, v->state));
	if (span_is(v->health, "\"unhealthy\""))
		table_add(t, TINT_RED, "unhealthy");
	else
		table_add(t, TINT_NONE, span_is(v->ready, "true") ? "yes" : "no");
	table_add(t, TINT_NONE, text_of(view, v->pid));
	table_add(t, TINT_NONE, age);
	table_add(t, TINT_NONE, text_of(view, v->restart_count));
	table_add(t, TINT_NONE, last_of(view, v));
}

static void note_degraded(void *ctx, struct span key, struct span value)
{
	struct status_view *view = ctx;
	struct scan s = scan_text(value.s, value.n);
	struct span reason;

	if (!span_is(key, "degraded") || !scan_enter(&s, '['))
		return;
	while (scan_element(&s) && scan_value(&s, &reason)) {
		const char *text = text_of(view, reason);

		strbuf_addstr(&view->degraded, "degraded: ");
		terminal_escape(text, strlen(text), &view->degraded);
		strbuf_addch(&view->degraded, '\n');
	}
}

static int print_table(const char *text, size_t len)
{
	static const char *const titles[] = {
		"NAME", "STATE", "READY", ">PID", ">UPTIME", ">RESTARTS", "LAST",
	};
	struct status_view view = { .scratch = STRBUF_INIT, .degraded = STRBUF_INIT };
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	int rc = EXIT_OS;

	table_init(&view.table, titles, ARRAY_LEN(titles));
	if (view_each(text, len, add_row, note_degraded, &view)) {
		table_format(&view.table, colour_wanted(STDOUT_FILENO), &out);
		rc = cli_print(out.buf, out.len);
		fputs(view.degraded.buf, stderr);
	} else {
		fputs("procd: the answer cannot be read\n", stderr);
	}
	table_fini(&view.table);
	strbuf_fini(&view.scratch);
	strbuf_fini(&view.degraded);
	return rc;
}

int verb_status(const struct cli_options *o)
{
	auto_free(call_fini) struct call call;
	const char *text;
	size_t len;
	int rc = call_open(&call, o);

	if (rc == 0)
		rc = call_ask(&call, "status.get", call_names(o), &text, &len);
	if (rc != 0)
		return rc;
	if (o->json)
		return print_raw(text, len);
	return o->quiet ? EXIT_OK : print_table(text, len);
}

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
	int rc = call_open(&call, o);

	if (rc == 0)
		rc = call_ask(&call, "status.get", call_names(o), &text, &len);
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

static void add_why(struct strbuf *out, const json_t *why)
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
	int rc = call_once(o, "subsystem.why", call_names(o), false, &result);

	if (rc != 0)
		return rc;
	list = json_object_get(result, "subsystems");
	if (o->json)
		return cli_print_json(json_array_size(list) == 1 ?
				      json_incref(json_array_get(list, 0)) : json_incref(result));
	json_array_foreach(list, i, why)
		add_why(&out, why);
	return cli_print(out.buf, out.len);
}
