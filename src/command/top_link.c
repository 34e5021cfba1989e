/* The conversation with procd: questions are sent and forgotten, lines are taken as they come.
 * Events change rows at once; figures are asked for once per second, and never while an answer is
 * due, so a slow procd is not pressed. When the connection ends another one is tried: the keeper
 * holds the socket while a supervisor restarts. */
#include <errno.h>

#include "base/clock.h"
#include "command/log_chunk.h"
#include "command/note.h"
#include "command/top.h"

#define SEND_PATIENCE_NS NS_PER_SEC
#define LOG_LINES 500
#define EVENTS_KEPT 1000

const char *const top_states[6] = {
	"running", "starting", "stopping", "restarting", "failed", "stopped",
};

static void lose(struct top *t)
{
	if (!t->connected)
		return;
	t->connected = false;
	t->retry_at_ns = clock_mono_ns();
	t->redraw = true;
	for (size_t i = 0; i < ARRAY_LEN(t->orders); i++)
		if (t->orders[i].id != 0)
			top_say(t, TINT_YELLOW, "%s: no answer any more; it may be done",
				t->orders[i].what);
	memset(t->orders, 0, sizeof(t->orders));
	t->status_id = t->why_id = t->events_id = 0;
}

/* Takes PARAMS. False: the connection is lost. */
static bool ask(struct top *t, const char *method, json_t *params, json_int_t *id)
{
	int rc = -ENOTCONN;

	if (t->connected) {
		t->call.client.deadline_ns = clock_mono_ns() + SEND_PATIENCE_NS;
		rc = client_send(&t->call.client, method, params, id);
	} else {
		json_decref(params);
	}
	t->call.client.deadline_ns = 0;	/* reading never waits */
	if (rc < 0)
		lose(t);
	return rc == 0;
}

/* --- the figures ------------------------------------------------------------------------------ */

static int64_t number_of(struct span v)
{
	int64_t n;

	return span_int(v, &n) ? n : -1;
}

static double fraction_of(struct span v)
{
	char text[32];

	if (!view_has(v) || v.n >= sizeof(text))
		return -1;
	memcpy(text, v.s, v.n);
	text[v.n] = '\0';
	return strtod(text, NULL);
}

static void set_state(struct row *row, const struct view *v)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	enum tint tint;

	if (span_string(v->state, &text))
		row_set_state(row, text.buf, state_tint(v->state));
	strbuf_reset(&text);
	tint = note_format(v, &text);
	row_set_note(row, text.buf, text.len, tint);
	row->pid = number_of(v->pid);
	row->restarts = number_of(v->restart_count);
}

static void take_subsystem(void *ctx, const struct view *v)
{
	auto_free(strbuf_fini) struct strbuf name = STRBUF_INIT;
	struct top *t = ctx;
	struct row *row;

	if (!span_string(v->name, &name))
		return;
	row = rows_get(&t->rows, name.buf);
	set_state(row, v);
	row->uptime_ms = number_of(v->uptime_ms);
	row->rss_bytes = number_of(v->rss_bytes);
	row->threads = number_of(v->threads);
	row->fds = number_of(v->fds);
	row->cpu_percent = fraction_of(v->cpu_percent);
}

static void take_stats(struct top *t, struct span value)
{
	auto_free(json_decrefp) json_t *stats = json_loadb(value.s, value.n, 0, NULL);

	t->total = json_integer_value(json_object_get(stats, "total"));
	for (size_t i = 0; i < ARRAY_LEN(top_states); i++)
		t->counts[i] = json_integer_value(json_object_get(stats, top_states[i]));
}

static void take_daemon(void *ctx, struct span key, struct span value)
{
	struct top *t = ctx;
	struct strbuf *text = span_is(key, "name") ? &t->name :
		span_is(key, "state") ? &t->state : NULL;

	if (text) {
		strbuf_reset(text);
		span_string(value, text);
	} else if (span_is(key, "uptime_ms")) {
		t->uptime_ms = number_of(value);
	} else if (span_is(key, "stats")) {
		take_stats(t, value);
	}
}

