/* A FIFO becomes readable; its bytes go into the ring (made at the first byte), and whole lines go
 * on from there. Four things keep a stream from being read at once:
 *
 *   paced     many small writes: instead of waking up for each, a shared timer reads every
 *             millisecond, until nothing comes any more
 *   waiting   the ring is full of lines that a slow, but living target has not taken yet: the child
 *             feels it as a slow pipe. A target that fails, or takes nothing for a second, loses
 *             this privilege: the oldest lines are dropped, counted, and told later
 *   held      its process is just being started, and lines must tell their pid
 *   no ring   memory or descriptors are out: tried again with the pending ones
 */
#include "output/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "keeper/fifo.h"
#include "output/datagram.h"
#include "output/forward.h"
#include "output/lines.h"

#define TURN_READS 4u			/* of up to 64 KiB, per FIFO and turn of the loop */
#define SMALL_READ (16u * 1024)
#define BUSY_NS (2 * NS_PER_MS)		/* two reads within this: under load */
#define PACE_NS (1 * NS_PER_MS)
#define PIPE_FULL (60u * 1024)		/* of the default 64 KiB */
#define PIPE_LARGE (256 * 1024)
#define DROP_TO_ROOM (16u * 1024)
#define DRAIN_BYTES (256u * 1024)
#define DRAIN_NS (20 * NS_PER_MS)

enum read_end {
	READ_EMPTY,	/* the FIFO held nothing */
	READ_SMALL,	/* it held little, and is likely empty now */
	READ_MORE,
	READ_STOP,	/* not to be read now: waiting, or no ring */
};

static int open_dir(int run_dirfd, const char *name)
{
	if (mkdirat(run_dirfd, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	int fd = openat(run_dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 ? fd : -errno;
}

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

static void enlarge_pipe(struct stream *s, size_t available)
{
	if (available < PIPE_FULL || s->enlarged)
		return;
	s->enlarged = true;
	/* Refused beyond the user's share of pipe pages: then it stays as it is. */
	(void)fcntl(s->fd, F_SETPIPE_SZ, PIPE_LARGE);
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

static void look(struct captures *c, struct stream *s)
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
		look(c, s);
		(void)forward_stream(c, s);
		if ((size_t)n == available && available < SMALL_READ)
			return READ_SMALL;
	}
	return READ_MORE;
}

static void start_reading(struct stream *s)
{
	if (!s->slot->held)
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
	else if (end == READ_SMALL && before != 0 && now - before < BUSY_NS)
		pace(c, s);
}

static void on_pace(struct loop_timer *timer)
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

/* --- slots ----------------------------------------------------------------------------------- */

static struct slot *find_slot(const struct captures *c, uint32_t number)
{
	struct slot **page = number < c->nslots ? c->pages[number / CAPTURE_PAGE] : NULL;

	return page != NULL ? page[number % CAPTURE_PAGE] : NULL;
}

/* An own reading description that also writes: the FIFO never ends, whoever else closes it. */
static int open_fifo(const struct captures *c, const struct stream *s)
{
	char name[FIFO_NAME_CAP];

	fifo_name(name, s->slot->number, s->is_stderr);
	return fifo_open(c->fifo_dirfd, name);
}

static void init_stream(struct captures *c, struct stream *s, struct slot *slot, bool is_stderr)
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
	if (s->ring == NULL && open_ring(c, s, false)) {
		ring_recover(s->ring, s->fd);
		s->run_from = ring_run_from(s->ring);
		forward_later(c, s);	/* the pid of these lines comes with the next order */
	}
	start_reading(s);
}

static void drain_stream(struct captures *c, struct stream *s)
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
	look(c, s);
	(void)forward_stream(c, s);
}

