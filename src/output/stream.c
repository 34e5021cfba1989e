/* A FIFO becomes readable; its bytes go into the ring (made at the first byte), and whole lines go
 * on from there. Four things keep a stream from being read at once:
 *
 *   paced     many small writes: instead of waking up for each, a shared timer reads every
 *             millisecond, until nothing comes any more; not where the pipe is too small to hold
 *             what comes meanwhile, and the kernel refuses a larger one
 *   waiting   the ring is full of lines that a slow, but living target has not taken yet: the child
 *             feels it as a slow pipe. A target that fails, or takes nothing for a second, loses
 *             this privilege: the oldest lines are dropped, counted, and told later
 *   held      its process is just being started, and lines must tell their pid
 *   no ring   memory or descriptors are out: tried again with the pending ones
 */
#include "output/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "keeper/fifo.h"
#include "output/datagram.h"
#include "output/forward.h"
#include "output/lines.h"

#define TURN_READS 4u			/* of up to 64 KiB, per FIFO and turn of the loop */
#define SMALL_READ (16u * 1024)
#define BUSY_NS (2 * NS_PER_MS)		/* two reads within this: under load */
#define PACE_NS (1 * NS_PER_MS)
#define PIPE_BYTES (64 * 1024)		/* as pipes are */
#define PIPE_BYTES_LARGE (256 * 1024)
#define PIPE_BYTES_LARGEST (1024 * 1024)	/* fs.pipe-max-size, as it is without being set */
#define PIPE_FULL(bytes) ((bytes) / 16 * 15u)
#define DROP_TO_ROOM (16u * 1024)
#define DRAIN_BYTES PIPE_BYTES_LARGEST
#define DRAIN_NS (20 * NS_PER_MS)

enum read_end {
	READ_EMPTY,	/* the FIFO held nothing */
	READ_SMALL,	/* it held little, and is likely empty now */
	READ_MORE,
	READ_STOP,	/* not to be read now: waiting, or no ring */
};

static void stream_file(const struct stream *s, char out[24])
{
	snprintf(out, 24, "%u.%s", s->slot->number, s->is_stderr ? "err" : "out");
}

/* --- the ring ------------------------------------------------------------------------------- */

static void free_ring(struct rcu_head *head)
{
	struct ring *r = container_of(head, struct ring, rcu);

	rcu_tsan_acquire(r);
	ring_close(r);
	free(r);
}

static bool open_ring(struct captures *c, struct stream *s, bool create)
{
	struct ring *ring = x_calloc(1, sizeof *ring);
	char file[24];

	stream_file(s, file);
	int err = ring_open(ring, c->ring_dirfd, file, s->slot->options->name, create);

	if (ring->set_aside)
		log_warn("%s: captured output that waited in %s was damaged and is lost; it is "
			 "kept as %s.bad", s->slot->options->name, file, file);
	if (err < 0) {
		if (err != -ENOENT)
			log_error("%s: output cannot be captured now: %s", s->slot->options->name,
				  strerror(-err));
		free(ring);
		return false;
	}
	if (ring->in_memory)
		c->in_memory++;
	(void)rcu_publish(&s->ring, ring);
	return true;
}

/* --- reading --------------------------------------------------------------------------------- */

/* Lines for which the target cannot be waited for make room for new ones. */
static void drop_oldest(struct stream *s)
{
	struct ring *r = s->ring;
	uint64_t lost = 0;

	while (RING_DATA - (ring_head(r) - ring_written(r)) < DROP_TO_ROOM) {
		struct line line;
		size_t len;
		const char *data = ring_span(r, &len);

		if (!lines_next(data, len, OUTPUT_LINE_MAX, &line))
			break;
		lost += !line.continued;
		ring_advance(r, ring_written(r) + line.raw_len);
	}
	ring_lost_add(r, lost);
}

/* In two steps. The second is for one that fills a large pipe while its reader pauses, as a writer
 * of single lines does (1.1 x the flow of a reader without pauses with 256 KiB, 1.8 x with 1 MiB).
 * Where the reader has no time to pause it would only eat up the user's share, and give more to who
 * came first. */
static void enlarge_pipe(struct stream *s, size_t available)
{
	bool large = s->pipe == PIPE_LARGE;

	if (s->pipe == PIPE_LARGEST || (large && list_empty(&s->paced)) ||
	    available < PIPE_FULL(large ? PIPE_BYTES_LARGE : PIPE_BYTES))
		return;
	s->pipe = large ? PIPE_LARGEST : PIPE_LARGE;
	/* Refused beyond the user's share of pipe pages: then it stays as it is. */
	(void)fcntl(s->fd, F_SETPIPE_SZ, large ? PIPE_BYTES_LARGEST : PIPE_BYTES_LARGE);
}

