/* Methods that look: answered on the front thread from board, ring and configuration. A read
 * section is short, never blocks, and what leaves it is text. */
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/signame.h"
#include "config/depend.h"
#include "config/family.h"
#include "config/store.h"
#include "config.h"
#include "control/emit.h"
#include "control/features.h"
#include "control/methods.h"
#include "control/server.h"
#include "core/listing.h"
#include "output/tail.h"

/* --- status ----------------------------------------------------------------------------------- */

static int64_t ms_since(int64_t now, int64_t then)
{
	return then == 0 || now < then ? 0 : (now - then) / NS_PER_MS;
}

/* A subsystem's record is written by one list of members, whole or as a table needs it: brief, with the
 * members of a table only, and without those that say nothing. */
enum use { USE_RECORD, USE_TABLE };

struct writer {
	struct strbuf *out;
	bool brief;
};

static bool writes(const struct writer *w, enum use use)
{
	return use == USE_TABLE || !w->brief;
}

/* Does a value follow? If there is none, null has been written where it is due. */
static bool says(const struct writer *w, enum use use, const char *key, bool known)
{
	if (!writes(w, use))
		return false;
	if (!known && !w->brief)
		emit_null(w->out, key);
	return known;
}

static void put_text(const struct writer *w, enum use use, const char *key, const char *s)
{
	if (says(w, use, key, s != NULL))
		emit_text(w->out, key, s);
}

/* An empty text is none. */
static void put_said(const struct writer *w, enum use use, const char *key, const char *s)
{
	put_text(w, use, key, *s != '\0' ? s : NULL);
}

static void put_int(const struct writer *w, enum use use, const char *key, bool known, int64_t value)
{
	if (says(w, use, key, known))
		emit_int(w->out, key, value);
}

static void put_bool(const struct writer *w, enum use use, const char *key, bool value)
{
	if (writes(w, use))
		emit_bool(w->out, key, value);
}

static void put_words(const struct writer *w, enum use use, const char *key, const char *text,
		      char separator)
{
	if (writes(w, use) && (*text != '\0' || !w->brief))
		emit_words(w->out, key, text, separator);
}

/* From the configuration: on the board a long list would be copied with each change. */
static void emit_depends_on(struct strbuf *out, const char *name)
{
	const struct subsystem_options *o = config_find(config_current(), name);

	emit_open(out, "depends_on", '[');
	for (size_t i = 0; o != NULL && i < o->links->depends_on.n; i++)
		emit_text(out, NULL, o->links->depends_on.items[i]);
	emit_close(out, ']');
}

/* The first one, for who expects one. */
static void put_group(const struct writer *w, const char *groups)
{
	size_t n = strcspn(groups, " ");

	if (says(w, USE_RECORD, "group", n > 0))
		emit_text_n(w->out, "group", groups, n);
}

/* As a moment of the time of day, also what is planned by the other clock. */
static void put_next_run(const struct writer *w, const struct board_record *r, int64_t now)
{
	auto_free(strbuf_fini) struct strbuf at = STRBUF_INIT;

	if (!says(w, USE_TABLE, "next_run_at", r->next_run_ns != 0))
		return;
	clock_format_rfc3339(r->next_run_ns + (r->next_run_real ? 0 : clock_real_ns() - now), &at);
	emit_text(w->out, "next_run_at", at.buf);
}

/* Rounded to a tenth; not negative. */
static void emit_percent(struct strbuf *out, const char *key, double value)
{
	uint64_t tenths = (uint64_t)(value * 10 + 0.5);
	char end[3] = { '.', (char)('0' + tenths % 10), '\0' };

	emit_uint(out, key, tenths / 10);
	strbuf_add(out, end, 2);
}

/* What its processes use, as far as it is known. */
static void put_resources(const struct writer *w, const struct sample *p)
{
	put_int(w, USE_TABLE, "rss_bytes", p != NULL, p ? (int64_t)p->now.rss_bytes : 0);
	if (says(w, USE_TABLE, "cpu_percent", p != NULL && p->cpu_percent >= 0))
		emit_percent(w->out, "cpu_percent", p->cpu_percent);
	put_int(w, USE_RECORD, "threads", p != NULL, p ? p->now.threads : 0);
	put_int(w, USE_RECORD, "fds", p != NULL && p->now.fds_known, p ? p->now.fds : 0);
}