/* The pids come before the subsystems: who is it that answers? */
static void tell_who(struct top *t, const char *text, size_t len)
{
	struct scan s = scan_text(text, len);
	int64_t keeper = -1, supervisor = -1;
	struct span key, value;

	for (bool ok = scan_enter(&s, '{'); ok && scan_key(&s, &key) &&
	     !span_is(key, "subsystems") && scan_value(&s, &value);) {
		if (span_is(key, "keeper_pid"))
			keeper = number_of(value);
		else if (span_is(key, "supervisor_pid"))
			supervisor = number_of(value);
	}
	if (t->keeper_pid > 0 && keeper != t->keeper_pid)
		top_say(t, TINT_YELLOW, "another procd has been started, pid %lld",
			(long long)keeper);
	else if (t->supervisor_pid > 0 && supervisor != t->supervisor_pid)
		top_say(t, TINT_YELLOW, "the supervisor was restarted, pid %lld; connected again",
			(long long)supervisor);
	if (supervisor != t->supervisor_pid)	/* a connection alone may wait for nobody */
		t->ending = false;
	t->keeper_pid = keeper;
	t->supervisor_pid = supervisor;
}

static void take_status(struct top *t, const char *text, size_t len)
{
	tell_who(t, text, len);
	rows_begin(&t->rows);
	if (!view_each(text, len, take_subsystem, take_daemon, t))
		top_say(t, TINT_RED, "an answer of procd cannot be read");
	rows_end(&t->rows);
	t->redraw = true;
}

/* --- events ----------------------------------------------------------------------------------- */

static bool is_about(const struct top *t, const char *name)
{
	return *t->about == '\0' || strcmp(t->about, name) == 0;
}

static void show_event(struct top *t, struct span event, const char *name)
{
	auto_free(strbuf_fini) struct strbuf words = STRBUF_INIT;
	struct view v;
	enum tint tint;

	if (!is_about(t, name))
		return;
	event_words(event, &words);
	tint = view_read(event, &v) ? state_tint(v.state) : TINT_NONE;
	pager_add(&t->pager, tint == TINT_DIM ? TINT_NONE : tint, words.buf, words.len);
	t->redraw = true;
}

static void tell_daemon_event(struct top *t, struct span type, struct span event)
{
	if (span_is(type, "\"shutdown_started\"")) {
		t->ending = true;
		top_say(t, TINT_YELLOW, "procd shuts down");
	} else if (span_is(type, "\"config_reloaded\"")) {
		top_say(t, TINT_NONE, "the configuration was reloaded");
	} else if (span_is(type, "\"config_rejected\"")) {
		auto_free(strbuf_fini) struct strbuf words = STRBUF_INIT;

		event_words(event, &words);
		top_say(t, TINT_RED, "%s", words.buf);
	}
}

static void take_event(struct top *t, const char *text, size_t len)
{
	auto_free(strbuf_fini) struct strbuf name = STRBUF_INIT;
	struct scan s = scan_text(text, len);
	struct span key, type = { 0 };
	struct row *row;
	struct view v;

	if (!view_read(scan_enter(&s, '{') && scan_key(&s, &key) && scan_value(&s, &type) ?
		       (struct span){ text, len } : (struct span){ text, 0 }, &v))
		return;
	if (v.name.n > 0)
		span_string(v.name, &name);
	row = rows_find(&t->rows, name.buf);
	if (span_is(type, "\"subsystem_removed\"")) {
		rows_remove(&t->rows, name.buf);
	} else if (span_is(type, "\"subsystem_added\"")) {
		rows_get(&t->rows, name.buf);
		rows_arrange(&t->rows);
	} else if (span_is(type, "\"state_changed\"") && row) {
		set_state(row, &v);
		if (row->pid < 0)
			row->uptime_ms = row->rss_bytes = row->threads = row->fds = -1;
		if (row->pid < 0)
			row->cpu_percent = -1;
	} else {
		tell_daemon_event(t, type, (struct span){ text, len });
	}
	t->redraw = true;
	if (t->view == TOP_EVENTS && t->events_id == 0)
		show_event(t, (struct span){ text, len }, name.buf);
	if (t->view == TOP_WHY && is_about(t, name.buf))
		link_why(t);
}

