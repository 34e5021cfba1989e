/* Methods that look: answered on the front thread from board, ring and configuration. A read
 * section is short, never blocks, and what leaves it is text. */
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "config/depend.h"
#include "config/store.h"
#include "config.h"
#include "control/emit.h"
#include "control/features.h"
#include "control/methods.h"
#include "control/server.h"
#include "control/status_record.h"
#include "core/listing.h"
#include "output/tail.h"

/* --- status ----------------------------------------------------------------------------------- */

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
	emit_int(out, "uptime_ms", status_ms_since(now, d->keeper_started_mono_ns));
	emit_text(out, "state", enumtext_name(&daemon_state_text, d->state));
	emit_text(out, "config_file", config->file);
	emit_open(out, "subsystems", '[');
	for (size_t i = 0; i < n; i++) {
		const struct board_record *r = board_get(board, slots[i]);

		if (r)	/* it may have left since the match */
			status_record_put(out, brief, r, sampler_get(c->server->sampler, r),
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
		uint64_t pos = tail_seek_lines(output, r->slot, order[i], OUTPUT_END_LINES),
			 lost = 0;

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