static void put_degraded(const struct writer *w, const struct board_record *r,
			 struct output *output)
{
	auto_free(strbuf_fini) struct strbuf all = STRBUF_INIT;

	if (output != NULL && r->pid != 0)
		output_degraded_slot(output, r->slot, &all);
	if (all.len > 0)
		strbuf_addstr(&all, r->texts->degraded);
	put_words(w, USE_TABLE, "degraded", all.len > 0 ? all.buf : r->texts->degraded, '\n');
}

static void put_instance(const struct writer *w, const char *name)
{
	int instance = writes(w, USE_RECORD) ? instance_number(name, NULL) : -1;

	put_int(w, USE_RECORD, "instance", instance >= 0, instance);
}

static void put_subsystem(const struct writer *w, const struct board_record *r,
			  const struct sample *sample, struct output *output, int64_t now)
{
	const struct board_texts *texts = r->texts;

	emit_open(w->out, NULL, '{');
	put_int(w, USE_RECORD, "id", true, (int64_t)r->id);
	put_text(w, USE_TABLE, "name", r->name);
	put_text(w, USE_TABLE, "state", enumtext_name(&subsystem_state_text, r->state));
	put_bool(w, USE_RECORD, "ready", r->ready);
	put_text(w, r->health != HEALTH_UNKNOWN ? USE_TABLE : USE_RECORD, "health",
		 enumtext_name(&health_text, r->health));
	put_said(w, USE_TABLE, "health_detail", texts->health_detail);
	put_int(w, USE_TABLE, "pid", r->pid > 0, r->pid);
	put_int(w, USE_TABLE, "uptime_ms", r->pid > 0, ms_since(now, r->started_mono_ns));
	put_int(w, USE_TABLE, "restart_count", true, r->restart_count);
	put_int(w, USE_RECORD, "attempt", true, r->attempt);
	put_bool(w, r->gave_up ? USE_TABLE : USE_RECORD, "gave_up", r->gave_up);
	put_int(w, USE_TABLE, "next_restart_ms", r->next_restart_mono_ns != 0,
		MAX(r->next_restart_mono_ns - now, 0) / NS_PER_MS);
	put_next_run(w, r, now);
	put_int(w, USE_TABLE, "exit_code", r->exit_code >= 0, r->exit_code);
	put_text(w, USE_TABLE, "signal", r->signal ? signame(r->signal) : NULL);
	put_text(w, USE_TABLE, "last_error", texts->last_error);
	put_text(w, USE_RECORD, "reason", enumtext_name(&reason_text, (int)r->reason));
	put_bool(w, USE_RECORD, "killed", r->killed);
	put_bool(w, USE_RECORD, "core_dumped", r->core_dumped);
	put_instance(w, r->name);
	put_int(w, USE_RECORD, "in_state_ms", true, ms_since(now, r->since_mono_ns));
	put_text(w, USE_RECORD, "goal", r->goal_up ? "up" : "down");
	put_text(w, USE_RECORD, "goal_why", r->goal_why);
	put_text(w, USE_RECORD, "type",
		 enumtext_name(&subsystem_type_text, r->oneshot ? TYPE_ONESHOT : TYPE_SERVICE));
	put_bool(w, USE_RECORD, "autostart", r->autostart);
	put_group(w, texts->groups);
	put_words(w, USE_RECORD, "groups", texts->groups, ' ');
	put_words(w, USE_TABLE, "waits_for", texts->waits_for, ' ');
	put_said(w, USE_TABLE, "awaits", texts->awaits);
	put_int(w, USE_RECORD, "start_timeout_left_ms", r->ready_by_mono_ns != 0,
		MAX(r->ready_by_mono_ns - now, 0) / NS_PER_MS);
	put_said(w, USE_TABLE, "status_text", texts->status);
	put_text(w, USE_TABLE, "doing", texts->doing);
	put_degraded(w, r, output);
	put_resources(w, sample);
	if (writes(w, USE_RECORD))
		emit_depends_on(w->out, r->name);
	put_text(w, USE_RECORD, "description", texts->description);
	put_int(w, USE_RECORD, "generation", true, (int64_t)r->generation);
	emit_close(w->out, '}');
}