/* Can it hold what comes within PACE_NS? Who has a thousand pipes is given small ones. Source:
 * pipe(7), pipe-user-pages-soft. */
static bool holds_much(struct stream *s)
{
	if (s->pipe == PIPE_UNKNOWN)
		s->pipe = fcntl(s->fd, F_GETPIPE_SZ) >= PIPE_BYTES ||
			  fcntl(s->fd, F_SETPIPE_SZ, PIPE_BYTES) >= PIPE_BYTES ? PIPE_USUAL :
										 PIPE_SMALL;
	return s->pipe != PIPE_SMALL;
}

/* Room for a read: forward again, or give up the oldest lines. False: wait. */
static bool make_room(struct captures *c, struct stream *s)
{
	if (forward_stream(c, s) == 0)
		return true;
	if (!target_stuck(forward_target(s)))
		return false;
	drop_oldest(s);
	return true;
}

void stream_look(struct captures *c, struct stream *s)
{
	uint64_t spawn_id;

	if (match_look(s, &spawn_id))
		c->on_match(c->on_match_ctx, s->slot->number, spawn_id);
}

static enum read_end read_stream(struct captures *c, struct stream *s, unsigned reads)
{
	int in_pipe = 0;

	if (s->ring == NULL) {
		if (ioctl(s->fd, FIONREAD, &in_pipe) < 0 || in_pipe <= 0)
			return READ_EMPTY;
		if (!open_ring(c, s, true)) {
			forward_later(c, s);
			return READ_STOP;
		}
	}
	while (reads-- > 0) {
		size_t available;
		ssize_t n = ring_capture(s->ring, s->fd, &available);

		enlarge_pipe(s, available);
		if (n == -ENOBUFS) {
			if (!make_room(c, s))
				return READ_STOP;
			continue;
		}
		if (n <= 0)
			return READ_EMPTY;
		c->news = true;
		stream_look(c, s);
		(void)forward_stream(c, s);
		if ((size_t)n == available && available < SMALL_READ)
			return READ_SMALL;
	}
	return READ_MORE;
}

static void start_reading(struct stream *s)
{
	if (!s->held)
		loop_io_set(&s->readable, s->fd, EV_READ);
}

static void stop_reading(struct stream *s)
{
	loop_io_set(&s->readable, s->fd, 0);
	list_remove(&s->paced);
	s->waiting = true;
}

static void pace(struct captures *c, struct stream *s)
{
	loop_io_set(&s->readable, s->fd, 0);
	if (list_empty(&c->paced))
		loop_timer_set(&c->pace, PACE_NS);
	list_append(&c->paced, &s->paced);
}

static void on_readable(struct loop_io *io, int revents)
{
	struct stream *s = container_of(io, struct stream, readable);
	struct captures *c = s->slot->owner;
	int64_t now = clock_mono_ns(), before = s->read_ns;
	enum read_end end = read_stream(c, s, TURN_READS);

	(void)revents;
	s->read_ns = now;
	if (end == READ_STOP)
		stop_reading(s);
	else if (end == READ_SMALL && before != 0 && now - before < BUSY_NS && holds_much(s))
		pace(c, s);
}

void streams_on_pace(struct loop_timer *timer)
{
	struct captures *c = container_of(timer, struct captures, pace);

	list_for_each(l, &c->paced) {
		struct stream *s = list_entry(l, struct stream, paced);
		enum read_end end = read_stream(c, s, TURN_READS);

		if (end == READ_SMALL)
			continue;
		list_remove(&s->paced);
		if (end == READ_STOP)
			stop_reading(s);
		else
			start_reading(s);
	}
	if (!list_empty(&c->paced))
		loop_timer_set(&c->pace, PACE_NS);
}

/* --- its life -------------------------------------------------------------------------------- */

/* An own reading description that also writes: the FIFO never ends, whoever else closes it. */
static int open_fifo(const struct captures *c, const struct stream *s)
{
	char name[FIFO_NAME_CAP];

	fifo_name(name, s->slot->number, s->is_stderr);
	return fifo_open(c->fifo_dirfd, name);
}

void stream_init(struct captures *c, struct stream *s, struct slot *slot, bool is_stderr)
{
	s->slot = slot;
	s->is_stderr = is_stderr;
	s->fd = -1;
	list_init(&s->paced);
	list_init(&s->pending);
	loop_io_init(&s->readable, c->loop, on_readable);
}