/* Those of before. */
static void take_events(struct top *t, const char *text, size_t len)
{
	struct scan s = scan_text(text, len);
	struct span key, event;

	pager_clear(&t->pager);
	if (!scan_enter(&s, '{') || !scan_key(&s, &key) || !scan_enter(&s, '['))
		return;
	while (scan_element(&s) && scan_value(&s, &event)) {
		auto_free(strbuf_fini) struct strbuf name = STRBUF_INIT;
		struct view v;

		if (view_read(event, &v) && v.name.n > 0)
			span_string(v.name, &name);
		show_event(t, event, name.buf);
	}
	t->redraw = true;
}

/* --- answers ---------------------------------------------------------------------------------- */

static void take_why(struct top *t, const char *text, size_t len)
{
	auto_free(json_decrefp) json_t *result = json_loadb(text, len, 0, NULL);
	auto_free(strbuf_fini) struct strbuf lines = STRBUF_INIT;
	json_t *list = json_object_get(result, "subsystems"), *why;
	size_t i;

	pager_clear(&t->pager);
	json_array_foreach(list, i, why)
		why_format(why, &lines);
	for (const char *at = lines.buf; *at != '\0';) {
		size_t n = strcspn(at, "\n");

		pager_add(&t->pager, TINT_NONE, at, n);
		at += n + (at[n] == '\n');
	}
	t->redraw = true;
}

static void take_order(struct top *t, struct top_order *order, const char *line, size_t len)
{
	auto_free(json_decrefp) json_t *answer = json_loadb(line, len, 0, NULL);
	const char *error = json_string_value(json_object_get(json_object_get(answer, "error"),
							      "message"));
	json_t *notes = json_object_get(json_object_get(answer, "result"), "notes");
	const char *note = json_string_value(json_array_get(notes, 0));

	if (error)
		top_say(t, TINT_RED, "%s: %s", order->what, error);
	else
		top_say(t, TINT_GREEN, "%s: done%s%s", order->what, note ? "; " : "",
			note ? note : "");
	order->id = 0;
	t->refresh_at_ns = clock_mono_ns();
}

static void take_refusal(struct top *t, const char *line, size_t len)
{
	auto_free(json_decrefp) json_t *answer = json_loadb(line, len, 0, NULL);
	json_t *error = json_object_get(answer, "error");
	const char *message = json_string_value(json_object_get(error, "message"));

	top_say(t, TINT_RED, "%s", message ? message : "procd answers what cannot be read");
}

static void take_answer(struct top *t, const char *line, size_t len)
{
	json_int_t id = client_answer_id(line, len);
	size_t n = 0;
	const char *text = client_result_text(line, len, &n);
	bool status = id == t->status_id, why = id == t->why_id, events = id == t->events_id;

	for (size_t i = 0; id != 0 && i < ARRAY_LEN(t->orders); i++)
		if (t->orders[i].id == id) {
			take_order(t, &t->orders[i], line, len);
			return;
		}
	t->status_id = status ? 0 : t->status_id;
	t->why_id = why ? 0 : t->why_id;
	t->events_id = events ? 0 : t->events_id;
	if (!text)
		take_refusal(t, line, len);
	else if (status)
		take_status(t, text, n);
	else if (why && t->view == TOP_WHY)
		take_why(t, text, n);
	else if (events && t->view == TOP_EVENTS)
		take_events(t, text, n);
}

void link_read(struct top *t)
{
	const char *line, *event;
	size_t len, n;
	int rc;

	while ((rc = client_line(&t->call.client, &line, &len)) > 0) {
		event = client_params_text(line, len, "event", &n);
		if (event)
			take_event(t, event, n);
		else
			take_answer(t, line, len);
		if (!t->connected)
			return;
	}
	if (rc != -ETIMEDOUT)
		lose(t);
}

/* --- questions -------------------------------------------------------------------------------- */

void link_refresh(struct top *t)
{
	int64_t now = clock_mono_ns();

	t->refresh_at_ns = now + TOP_REFRESH_NS;
	if (t->status_id == 0 && ask(t, "status.get", json_object(), &t->status_id))
		t->asked_at_ns = now;
}

