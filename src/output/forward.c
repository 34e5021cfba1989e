/* The bytes of a log_file are the child's, so whole lines are written straight from the ring. Where
 * lines have to be formatted, cut or counted (procd's own log, log_format, log_rate_limit) they go
 * into a batch that remembers where each one came from. Either way the write is announced in the
 * state file first. */
#include "output/forward.h"

#include <errno.h>

#include "base/clock.h"
#include "output/lines.h"
#include "output/ownlog.h"
#include "output/state.h"

struct target *forward_target(const struct stream *s)
{
	return s->target != NULL ? s->target : s->slot->owner->ownlog->target;
}

void forward_later(struct captures *c, struct stream *s)
{
	if (list_empty(&s->pending))
		list_append(&c->pending, &s->pending);
}

/* Captured bytes behind the first OUT_END bytes of the batch. */
static size_t raw_of(const struct batch *b, size_t out_end)
{
	unsigned low = 0, high = b->nlines;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (b->line[mid].out_end <= out_end)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 ? b->line[low - 1].raw_end : 0;
}

/* Those that went with lines now written were left out for good. */
static uint64_t dropped_until(struct batch *b, size_t out_end)
{
	uint64_t dropped = 0;

	while (b->nwritten < b->nlines && b->line[b->nwritten].out_end <= out_end)
		dropped += b->line[b->nwritten++].dropped;
	return dropped;
}

/* Write TEXT. BATCH maps its bytes to captured ones; NULL: they are the same. */
static int write_lines(struct captures *c, struct stream *s, const char *text, size_t len,
		       struct batch *batch)
{
	struct target *t = forward_target(s);
	uint64_t base = ring_written(s->ring);
	size_t done = 0;

	while (done < len) {
		ssize_t n = target_prepare(t, text + done, len - done);

		if (n < 0)
			return (int)n;
		size_t end = done + (size_t)n;

		state_begin(c->state, s->ring->file, base + (batch ? raw_of(batch, end) : end), t,
			    (size_t)n);
		n = target_write(t, text + done, (size_t)n);
		if (n > 0) {
			done += (size_t)n;
			ring_advance(s->ring, base + (batch ? raw_of(batch, done) : done));
			if (batch)
				ring_lost_add(s->ring, dropped_until(batch, done));
		}
		state_end(c->state);
		if (n < 0)
			return (int)n;
	}
	return 0;
}

/* A line for S's own target, without the newline. */
static char *target_line(struct captures *c, const struct stream *s, char *p,
			 const struct captured *line)
{
	bool to_daemon = s->target->kind == TARGET_DAEMON;
	enum log_format format = s->slot->options->policy->log_format;

	if (!to_daemon && format == LOG_FORMAT_JSON)
		return format_captured_json(&c->stamp, p, line);	/* tells "partial" itself */
	if (to_daemon)
		p = format_captured_syslog(&c->syslog_stamp, p, line);
	else if (format == LOG_FORMAT_TEXT)
		p = format_captured_text(&c->stamp, p, line);
	else
		p = put(p, line->text, line->len);
	return line->continued ? put_text(p, LINES_MARK) : p;
}

static void add_line(struct captures *c, const struct stream *s, const struct line *line,
		     int64_t now, size_t raw_end)
{
	const struct subsystem_options *o = s->slot->options;
	struct batch *b = c->batch;
	char *at = b->text + b->len;
	struct captured captured = {
		.real_ns = now,
		.name = o->name,
		.pid = s->slot->pid,
		.is_stderr = s->is_stderr,
		.continued = line->continued,
		.text = line->text,
		.len = line->len,
	};

	if (s->target == NULL) {
		b->len += ownlog_captured(c->ownlog, at, &captured);
	} else {
		b->len += (size_t)(target_line(c, s, at, &captured) - at);
		b->text[b->len++] = '\n';
	}
	b->line[b->nlines].out_end = (uint32_t)b->len;
	b->line[b->nlines].dropped = 0;
	b->line[b->nlines++].raw_end = (uint32_t)raw_end;
}

static void leave_out(struct batch *b, const struct line *line, size_t raw_end)
{
	if (b->nlines == 0) {
		b->skipped = raw_end;
		b->skipped_lines += !line->continued;
	} else {
		b->line[b->nlines - 1].raw_end = (uint32_t)(raw_end - b->skipped);
		b->line[b->nlines - 1].dropped += !line->continued;
	}
}

