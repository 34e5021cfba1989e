/* `events`: what the ring holds, what comes, or one at a time. Always JSON lines, as the daemon
 * wrote them. */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "command/stream.h"
#include "command/verbs.h"
#include "control/scan.h"

struct wish {
	int64_t since, last, count, after;	/* -1: not given */
	bool follow, poll;
};

struct event_stream {
	struct call call;
	struct wish wish;
	struct strbuf out;
	int64_t seq;		/* of the last event seen, -1: none */
	int64_t printed;
	bool ending;		/* the daemon told that it shuts down */
};

static int read_wish(const struct cli_options *o, struct wish *w)
{
	int rc;

	*w = (struct wish){ -1, -1, -1, -1, cli_value(o, "follow") != NULL,
			    cli_value(o, "poll") != NULL };
	if ((rc = option_count(o, "since", &w->since)) != 0 ||
	    (rc = option_count(o, "last", &w->last)) != 0 ||
	    (rc = option_count(o, "count", &w->count)) != 0 ||
	    (rc = option_count(o, "after", &w->after)) != 0)
		return rc;
	if (w->poll && (w->follow || w->since >= 0 || w->last >= 0 || w->count >= 0))
		return cli_fail_usage(o, "events: --poll goes with --after only");
	if (!w->poll && w->after >= 0)
		return cli_fail_usage(o, "events: --after belongs to --poll (else --since)");
	if (w->since >= 0 && w->last >= 0)
		return cli_fail_usage(o, "events: --since and --last exclude each other");
	return 0;
}

/* Notes the event's number; returns false for a gap record, which has none. */
static bool note(struct event_stream *s, const char *line, size_t len)
{
	struct scan scan = scan_text(line, len);
	struct span key, value;
	int64_t seq;

	if (!scan_enter(&scan, '{') || !scan_key(&scan, &key) || !scan_value(&scan, &value))
		return true;
	s->ending |= span_is(value, "\"shutdown_started\"") ||
		     span_is(value, "\"shutdown_progress\"");
	if (!scan_key(&scan, &key) || !span_is(key, "seq") || !scan_value(&scan, &value) ||
	    !span_int(value, &seq))
		return !span_is(key, "lost");
	s->seq = seq;
	return true;
}

static void add_line(struct event_stream *s, const char *line, size_t len)
{
	s->printed += note(s, line, len);
	strbuf_add(&s->out, line, len);
	strbuf_addch(&s->out, '\n');
}

static int print_batch(struct event_stream *s)
{
	int rc = s->out.len > 0 ? cli_print(s->out.buf, s->out.len) : 0;

	strbuf_reset(&s->out);
	return rc;
}

/* --- what is there now ------------------------------------------------------------------------ */

static int get(struct event_stream *s, json_t *params, bool last_only)
{
	struct span key, value;
	struct scan scan;
	const char *text;
	size_t len;
	int rc = call_ask(&s->call, "events.get", params, &text, &len);

	if (rc != 0)
		return rc;
	scan = scan_text(text, len);
	if (!scan_enter(&scan, '{') || !scan_key(&scan, &key) || !scan_enter(&scan, '['))
		return call_broken(&s->call, -EPROTO);
	while (scan_element(&scan) && scan_value(&scan, &value)) {
		if (last_only)
			strbuf_reset(&s->out);
		add_line(s, value.s, value.n);
	}
	return print_batch(s);
}

static json_t *since_or_last(const struct wish *w)
{
	if (w->since >= 0)
		return json_pack("{s:I}", "since", (json_int_t)w->since);
	if (w->last >= 0)
		return json_pack("{s:I}", "last", (json_int_t)w->last);
	return json_object();
}

/* --- what comes ------------------------------------------------------------------------------- */

/* Take lines until COUNT events were printed (-1: for ever) or the connection breaks. *RC is what
 * client_line() returned; true: it is over, and *RC the exit code. */
static bool take_lines(struct event_stream *s, int64_t count, int *rc)
{
	while (count < 0 || s->printed < count) {
		const char *line, *event;
		size_t len, n;

		if (!client_has_line(&s->call.client)) {
			int failed = print_batch(s);

			if (failed != 0) {
				*rc = failed;
				return true;
			}
		}
		*rc = client_line(&s->call.client, &line, &len);
		if (*rc <= 0)
			return false;
		event = client_params_text(line, len, "event", &n);
		if (event)
			add_line(s, event, n);
	}
	*rc = print_batch(s);
	return true;
}

static int follow(struct event_stream *s, json_t *params, int64_t count)
{
	const char *text;
	size_t len;
	int rc;

	for (;;) {
		rc = call_ask(&s->call, "events.subscribe", params, &text, &len);
		if (rc != 0)
			return rc;
		/* Where to go on after a break, even when no event came. */
		if (s->seq < 0) {
			auto_free(json_decrefp) json_t *result = json_loadb(text, len, 0, NULL);

			s->seq = json_integer_value(json_object_get(result, "since"));
		}
		stream_unlimited(&s->call);
		if (take_lines(s, count, &rc))
			return rc;
		if (rc == 0 && s->ending)
			return count < 0 ? EXIT_OK : call_broken(&s->call, rc);
		rc = stream_again(&s->call, rc);
		if (rc != 0)
			return rc;
		params = json_pack("{s:I}", "since", (json_int_t)s->seq);
	}
}

/* At most one event; with --timeout it is waited for. */
static int poll_one(struct event_stream *s)
{
	const struct wish *w = &s->wish;
	const char *line, *event = NULL;
	size_t len, n;
	int rc;

	if (s->call.o->timeout_ms < 0) {
		rc = get(s, w->after >= 0 ?
			 json_pack("{s:I, s:i}", "since", (json_int_t)w->after, "count", 1) :
			 json_pack("{s:i}", "last", 0), true);
		return rc != 0 ? rc : s->printed > 0 ? EXIT_OK : EXIT_FAILED;
	}
	rc = call_ask(&s->call, "events.subscribe", w->after >= 0 ?
		      json_pack("{s:I}", "since", (json_int_t)w->after) : json_object(),
		      &line, &len);
	if (rc != 0)
		return rc;
	while ((rc = client_line(&s->call.client, &line, &len)) > 0) {
		event = client_params_text(line, len, "event", &n);
		if (event && note(s, event, n))
			break;
	}
	if (rc == -ETIMEDOUT)
		return EXIT_FAILED;
	if (rc <= 0)
		return call_broken(&s->call, rc);
	add_line(s, event, n);
	return print_batch(s);
}

int verb_events(const struct cli_options *o)
{
	struct event_stream s = { .seq = -1, .out = STRBUF_INIT };
	struct wish *w = &s.wish;
	int rc = read_wish(o, w);

	if (rc != 0)
		return rc;
	rc = call_open(&s.call, o);
	if (rc != 0)
		;
	else if (w->poll)
		rc = poll_one(&s);
	else if (!w->follow && w->count < 0)
		rc = get(&s, since_or_last(w), false);
	else if (!w->follow && w->since < 0 && w->last < 0)	/* --count begins with the oldest */
		rc = follow(&s, json_pack("{s:I}", "last", (json_int_t)INT64_MAX), w->count);
	else
		rc = follow(&s, since_or_last(w), w->count);
	call_fini(&s.call);
	strbuf_fini(&s.out);
	return rc;
}
