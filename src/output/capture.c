/* The table of who is captured: a slot for each subsystem, found by its number, with a stream or
 * two (stream.c). Other threads look rings up in it under RCU. */
#include "output/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "keeper/fifo.h"
#include "output/lines.h"
#include "output/stream.h"

static int open_dir(int run_dirfd, const char *name)
{
	if (mkdirat(run_dirfd, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	int fd = openat(run_dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 ? fd : -errno;
}

/* --- slots ----------------------------------------------------------------------------------- */

static struct slot *find_slot(const struct captures *c, uint32_t number)
{
	struct slot **page = number < c->nslots ? c->pages[number / CAPTURE_PAGE] : NULL;

	return page != NULL ? page[number % CAPTURE_PAGE] : NULL;
}

static struct slot *new_slot(struct captures *c, uint32_t number)
{
	struct slot *slot = x_calloc(1, sizeof *slot);

	slot->owner = c;
	slot->number = number;
	stream_init(c, &slot->out, slot, false);
	return slot;
}

/* From here on other threads look at SLOT: what a predecessor captured must be in it. */
static void publish_slot(struct captures *c, struct slot *slot)
{
	uint32_t number = slot->number;

	if (c->pages[number / CAPTURE_PAGE] == NULL) {
		struct slot **page = x_calloc(CAPTURE_PAGE, sizeof(struct slot *));

		(void)rcu_publish(&c->pages[number / CAPTURE_PAGE], page);
	}
	(void)rcu_publish(&c->pages[number / CAPTURE_PAGE][number % CAPTURE_PAGE], slot);
	if (number >= c->nslots)
		c->nslots = number + 1;
}

/* SLOT keeps the counted reference OPTIONS. */
void capture_attach(struct captures *c, uint32_t number, struct subsystem_options *options)
{
	BUG_ON(number >= CAPTURE_PAGE * CAPTURE_PAGES);
	struct slot *known = find_slot(c, number),
		    *slot = known != NULL ? known : new_slot(c, number);
	struct subsystem_options *old = slot->options;

	slot->options = options;
	stream_attach(c, &slot->out);
	if (stdio_is_captured(&options->streams->stdio[2]) && slot->err == NULL) {
		struct stream *err = x_calloc(1, sizeof *err);

		stream_init(c, err, slot, true);
		err->held = slot->out.held;
		(void)rcu_publish(&slot->err, err);
	}
	if (slot->err != NULL)
		stream_attach(c, slot->err);
	if (known == NULL)
		publish_slot(c, slot);
	subsystem_options_unref(old);
}

void capture_set_pid(struct captures *c, uint32_t number, int pid)
{
	struct slot *slot = find_slot(c, number);
	void (*change)(struct stream *) = pid == 0 ? stream_hold : stream_release;

	if (slot == NULL)
		return;
	if (pid > 0)
		slot->pid = pid;
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
	stream_look(c, &slot->out);
	if (slot->err != NULL)
		stream_look(c, slot->err);
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
	stream_close(c, &slot->out);
	if (slot->err != NULL)
		stream_close(c, slot->err);
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
	stream_drain(c, &slot->out);
	if (slot->err != NULL)
		stream_drain(c, slot->err);
}

/* Without an own stream for it, stderr is in stdout's. */
static const struct stream *stderr_of(const struct slot *slot)
{
	if (stdio_is_captured(&slot->options->streams->stdio[2]))
		return slot->err;
	return slot->options->streams->stdio[2].kind == STDIO_STDOUT ? &slot->out : NULL;
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
	uint64_t head = ring_head(s->ring), run_from = ring_run_from(s->ring);
	uint64_t from = MAX(run_from, head - MIN(head, OUTPUT_END_BYTES));
	const char *data = s->ring->data + from % RING_DATA;
	size_t len = (size_t)(head - from), cut = 0;

	/* Not from the middle of a line, unless it is all there is. */
	if (from > run_from) {
		const char *nl = memchr(data, '\n', len);

		cut = nl != NULL && nl + 1 < data + len ? (size_t)(nl - data) + 1 : 0;
	}
	cut += lines_last(data + cut, len - cut, OUTPUT_END_LINES);
	if (len == cut)
		return NULL;
	char *text = x_malloc(len - cut + 1);

	for (size_t i = cut; i < len; i++)	/* a text: it does not end at a NUL byte */
		text[i - cut] = data[i] != '\0' ? data[i] : ' ';
	text[len - cut] = '\0';
	return text;
}

/* --- all of them ----------------------------------------------------------------------------- */

bool captures_retry(struct captures *c)
{
	struct list work = LIST_HEAD_INIT(work), *l;

	while ((l = list_pop(&c->pending)) != NULL)
		list_append(&work, l);
	while ((l = list_pop(&work)) != NULL)
		stream_retry(c, list_entry(l, struct stream, pending));
	return list_empty(&c->pending);
}

void captures_read_all(struct captures *c)
{
	for (uint32_t i = 0; i < c->nslots; i++) {
		struct slot *slot = find_slot(c, i);

		if (slot == NULL)
			continue;
		slot->limit.tell_ns = MIN(slot->limit.tell_ns, 1);	/* now or never */
		stream_read(c, &slot->out);
		if (slot->err != NULL)
			stream_read(c, slot->err);
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
	loop_timer_init(&c->pace, loop, streams_on_pace);
	c->fifo_dirfd = fifo_dir_open(run_dirfd);
	if (c->fifo_dirfd < 0)
		return c->fifo_dirfd;
	c->ring_dirfd = open_dir(run_dirfd, "ring");
	if (c->ring_dirfd < 0) {
		close(c->fifo_dirfd);
		return c->ring_dirfd;
	}
	/* not of the heap: what no line was put into costs nothing */
	c->batch = mmap(NULL, sizeof *c->batch, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c->batch == MAP_FAILED) {
		int err = -errno;

		close(c->fifo_dirfd);
		close(c->ring_dirfd);
		return err;
	}
	return 0;
}

/* No thread reads any more. The rings stay for a successor. */
void captures_fini(struct captures *c)
{
	for (uint32_t i = 0; i < c->nslots; i++) {
		struct slot *slot = find_slot(c, i);

		if (slot == NULL)
			continue;
		stream_fini(&slot->out);
		if (slot->err != NULL)
			stream_fini(slot->err);
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
	munmap(c->batch, sizeof *c->batch);
}

/* --- other threads --------------------------------------------------------------------------- */

static struct slot *slot_of(struct captures *c, uint32_t number)
{
	struct slot **page = NULL;

	if (number < CAPTURE_PAGE * CAPTURE_PAGES)
		page = rcu_get(&c->pages[number / CAPTURE_PAGE]);
	return page != NULL ? rcu_get(&page[number % CAPTURE_PAGE]) : NULL;
}

static struct ring *ring_of(struct slot *slot, bool is_stderr)
{
	struct stream *s = is_stderr ? rcu_get(&slot->err) : &slot->out;

	return s != NULL ? rcu_get(&s->ring) : NULL;
}

struct ring *captures_ring(struct captures *c, uint32_t number, bool is_stderr)
{
	struct slot *slot = slot_of(c, number);

	return slot != NULL ? ring_of(slot, is_stderr) : NULL;
}

bool captures_silent(struct captures *c, uint32_t number)
{
	struct slot *slot = slot_of(c, number);

	for (int is_stderr = 0; slot != NULL && is_stderr < 2; is_stderr++) {
		struct ring *ring = ring_of(slot, is_stderr);

		if (ring != NULL && !ring_run_silent(ring))
			return false;
	}
	return slot != NULL;
}