/* Begin, or go on with what a predecessor left. */
static void open_stream(struct captures *c, struct stream *s)
{
	if (s->fd >= 0)
		return;
	s->fd = open_fifo(c, s);
	if (s->fd < 0) {
		log_error("%s: output cannot be captured: %s", s->slot->options->name,
			  strerror(-s->fd));
		s->fd = -1;
		return;
	}
	s->pipe = PIPE_UNKNOWN;
	if (s->ring == NULL && open_ring(c, s, false)) {
		ring_recover(s->ring, s->fd);
		forward_later(c, s);	/* the pid of these lines comes with the next order */
	}
	start_reading(s);
}

void stream_drain(struct captures *c, struct stream *s)
{
	int64_t deadline = clock_mono_ns() + DRAIN_NS;
	uint64_t end = DRAIN_BYTES + (s->ring != NULL ? ring_head(s->ring) : 0);
	enum read_end how = READ_MORE;

	if (s->fd < 0)
		return;
	while (how != READ_EMPTY && how != READ_STOP && clock_mono_ns() < deadline &&
	       (s->ring == NULL || ring_head(s->ring) < end))
		how = read_stream(c, s, 1);
	if (s->ring == NULL || how != READ_EMPTY || !ring_end_line(s->ring))
		return;
	stream_look(c, s);
	(void)forward_stream(c, s);
}

void stream_close(struct captures *c, struct stream *s)
{
	char file[24];

	s->slot->limit.tell_ns = MIN(s->slot->limit.tell_ns, 1);
	stream_drain(c, s);
	if (s->ring != NULL && ring_lost_unsaid(s->ring) > 0)
		(void)forward_stream(c, s);
	list_remove(&s->paced);
	list_remove(&s->pending);
	loop_io_set(&s->readable, -1, 0);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	if (s->ring != NULL && ring_head(s->ring) > ring_written(s->ring))
		log_warn("%s: the last %llu bytes of its output are lost: %s cannot be written",
			 s->slot->options->name,
			 (unsigned long long)(ring_head(s->ring) - ring_written(s->ring)),
			 target_name(forward_target(s)));
	target_unref(take(s->target));
	if (s->ring == NULL)
		return;
	stream_file(s, file);
	unlinkat(c->ring_dirfd, file, 0);
	struct ring *old = rcu_xchg_pointer(&s->ring, NULL);

	c->in_memory -= old->in_memory;
	rcu_retire(&old->rcu, free_ring);
}

/* A new reference, or NULL: procd's own log. */
static struct target *target_of(struct captures *c, const struct stream *s)
{
	const struct subsystem_options *o = s->slot->options;

	switch (o->streams->stdio[s->is_stderr ? 2 : 1].kind) {
	case STDIO_SYSLOG:
		return target_daemon(c->targets, DATAGRAM_SYSLOG);
	case STDIO_JOURNAL:
		return target_daemon(c->targets, DATAGRAM_JOURNAL);
	default:
		if (o->log_file == NULL)
			return NULL;
		return target_file(c->targets, o->log_file, o->policy->log_max_file_size,
				   o->policy->log_max_files);
	}
}

/* As the slot's options say. */
void stream_attach(struct captures *c, struct stream *s)
{
	const struct stdio_option *wanted = &s->slot->options->streams->stdio[s->is_stderr ? 2 : 1];

	if (stdio_is_captured(wanted)) {
		struct target *old = s->target;

		s->target = target_of(c, s);
		target_unref(old);
		open_stream(c, s);
	} else {
		stream_close(c, s);
	}
}

void stream_hold(struct stream *s)
{
	s->held = true;
	if (s->ring != NULL)
		ring_run_begins(s->ring);
	loop_io_set(&s->readable, s->fd, 0);
	list_remove(&s->paced);
}

void stream_release(struct stream *s)
{
	s->held = false;
	if (s->fd >= 0 && !s->waiting)
		start_reading(s);
}

void stream_retry(struct captures *c, struct stream *s)
{
	enum read_end end = READ_MORE;
	int err = s->ring != NULL ? forward_stream(c, s) : 0;

	if (!s->waiting || s->fd < 0)
		return;
	/* Without room this drops lines if the target turns out to be stuck by now. */
	if (err < 0 || s->ring == NULL)
		end = read_stream(c, s, TURN_READS);
	if (end == READ_STOP)
		return;
	s->waiting = false;
	start_reading(s);
}

void stream_read(struct captures *c, struct stream *s)
{
	if (s->fd >= 0)
		read_stream(c, s, TURN_READS);
}

void stream_fini(struct stream *s)
{
	loop_io_set(&s->readable, -1, 0);
	list_remove(&s->paced);
	list_remove(&s->pending);
	if (s->fd >= 0)
		close(s->fd);
	if (s->ring != NULL) {
		ring_close(s->ring);
		free(s->ring);
	}
	target_unref(s->target);
}