static void close_stream(struct captures *c, struct stream *s)
{
	char file[24];

	s->slot->limit.tell_ns = MIN(s->slot->limit.tell_ns, 1);
	drain_stream(c, s);
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

static struct slot *new_slot(struct captures *c, uint32_t number)
{
	struct slot *slot = x_calloc(1, sizeof *slot);

	slot->owner = c;
	slot->number = number;
	init_stream(c, &slot->out, slot, false);
	if (c->pages[number / CAPTURE_PAGE] == NULL) {
		struct slot **page = x_calloc(CAPTURE_PAGE, sizeof(struct slot *));

		(void)rcu_publish(&c->pages[number / CAPTURE_PAGE], page);
	}
	(void)rcu_publish(&c->pages[number / CAPTURE_PAGE][number % CAPTURE_PAGE], slot);
	if (number >= c->nslots)
		c->nslots = number + 1;
	return slot;
}

/* A new reference, or NULL: procd's own log. */
static struct target *target_of(struct captures *c, const struct stream *s)
{
	const struct subsystem_options *o = s->slot->options;

	switch (o->stdio[s->is_stderr ? 2 : 1].kind) {
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
static void attach_stream(struct captures *c, struct stream *s)
{
	const struct stdio_option *wanted = &s->slot->options->stdio[s->is_stderr ? 2 : 1];

	if (stdio_is_captured(wanted)) {
		struct target *old = s->target;

		s->target = target_of(c, s);
		target_unref(old);
		open_stream(c, s);
	} else {
		close_stream(c, s);
	}
}

/* SLOT keeps the counted reference OPTIONS. */
void capture_attach(struct captures *c, uint32_t number, struct subsystem_options *options)
{
	BUG_ON(number >= CAPTURE_PAGE * CAPTURE_PAGES);
	struct slot *slot = find_slot(c, number);
	struct subsystem_options *old = slot != NULL ? slot->options : NULL;

	if (slot == NULL)
		slot = new_slot(c, number);
	slot->options = options;
	attach_stream(c, &slot->out);
	if (stdio_is_captured(&options->stdio[2]) && slot->err == NULL) {
		struct stream *err = x_calloc(1, sizeof *err);

		init_stream(c, err, slot, true);
		(void)rcu_publish(&slot->err, err);
	}
	if (slot->err != NULL)
		attach_stream(c, slot->err);
	subsystem_options_unref(old);
}

static void hold_stream(struct stream *s)
{
	s->run_from = 0;
	if (s->ring != NULL) {
		ring_run_begins(s->ring);
		s->run_from = ring_run_from(s->ring);
	}
	loop_io_set(&s->readable, s->fd, 0);
	list_remove(&s->paced);
}

static void release_stream(struct stream *s)
{
	if (s->fd >= 0 && !s->waiting)
		start_reading(s);
}

void capture_set_pid(struct captures *c, uint32_t number, int pid)
{
	struct slot *slot = find_slot(c, number);
	void (*change)(struct stream *) = pid == 0 ? hold_stream : release_stream;

	if (slot == NULL)
		return;
	if (pid > 0)
		slot->pid = pid;
	slot->held = pid == 0;
	change(&slot->out);
	if (slot->err != NULL)
		change(slot->err);
}

void capture_watch(struct captures *c, uint32_t number, const struct subsystem_options *options,
		   uint64_t spawn_id)
{
	struct slot *slot = find_slot(c, number);
	const struct probe_option *ready = options->policy->ready;

	if (slot == NULL || ready == NULL || ready->pattern == NULL)
		return;
	match_begin(slot, ready->pattern, spawn_id);
	look(c, &slot->out);
	if (slot->err != NULL)
		look(c, slot->err);
}

static void free_slot(struct rcu_head *head)
{
	struct slot *slot = container_of(head, struct slot, rcu);

	rcu_tsan_acquire(slot);
	free(slot->err);
	free(slot);
}

void capture_detach(struct captures *c, uint32_t number)
{
	struct slot *slot = find_slot(c, number);

	if (slot == NULL)
		return;
	close_stream(c, &slot->out);
	if (slot->err != NULL)
		close_stream(c, slot->err);
	(void)rcu_xchg_pointer(&c->pages[number / CAPTURE_PAGE][number % CAPTURE_PAGE], NULL);
	subsystem_options_unref(slot->options);
	match_end(slot);
	rcu_tsan_release(slot);
	rcu_retire(&slot->rcu, free_slot);
}

void capture_drain(struct captures *c, uint32_t number)
{
	struct slot *slot = find_slot(c, number);

	if (slot == NULL)
		return;
	drain_stream(c, &slot->out);
	if (slot->err != NULL)
		drain_stream(c, slot->err);
}

/* Without an own stream for it, stderr is in stdout's. */
static const struct stream *stderr_of(const struct slot *slot)
{
	if (stdio_is_captured(&slot->options->stdio[2]))
		return slot->err;
	return slot->options->stdio[2].kind == STDIO_STDOUT ? &slot->out : NULL;
}

void capture_targets(const struct captures *c, uint32_t number, const struct target *out[2])
{
	const struct slot *s = find_slot(c, number);

	out[0] = s != NULL ? s->out.target : NULL;
	out[1] = s != NULL && s->err != NULL ? s->err->target : NULL;
}

char *capture_end(struct captures *c, uint32_t number)
{
	const struct slot *slot = find_slot(c, number);
	const struct stream *s = slot != NULL ? stderr_of(slot) : NULL;

	if (s == NULL || s->ring == NULL)
		return NULL;
	uint64_t head = ring_head(s->ring), from = MAX(s->run_from, head - MIN(head, OUTPUT_END_BYTES));
	const char *data = s->ring->data + from % RING_DATA;
	size_t len = (size_t)(head - from), cut = 0;

	/* Not from the middle of a line, unless it is all there is. */
	if (from > s->run_from) {
		const char *nl = memchr(data, '\n', len);

		cut = nl != NULL && nl + 1 < data + len ? (size_t)(nl - data) + 1 : 0;
	}
	cut += lines_last(data + cut, len - cut, OUTPUT_END_LINES);
	return len > cut ? x_strndup(data + cut, len - cut) : NULL;
}

/* --- all of them ----------------------------------------------------------------------------- */

static void retry_stream(struct captures *c, struct stream *s)
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

bool captures_retry(struct captures *c)
{
	struct list work = LIST_HEAD_INIT(work), *l;

	while ((l = list_pop(&c->pending)) != NULL)
		list_append(&work, l);
	while ((l = list_pop(&work)) != NULL)
		retry_stream(c, list_entry(l, struct stream, pending));
	return list_empty(&c->pending);
}

void captures_read_all(struct captures *c)
{
	for (uint32_t i = 0; i < c->nslots; i++) {
		struct slot *slot = find_slot(c, i);

		if (slot == NULL)
			continue;
		slot->limit.tell_ns = MIN(slot->limit.tell_ns, 1);	/* now or never */
		if (slot->out.fd >= 0)
			read_stream(c, &slot->out, TURN_READS);
		if (slot->err != NULL && slot->err->fd >= 0)
			read_stream(c, slot->err, TURN_READS);
	}
}

int captures_init(struct captures *c, int run_dirfd, struct ev_loop *loop, struct targets *targets,
		  struct ownlog *ownlog, struct state *state)
{
	*c = (struct captures){ .loop = loop, .targets = targets, .ownlog = ownlog, .state = state,
				.stamp = STAMP(STAMP_UTC),
				.syslog_stamp = STAMP(STAMP_SYSLOG) };
	c->ring_dirfd = -1;
	list_init(&c->paced);
	list_init(&c->pending);
	loop_timer_init(&c->pace, loop, on_pace);
	c->fifo_dirfd = fifo_dir_open(run_dirfd);
	if (c->fifo_dirfd < 0)
		return c->fifo_dirfd;
	c->ring_dirfd = open_dir(run_dirfd, "ring");
	if (c->ring_dirfd < 0) {
		close(c->fifo_dirfd);
		return c->ring_dirfd;
	}
	c->batch = x_malloc(sizeof *c->batch);
	return 0;
}

static void fini_stream(struct stream *s)
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

/* No thread reads any more. The rings stay for a successor. */
void captures_fini(struct captures *c)
{
	for (uint32_t i = 0; i < c->nslots; i++) {
		struct slot *slot = find_slot(c, i);

		if (slot == NULL)
			continue;
		fini_stream(&slot->out);
		if (slot->err != NULL)
			fini_stream(slot->err);
		subsystem_options_unref(slot->options);
		match_end(slot);
		free(slot->err);
		free(slot);
	}
	for (uint32_t i = 0; i < CAPTURE_PAGES; i++)
		free(c->pages[i]);
	loop_timer_set(&c->pace, -1);
	close(c->fifo_dirfd);
	close(c->ring_dirfd);
	free(c->batch);
}

struct ring *captures_ring(struct captures *c, uint32_t number, bool is_stderr)
{
	struct slot **page = NULL, *slot = NULL;

	if (number < CAPTURE_PAGE * CAPTURE_PAGES)
		page = rcu_get(&c->pages[number / CAPTURE_PAGE]);
	if (page != NULL)
		slot = rcu_get(&page[number % CAPTURE_PAGE]);
	if (slot == NULL)
		return NULL;
	if (!is_stderr)
		return rcu_get(&slot->out.ring);
	struct stream *err = rcu_get(&slot->err);

	return err != NULL ? rcu_get(&err->ring) : NULL;
}