void link_begin(struct top *t)
{
	t->connected = true;
	t->redraw = true;
	ask(t, "events.subscribe", json_object(), NULL);
	link_refresh(t);
	if (t->view == TOP_LOGS)
		link_log_open(t);
	else if (t->view == TOP_WHY)
		link_why(t);
	else if (t->view == TOP_EVENTS)
		link_events(t);
}

void link_retry(struct top *t)
{
	t->retry_at_ns = clock_mono_ns() + TOP_RETRY_NS;
	if (call_reopen(&t->call) == 0)
		link_begin(t);
}

void link_order(struct top *t, const struct verb *verb, json_t *names, const char *what)
{
	struct top_order *order = NULL;

	for (size_t i = 0; i < ARRAY_LEN(t->orders) && !order; i++)
		if (t->orders[i].id == 0)
			order = &t->orders[i];
	if (!order || !t->connected) {
		top_say(t, TINT_RED, "%s: %s", what, t->connected ?
			"too much is on its way, wait for an answer" : "not connected");
		json_decref(names);
		return;
	}
	snprintf(order->what, sizeof(order->what), "%s", what);
	top_say(t, TINT_NONE, "%s ...", what);
	ask(t, verb->method, json_pack("{s:o}", "names", names), &order->id);
}

void link_why(struct top *t)
{
	if (t->why_id == 0)
		ask(t, "subsystem.why", json_pack("{s:[s]}", "names", t->about), &t->why_id);
}

void link_events(struct top *t)
{
	pager_clear(&t->pager);
	ask(t, "events.get", json_pack("{s:i}", "last", EVENTS_KEPT), &t->events_id);
}

/* --- output ----------------------------------------------------------------------------------- */

void link_log_close(struct top *t)
{
	client_fini(&t->log);
	strbuf_reset(&t->partial[0]);
	strbuf_reset(&t->partial[1]);
}

void link_log_open(struct top *t)
{
	struct error e = ERROR_INIT;

	link_log_close(t);
	pager_clear(&t->pager);
	t->log = (struct client)CLIENT_INIT;
	if (client_connect(&t->log, t->call.path, &e) == 0) {
		t->log.deadline_ns = clock_mono_ns() + SEND_PATIENCE_NS;
		client_send(&t->log, "logs.follow", json_pack("{s:[s], s:b, s:i}", "names",
			    t->about, "follow", 1, "lines", LOG_LINES), NULL);
		t->log.deadline_ns = 0;
	}
	error_fini(&e);
}

static void take_output(struct top *t, const struct log_chunk *c)
{
	bool is_stderr = strcmp(c->stream.buf, "stderr") == 0;
	struct strbuf *partial = &t->partial[is_stderr];
	size_t at = 0;
	const char *end;

	strbuf_add(partial, c->bytes.buf, c->bytes.len);
	while ((end = memchr(partial->buf + at, '\n', partial->len - at))) {
		size_t n = (size_t)(end - partial->buf) - at;

		pager_add(&t->pager, is_stderr ? TINT_RED : TINT_NONE, partial->buf + at, n);
		at += n + 1;
	}
	strbuf_consume(partial, at);
	if (partial->len > PAGER_LINE_MAX) {	/* a line without an end */
		pager_add(&t->pager, is_stderr ? TINT_RED : TINT_NONE, partial->buf, partial->len);
		strbuf_reset(partial);
	}
	t->redraw = true;
}

void link_log_read(struct top *t)
{
	const char *line, *text;
	size_t len, n;
	int rc;

	while ((rc = client_line(&t->log, &line, &len)) > 0) {
		auto_free(log_chunk_fini) struct log_chunk c = LOG_CHUNK_INIT;

		text = client_params_text(line, len, "log", &n);
		if (text && log_chunk_read(text, n, &c))
			take_output(t, &c);
		else if (!client_result_text(line, len, &n) && client_answer_id(line, len) != 0)
			take_refusal(t, line, len);
	}
	if (rc != -ETIMEDOUT)	/* opened again with the other connection */
		link_log_close(t);
}
