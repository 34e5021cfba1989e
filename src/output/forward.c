/* The bytes of a log_file are the child's, so whole lines are written straight from the ring. For
 * procd's own log, and for lines that have to be cut, they are formatted into a batch that remembers
 * where each line came from. Either way the write is announced in the state file first. */
#include "output/forward.h"

#include <errno.h>

#include "base/clock.h"
#include "output/lines.h"
#include "output/ownlog.h"
#include "output/state.h"

struct target *forward_target(const struct stream *s)
{
	return s->slot->file != NULL ? s->slot->file : s->slot->owner->ownlog->target;
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

/* Write TEXT. BATCH maps its bytes to captured ones; NULL: they are the same. */
static int write_lines(struct captures *c, struct stream *s, const char *text, size_t len,
		       const struct batch *batch)
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
		}
		state_end(c->state);
		if (n < 0)
			return (int)n;
	}
	return 0;
}

static void add_line(struct captures *c, const struct stream *s, const struct line *line,
		     int64_t now, size_t raw_end)
{
	struct batch *b = c->batch;
	char *at = b->text + b->len;

	if (s->slot->file == NULL) {
		b->len += ownlog_captured(c->ownlog, at,
					  &(struct captured){ .real_ns = now,
							      .name = s->slot->options->name,
							      .pid = s->slot->pid,
							      .is_stderr = s->is_stderr,
							      .continued = line->continued,
							      .text = line->text,
							      .len = line->len });
	} else {
		memcpy(at, line->text, line->len);
		b->len += line->len;
		if (line->continued) {
			memcpy(b->text + b->len, LINES_MARK, sizeof LINES_MARK - 1);
			b->len += sizeof LINES_MARK - 1;
		}
		b->text[b->len++] = '\n';
	}
	b->line[b->nlines].out_end = (uint32_t)b->len;
	b->line[b->nlines++].raw_end = (uint32_t)raw_end;
}

static void fill_batch(struct captures *c, const struct stream *s, const char *data, size_t len)
{
	struct batch *b = c->batch;
	int64_t now = clock_real_ns();
	struct line line;
	size_t at = 0;

	b->len = 0;
	b->nlines = 0;
	while (b->nlines < BATCH_LINES && sizeof b->text - b->len >= OWNLOG_ROOM(OUTPUT_LINE_MAX) &&
	       lines_next(data + at, len - at, OUTPUT_LINE_MAX, &line)) {
		at += line.raw_len;
		add_line(c, s, &line, now, at);
	}
}

/* What had to be dropped is said in the log that misses it. */
static int tell_lost(struct captures *c, struct stream *s)
{
	uint64_t lost = ring_lost_unsaid(s->ring);
	struct target *t = forward_target(s);
	char text[64];

	if (lost == 0)
		return 0;
	int n = snprintf(text, sizeof text, "... %llu lines lost", (unsigned long long)lost);

	if (s->slot->file == NULL) {
		/* Only once it can be written: messages have a bounded queue. */
		int err = (int)MIN(target_prepare(t, text, (size_t)n), (ssize_t)0);

		if (err < 0)
			return err;
		ownlog_message(c->ownlog, LOG_WARN, s->slot->options->name, clock_real_ns(), text);
	} else {
		text[n++] = '\n';
		ssize_t got = target_prepare(t, text, (size_t)n);

		if (got > 0)
			got = target_write(t, text, (size_t)n);
		if (got < 0)
			return (int)got;
	}
	ring_lost_said(s->ring, lost);
	return 0;
}

/* One piece. 0: some lines were written; -ENODATA: no whole line is left. */
static int forward_some(struct captures *c, struct stream *s)
{
	size_t len;
	const char *data = ring_span(s->ring, &len);

	if (len == 0)
		return -ENODATA;
	int err = tell_lost(c, s);

	if (err < 0)
		return err;
	if (s->slot->file != NULL) {
		size_t whole = lines_whole(data, len, OUTPUT_LINE_MAX);

		if (whole > 0)
			return write_lines(c, s, data, whole, NULL);
	} else {
		err = ownlog_flush(c->ownlog);
		if (err < 0)
			return err;
	}
	fill_batch(c, s, data, len);
	if (c->batch->nlines == 0)
		return -ENODATA;
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
	list_remove(&s->pending);
	return 0;
}
