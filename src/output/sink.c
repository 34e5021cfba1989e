/* The channel is the queue: what cannot be written now is read from it later, and a sink that falls
 * behind by more than the ring writes a gap line. In a file the last line tells how far a dead
 * predecessor really came; elsewhere the remembered number is all there is. */
#include "output/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sealed.h"
#include "event/event.h"

#define TEXT_BATCH (64u * 1024)
#define LAST_LINE_MAX (CHAN_BODY_MAX + 1024)

static void on_wake(struct loop_async *wake)
{
	(void)sink_run(container_of(wake, struct sink, wake));
}

/* On the sender's thread. */
static void wake_sink(void *ctx)
{
	loop_async_send(ctx);
}

void sink_init(struct sink *s, struct ev_loop *loop, struct chan *chan, struct state *state)
{
	*s = (struct sink){ .chan = chan, .state = state, .text = STRBUF_INIT, .fresh = true };
	loop_async_start(&s->wake, loop, on_wake);
}

static void unsubscribe(struct sink *s)
{
	if (s->target != NULL)
		chan_unsubscribe(s->chan, wake_sink, &s->wake);
}

void sink_fini(struct sink *s)
{
	unsubscribe(s);
	loop_async_stop(&s->wake);
	target_unref(s->target);
	strbuf_fini(&s->text);
}

/* The seq in the last whole line of FD, 0 when there is none. A torn line behind it is cut off. */
static uint64_t last_seq_in(int fd)
{
	auto_free(strbuf_fini) struct strbuf tail = STRBUF_INIT;
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_size == 0)
		return 0;
	off_t from = st.st_size > (off_t)LAST_LINE_MAX ? st.st_size - (off_t)LAST_LINE_MAX : 0;

	strbuf_reserve(&tail, LAST_LINE_MAX);
	ssize_t n = pread(fd, tail.buf, LAST_LINE_MAX, from);
	const char *end = n > 0 ? memrchr(tail.buf, '\n', (size_t)n) : NULL;

	if (end == NULL)
		return 0;
	if (end - tail.buf + 1 < n && ftruncate(fd, from + (end - tail.buf) + 1) < 0)
		return 0;
	const char *begin = memrchr(tail.buf, '\n', (size_t)(end - tail.buf));
	char head[160];

	begin = begin != NULL ? begin + 1 : tail.buf;
	snprintf(head, sizeof head, "%.*s", (int)MIN(end - begin, (ptrdiff_t)sizeof head - 1), begin);
	const char *seq = strstr(head, "\"seq\":");

	return seq != NULL ? strtoull(seq + sizeof "\"seq\":" - 1, NULL, 10) : 0;
}

static uint64_t first_cursor(struct sink *s)
{
	uint64_t last = chan_last_seq(s->chan), cursor = sealed_value(s->state->sink_seq);

	if (!s->fresh)
		return last;
	if (sealed_value(s->state->sink_active) == 0)
		return chan_oldest_seq(s->chan) - 1;
	if (s->target->kind == TARGET_FILE) {
		auto_free(closep) int fd = file_open_owned(AT_FDCWD, s->target->file.path,
							   O_RDWR, 0640);
		uint64_t written = fd >= 0 ? last_seq_in(fd) : 0;

		if (written <= last)
			cursor = MAX(cursor, written);
	}
	return cursor <= last ? cursor : chan_oldest_seq(s->chan) - 1;
}

void sink_set_target(struct sink *s, struct target *target)
{
	bool was_on = s->target != NULL;

	if (was_on && target != s->target)
		(void)sink_run(s);
	unsubscribe(s);
	target_unref(s->target);
	s->target = target;
	if (target != NULL && !was_on)
		s->cursor = first_cursor(s);
	s->fresh = false;
	atomic_store(&s->state->sink_active, sealed_make(target != NULL));
	if (target == NULL) {
		strbuf_reset(&s->text);
		return;
	}
	chan_subscribe(s->chan, wake_sink, &s->wake);
	loop_async_send(&s->wake);	/* from the loop: nothing is written in here */
}

static void fill(struct sink *s)
{
	auto_free(strbuf_fini) struct strbuf body = STRBUF_INIT;
	uint64_t lost = 0;

	while (s->text.len < TEXT_BATCH) {
		strbuf_reset(&body);
		enum chan_result r = chan_try_recv(s->chan, &s->cursor, &body, &lost);

		if (r == CHAN_OK)
			event_line(s->cursor, body.buf, body.len, &s->text);
		else if (r == CHAN_GAP)
			event_gap_line(lost, &s->text);
		else
			break;
		strbuf_addch(&s->text, '\n');
	}
}

bool sink_run(struct sink *s)
{
	if (s->target == NULL)
		return true;
	for (;;) {
		if (s->text.len == 0)
			fill(s);
		if (s->text.len == 0)
			return true;
		ssize_t n = target_prepare(s->target, s->text.buf, s->text.len);

		if (n > 0)
			n = target_write(s->target, s->text.buf, (size_t)n);
		if (n < 0)
			return false;
		strbuf_consume(&s->text, (size_t)n);
		if (s->text.len == 0)
			atomic_store(&s->state->sink_seq, sealed_make(s->cursor));
	}
}