static void emit_stats(struct strbuf *out, const struct board_daemon *d)
{
	uint32_t total = 0;

	emit_open(out, "stats", '{');
	for (int i = 0; i < STATE_NSTATES; i++)
		total += d->counts[i];
	emit_uint(out, "total", total);
	for (int i = 0; i < STATE_NSTATES; i++)
		emit_uint(out, enumtext_name(&subsystem_state_text, i), d->counts[i]);
	emit_uint(out, "total_restarts", d->total_restarts);
	emit_close(out, '}');
}

static void emit_degraded(struct connection *c, struct strbuf *out, const char *reasons)
{
	auto_free(strbuf_fini) struct strbuf all = STRBUF_INIT;

	strbuf_addstr(&all, reasons);
	if (c->server->setup.output) {
		strbuf_addch(&all, '\n');
		output_degraded(c->server->setup.output, &all);
	}
	emit_words(out, "degraded", all.buf, '\n');
}

/* Inside a read section. */
static void emit_status(struct connection *c, struct strbuf *out, bool brief, const uint32_t *slots,
			size_t n)
{
	const struct writer w = { .out = out, .brief = brief };
	const struct board *board = c->server->setup.board;
	const struct board_daemon *d = board_daemon(board);
	const struct config *config = config_current();
	int64_t now = clock_mono_ns();

	emit_open(out, NULL, '{');
	emit_text(out, "name", config->name);
	emit_text(out, "version", PROCD_VERSION);
	emit_uint(out, "generation", d->generation);
	emit_int(out, "keeper_pid", d->keeper_pid);
	emit_int(out, "supervisor_pid", getpid());
	emit_uint(out, "supervisor_deaths", d->supervisor_deaths);
	emit_int(out, "uptime_ms", ms_since(now, d->keeper_started_mono_ns));
	emit_text(out, "state", enumtext_name(&daemon_state_text, d->state));
	emit_text(out, "config_file", config->file);
	emit_open(out, "subsystems", '[');
	for (size_t i = 0; i < n; i++) {
		const struct board_record *r = board_get(board, slots[i]);

		if (r)	/* it may have left since the match */
			put_subsystem(&w, r, sampler_get(c->server->sampler, r),
				      c->server->setup.output, now);
	}
	emit_close(out, ']');
	emit_stats(out, d);
	emit_degraded(c, out, d->degraded);
	emit_close(out, '}');
}

/* The slots that "names" selects (absent: all). False: answered with the reason. */
static bool match_names(struct connection *c, const struct rpc_request *r,
			const struct strlist *names, uint32_t **slots, size_t *n)
{
	const struct board *board = c->server->setup.board;
	const char *unknown = board_match(board, names, slots, n);

	if (unknown == NULL)
		listing_sort(board, config_current(), *slots, *n);
	else
		reply_error(c, r, RPC_SERVER_ERROR, ERROR_SUBSYSTEM_NOT_FOUND,
			    "no subsystem matches \"%s\"", unknown);
	return unknown == NULL;
}

/* Without names, procd's own is listed, too. */
static bool names_or_all(struct connection *c, const struct rpc_request *r, struct strlist *out)
{
	json_t *names = json_object_get(r->params, "names");

	if (names && !(json_is_array(names) && json_array_size(names) == 0))
		return param_names(c, r, out);
	strlist_add(out, "all");
	rcu_enter();
	if (board_find(c->server->setup.board, OWN_SUBSYSTEM) != NULL)
		strlist_add(out, OWN_SUBSYSTEM);
	rcu_leave();
	return true;
}

void method_status(struct connection *c, const struct rpc_request *r)
{
	auto_free(strlist_fini) struct strlist names = STRLIST_INIT;
	auto_free(freep) uint32_t *slots = NULL;
	bool matched, brief = false;
	size_t n = 0;

	if (!names_or_all(c, r, &names) || !param_bool(c, r, "brief", &brief))
		return;
	rcu_enter();
	matched = match_names(c, r, &names, &slots, &n);
	rcu_leave();
	if (!matched || !r->id)
		return;
	sampler_ask(c->server->sampler, slots, n);
	rcu_enter();
	rpc_result_begin(&c->out, r->id);
	emit_status(c, &c->out, brief, slots, n);
	rpc_result_end(&c->out);
	rcu_leave();
}