static void fill_batch(struct captures *c, const struct stream *s, const char *data, size_t len)
{
	int64_t now = clock_real_ns(), mono = clock_mono_ns();
	int64_t rate = s->slot->options->policy->log_rate_limit;
	struct batch *b = c->batch;
	struct line line;
	size_t at = 0;

	b->len = b->skipped = 0;
	b->nlines = b->nwritten = 0;
	b->skipped_lines = 0;
	while (b->nlines < BATCH_LINES && sizeof b->text - b->len >= FORMAT_ROOM(OUTPUT_LINE_MAX) &&
	       lines_next(data + at, len - at, OUTPUT_LINE_MAX, &line)) {
		at += line.raw_len;
		if (rate > 0 && !limit_take(&s->slot->limit, rate, mono))
			leave_out(b, &line, at);
		else
			add_line(c, s, &line, now, at - b->skipped);
	}
}

/* As a line of S's target, newline included. (procd's own log gives it its form itself.) */
static size_t lost_line(struct captures *c, const struct stream *s, const char *text, char *out)
{
	const struct subsystem_options *o = s->slot->options;
	int64_t now = clock_real_ns();
	char *p;

	if (s->target != NULL && s->target->kind == TARGET_DAEMON)
		p = format_message_syslog(&c->syslog_stamp, out, LOG_WARN, o->name, now, text);
	else if (s->target != NULL && o->policy->log_format == LOG_FORMAT_JSON)
		p = format_message_json(&c->stamp, out, LOG_WARN, o->name, now, text);
	else if (s->target != NULL && o->policy->log_format == LOG_FORMAT_TEXT)
		p = format_message_text(&c->stamp, out, LOG_WARN, o->name, now, text);
	else
		p = put_text(out, text);
	*p++ = '\n';
	return (size_t)(p - out);
}

/* What had to be dropped is said in the log that misses it. */
static int tell_lost(struct captures *c, struct stream *s)
{
	bool limited = s->slot->options->policy->log_rate_limit > 0;
	uint64_t lost = ring_lost_unsaid(s->ring);
	struct target *t = forward_target(s);
	char text[64], line[FORMAT_ROOM(sizeof text + NAME_CAP)];

	if (lost == 0 || (limited && !limit_may_tell(&s->slot->limit, clock_mono_ns())))
		return 0;
	snprintf(text, sizeof text, "... %llu lines %s", (unsigned long long)lost,
		 limited ? "dropped" : "lost");

	size_t n = lost_line(c, s, text, line);
	ssize_t got = target_prepare(t, line, n);

	if (got > 0 && s->target != NULL)
		got = target_write(t, line, n);
	if (got < 0)
		return (int)got;
	/* Only once it can be written: messages have a bounded queue. */
	if (s->target == NULL)
		ownlog_message(c->ownlog, LOG_WARN, s->slot->options->name, clock_real_ns(), text);
	ring_lost_said(s->ring, lost);
	return 0;
}

/* May the bytes of the ring go to the target as they are? */
static bool is_plain(const struct stream *s)
{
	const struct subsystem_options *o = s->slot->options;

	return s->target != NULL && s->target->kind == TARGET_FILE &&
	       o->policy->log_format == LOG_FORMAT_RAW && o->policy->log_rate_limit == 0;
}

/* One piece. 0: some lines were written; -ENODATA: no whole line is left. */
static int forward_some(struct captures *c, struct stream *s)
{
	size_t len;
	const char *data = ring_span(s->ring, &len);
	int err = tell_lost(c, s);

	if (err < 0)
		return err;
	if (len == 0)
		return -ENODATA;
	if (is_plain(s)) {
		size_t whole = lines_whole(data, len, OUTPUT_LINE_MAX);

		if (whole > 0)
			return write_lines(c, s, data, whole, NULL);
	} else if (s->target == NULL) {
		err = ownlog_flush(c->ownlog);
		if (err < 0)
			return err;
	}
	fill_batch(c, s, data, len);
	if (c->batch->skipped > 0) {
		ring_advance(s->ring, ring_written(s->ring) + c->batch->skipped);
		ring_lost_add(s->ring, c->batch->skipped_lines);
	}
	if (c->batch->nlines == 0)
		return c->batch->skipped > 0 ? 0 : -ENODATA;
	return write_lines(c, s, c->batch->text, c->batch->len, c->batch);
}

int forward_stream(struct captures *c, struct stream *s)
{
	int err;

	do
		err = forward_some(c, s);
	while (err == 0);
	if (err != -ENODATA) {
		forward_later(c, s);
		return err;
	}
	if (ring_lost_unsaid(s->ring) > 0)
		forward_later(c, s);	/* to say so */
	else
		list_remove(&s->pending);
	return 0;
}
