/* `status`: the daemon's answer as it is, or as a table: on a terminal as wide as that, with a line
 * of sums; else with every cell whole, for other programs. */
#include <limits.h>
#include <unistd.h>

#include "base/text.h"
#include "command/call.h"
#include "command/note.h"
#include "command/verbs.h"
#include "console/figures.h"

struct status_view {
	struct table table;
	struct strbuf scratch, degraded;
	struct strbuf name, state;	/* of the daemon */
	struct span stats;
	int64_t uptime_ms;
	bool colour;
};

/* A value as text in the scratch buffer; "-" for null and absent ones. */
static const char *text_of(struct status_view *view, struct span v)
{
	strbuf_reset(&view->scratch);
	if (!view_has(v))
		return "-";
	if (!span_string(v, &view->scratch)) {
		strbuf_reset(&view->scratch);
		strbuf_add(&view->scratch, v.s, v.n);
	}
	return view->scratch.buf;
}

static void add_figure(struct table *t, struct span v, void (*format)(int64_t n, char *out))
{
	char text[FIGURE_CAP] = "-";
	int64_t n;

	if (span_int(v, &n))
		format(n, text);
	table_add(t, TINT_NONE, text);
}

static void add_percent(struct status_view *view, struct span v)
{
	const char *told = text_of(view, v);
	char text[FIGURE_CAP];

	if (v.n > strlen("99.9")) {
		percent_format(strtod(told, NULL), text);
		told = text;
	}
	table_add(&view->table, TINT_NONE, told);
}

static void add_row(void *ctx, const struct view *v)
{
	struct status_view *view = ctx;
	struct table *t = &view->table;
	enum tint tint;

	table_add(t, TINT_BOLD, text_of(view, v->name));
	table_add(t, state_tint(v->state), text_of(view, v->state));
	table_add(t, TINT_NONE, text_of(view, v->pid));
	add_figure(t, v->uptime_ms, age_format);
	table_add(t, TINT_NONE, text_of(view, v->restart_count));
	add_percent(view, v->cpu_percent);
	add_figure(t, v->rss_bytes, bytes_format);
	strbuf_reset(&view->scratch);
	tint = note_format(v, &view->scratch);
	table_add(t, tint, view->scratch.buf);
}

static void note_degraded(struct status_view *view, struct span value)
{
	struct scan s = scan_text(value.s, value.n);
	struct span reason;

	if (!scan_enter(&s, '['))
		return;
	while (scan_element(&s) && scan_value(&s, &reason)) {
		const char *text = text_of(view, reason);

		strbuf_addstr(&view->degraded, "degraded: ");
		terminal_escape(text, strlen(text), &view->degraded);
		strbuf_addch(&view->degraded, '\n');
	}
}

static void note_daemon(void *ctx, struct span key, struct span value)
{
	struct status_view *view = ctx;

	if (span_is(key, "degraded"))
		note_degraded(view, value);
	else if (span_is(key, "name"))
		span_string(value, &view->name);
	else if (span_is(key, "state"))
		span_string(value, &view->state);
	else if (span_is(key, "stats"))
		view->stats = value;
	else if (span_is(key, "uptime_ms"))
		span_int(value, &view->uptime_ms);
}

/* ", 2 failed" in the colour of the state. */
static void add_count(struct status_view *view, struct strbuf *out, const char *state, int64_t n)
{
	char text[64], quoted[32];

	snprintf(quoted, sizeof(quoted), "\"%s\"", state);
	snprintf(text, sizeof(text), "%lld %s", (long long)n, state);
	strbuf_addstr(out, ", ");
	tint_add(out, view->colour, state_tint((struct span){ quoted, strlen(quoted) }), text,
		 strlen(text));
}

/* "demo, up 2m03s: 4 subsystems, 3 running, 1 failed" */
static void add_sums(struct status_view *view, struct strbuf *out)
{
	static const char *const states[] = {
		"running", "starting", "stopping", "restarting", "failed", "stopped",
	};
	auto_free(json_decrefp) json_t *stats = json_loadb(view->stats.s, view->stats.n, 0, NULL);
	int64_t total = json_integer_value(json_object_get(stats, "total"));
	char age[FIGURE_CAP];

	age_format(view->uptime_ms, age);
	strbuf_addch(out, '\n');
	cell_escape(view->name.buf, view->name.len, out);
	strbuf_addf(out, ", up %s: ", age);
	if (strcmp(view->state.buf, "running") != 0) {
		cell_escape(view->state.buf, view->state.len, out);
		strbuf_addstr(out, ", ");
	}
	if (total == 0)
		strbuf_addstr(out, "no subsystems");
	else
		strbuf_addf(out, "%lld subsystem%s", (long long)total, total == 1 ? "" : "s");
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		int64_t n = json_integer_value(json_object_get(stats, states[i]));

		if (n > 0)
			add_count(view, out, states[i], n);
	}
	strbuf_addch(out, '\n');
}

static int print_table(const struct cli_options *o, const char *text, size_t len)
{
	static const char *const titles[] = {
		"NAME", "STATE", ">PID", ">UPTIME", ">RESTARTS", ">CPU%", ">RSS", "NOTE",
	};
	struct status_view view = {
		.scratch = STRBUF_INIT, .degraded = STRBUF_INIT, .name = STRBUF_INIT,
		.state = STRBUF_INIT, .colour = colour_wanted(STDOUT_FILENO),
	};
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	unsigned room = terminal_columns(STDOUT_FILENO);
	int rc = EXIT_OS;

	table_init(&view.table, titles, ARRAY_LEN(titles));
	if (view_each(text, len, add_row, note_daemon, &view)) {
		table_fit(&view.table, room);
		table_format(&view.table, view.colour, &out);
		if (room != UINT_MAX && o->args.n == 0)
			add_sums(&view, &out);
		rc = cli_print(out.buf, out.len);
		fputs(view.degraded.buf, stderr);
	} else {
		fputs("procd: the answer cannot be read\n", stderr);
	}
	table_fini(&view.table);
	strbuf_fini(&view.scratch);
	strbuf_fini(&view.degraded);
	strbuf_fini(&view.name);
	strbuf_fini(&view.state);
	return rc;
}

int verb_status(const struct cli_options *o)
{
	auto_free(call_fini) struct call call;
	json_t *params = call_names(o);
	const char *text;
	size_t len;
	int rc;

	if (!o->json)
		json_object_set_new(params, "brief", json_true());
	rc = call_begin(&call, o, "status.get", params, CALL_PROMPT, &text, &len);
	if (rc != 0)
		return rc;
	if (!o->json)
		return o->quiet ? EXIT_OK : print_table(o, text, len);
	rc = cli_print(text, len);
	return rc == 0 ? cli_print("\n", 1) : rc;
}