/* What it wrote last: to a stderr of its own if it has one. NULL: nothing. */
static json_t *last_lines(const struct connection *c, const struct board_record *r)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	struct output *output = c->server->setup.output;
	const enum tail_stream order[] = { TAIL_ERR, TAIL_OUT };

	for (size_t i = 0; i < ARRAY_LEN(order) && text.len == 0; i++) {
		uint64_t pos = tail_seek_lines(output, r->slot, order[i], OUTPUT_END_LINES), lost = 0;

		tail_read(output, r->slot, order[i], &pos, OUTPUT_TAIL_BYTES, &text, &lost);
	}
	if (text.len > OUTPUT_END_BYTES)
		strbuf_consume(&text, text.len - OUTPUT_END_BYTES);
	return text.len > 0 ? json_text(text.buf) : NULL;
}

static void add_trouble(struct output *output, const struct board_record *r, json_t *lines)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	if (output == NULL || r->pid == 0)
		return;
	output_degraded_slot(output, r->slot, &text);
	for (const char *line = text.buf; text.len > 0 && *line != '\0';) {
		size_t n = strcspn(line, "\n");

		json_array_append_new(lines, json_text_n(line, n));
		line += n + (line[n] == '\n');
	}
}

static json_t *why(const struct connection *c, const struct board_record *r)
{
	json_t *j = core_why(c->server->setup.board, r, clock_mono_ns());
	json_t *lines = NULL;

	add_trouble(c->server->setup.output, r, json_object_get(j, "why"));

	if (r->state == STATE_FAILED || (r->state == STATE_RESTARTING && r->texts->last_error))
		lines = last_lines(c, r);
	if (lines)
		json_object_set_new(j, "stderr_tail", lines);
	return j;
}

void method_why(struct connection *c, const struct rpc_request *r)
{
	auto_free(strlist_fini) struct strlist names = STRLIST_INIT;
	auto_free(freep) uint32_t *slots = NULL;
	json_t *list = json_array();
	size_t n = 0;
	bool ok;

	if (!param_names(c, r, &names)) {
		json_decref(list);
		return;
	}
	rcu_enter();
	ok = match_names(c, r, &names, &slots, &n);
	for (size_t i = 0; ok && i < n; i++) {
		const struct board_record *record = board_get(c->server->setup.board, slots[i]);

		if (record)
			json_array_append_new(list, why(c, record));
	}
	rcu_leave();
	if (ok)
		reply_result(c, r, json_pack("{s:O}", "subsystems", list));
	json_decref(list);
}

/* --- graph ------------------------------------------------------------------------------------ */

static void emit_edge(struct strbuf *out, const struct subsystem_options *from,
		      const struct subsystem_options *to, enum edge_kind kind,
		      enum condition condition)
{
	emit_open(out, NULL, '{');
	emit_text(out, "from", from->name);
	emit_text(out, "to", to->name);
	emit_text(out, "kind", enumtext_name(&edge_kind_text, (int)kind));
	if (edge_is_hard(kind))
		emit_text(out, "condition", enumtext_name(&condition_text, (int)condition));
	emit_close(out, '}');
}

static void emit_edges(struct strbuf *out, const struct config *config,
		       const struct subsystem_options *o, enum edge_kind kind)
{
	const struct strlist *list = edge_list(o, kind);

	for (size_t i = 0; i < list->n; i++) {
		enum condition condition;
		uint32_t first, n;

		edge_targets(config, list->items[i], kind, &condition, &first, &n);
		for (uint32_t to = first; to < first + n; to++)
			emit_edge(out, o, config->subsystems[to], kind, condition);
	}
}

void method_graph(struct connection *c, const struct rpc_request *r)
{
	const struct config *config;

	if (!r->id)
		return;
	rpc_result_begin(&c->out, r->id);
	rcu_enter();
	config = config_current();
	emit_open(&c->out, NULL, '{');
	emit_open(&c->out, "nodes", '[');
	for (size_t i = 0; i < config->nsubsystems; i++)
		emit_text(&c->out, NULL, config->subsystems[i]->name);
	emit_close(&c->out, ']');
	emit_open(&c->out, "edges", '[');
	for (size_t i = 0; i < config->nsubsystems; i++)
		for (int kind = 0; kind < EDGE_NKINDS; kind++)
			emit_edges(&c->out, config, config->subsystems[i], (enum edge_kind)kind);
	emit_close(&c->out, ']');
	emit_close(&c->out, '}');
	rcu_leave();
	rpc_result_end(&c->out);
}

/* --- events ----------------------------------------------------------------------------------- */

/* Where a reader that asked for SINCE or LAST begins. */
static uint64_t first_cursor(struct chan *chan, int64_t since, int64_t last, uint64_t otherwise)
{
	uint64_t newest = chan_last_seq(chan);

	if (since >= 0)
		return (uint64_t)since;
	if (last >= 0)
		return newest - MIN((uint64_t)last, newest - (chan_oldest_seq(chan) - 1));
	return otherwise;
}

/* Append events up to number NEWEST, at most COUNT of them; gap records do not count, because a
 * reader who asks again "after the last one" could not get past them. */
static void add_events(struct chan *chan, uint64_t *cursor, uint64_t newest, int64_t count,
		       struct strbuf *out)
{
	auto_free(strbuf_fini) struct strbuf body = STRBUF_INIT;
	const char *comma = "";
	uint64_t lost;

	while (count > 0 && *cursor < newest) {
		enum chan_result result;

		strbuf_reset(&body);
		result = chan_try_recv(chan, cursor, &body, &lost);
		if (result != CHAN_OK && result != CHAN_GAP)
			break;
		strbuf_addstr(out, comma);
		comma = ",";
		if (result == CHAN_GAP) {
			event_gap_line(lost, out);
			continue;
		}
		event_line(*cursor, body.buf, body.len, out);
		count--;
	}
}

void method_events_get(struct connection *c, const struct rpc_request *r)
{
	struct chan *chan = c->server->setup.chan;
	int64_t since = -1, last = -1, count = INT64_MAX;
	uint64_t cursor, newest = chan_last_seq(chan);

	if (!param_count(c, r, "since", &since) || !param_count(c, r, "last", &last) ||
	    !param_count(c, r, "count", &count) || !r->id)
		return;
	cursor = first_cursor(chan, since, last, chan_oldest_seq(chan) - 1);
	rpc_result_begin(&c->out, r->id);
	strbuf_addstr(&c->out, "{\"events\":[");
	/* What is sent meanwhile belongs to the next question: the answer ends. */
	add_events(chan, &cursor, newest, count, &c->out);
	strbuf_addch(&c->out, ']');
	emit_uint(&c->out, "last_seq", cursor);
	emit_close(&c->out, '}');
	rpc_result_end(&c->out);
}

void method_events_subscribe(struct connection *c, const struct rpc_request *r)
{
	struct chan *chan = c->server->setup.chan;
	int64_t since = -1, last = -1;

	if (!param_count(c, r, "since", &since) || !param_count(c, r, "last", &last))
		return;
	if (c->subscribed) {
		reply_error(c, r, RPC_SERVER_ERROR, ERROR_SUBSYSTEM_EXISTS,
			    "this connection is subscribed already");
		return;
	}
	/* Subscribed first, cursor second: nothing falls between. */
	control_count_subscriber(c->server, 1);
	c->subscribed = true;
	c->cursor = first_cursor(chan, since, last, chan_last_seq(chan));
	reply_result(c, r, json_pack("{s:I}", "since", (json_int_t)c->cursor));
}

/* --- the rest --------------------------------------------------------------------------------- */

void method_config_get(struct connection *c, const struct rpc_request *r)
{
	json_t *config;

	rcu_enter();
	config = config_dump_json(config_current());
	rcu_leave();
	reply_result(c, r, config);
}

void method_features(struct connection *c, const struct rpc_request *r)
{
	struct strbuf *text = &c->server->features;

	if (text->len == 0) {	/* probing costs a fork: once */
		auto_free(json_decrefp) json_t *features = features_json();

		json_dump(features, text);
	}
	if (!r->id)
		return;
	rpc_result_begin(&c->out, r->id);
	strbuf_add(&c->out, text->buf, text->len);
	rpc_result_end(&c->out);
}
