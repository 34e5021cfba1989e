/* The channel's frame: opening and recovering the ring, waking, closing. How an event gets into
 * the ring and out of it is told in channel_lockfree.c; channel_mutex.c does the same under a lock.
 *
 * The mapping is written in an order that makes every prefix of it sound: bytes are reserved, the
 * record is filled, its seq is taken, and one index word commits it. A sender that is killed leaves
 * at worst reserved bytes that nobody looks at and a seq without a record, which ring_resume()
 * takes back or marks as lost (channel_resume.c). */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "config.h"
#include "event/channel_ring.h"

#define RING_MAGIC UINT64_C(0x31676e6972766570)	/* "pevring1" */
#define RING_VERSION 1
#define RING_BYTES_MIN (64u * 1024)
#define RING_HISTORY_MIN 16u

_Static_assert(sizeof(struct ring_header) <= RING_HEADER_BYTES, "header outgrew its page");
_Static_assert(sizeof(ring_word) == 8 && ATOMIC_LLONG_LOCK_FREE == 2, "no 64-bit atomics");

static uint64_t power_of_two(uint64_t n, uint64_t min)
{
	uint64_t p = min;

	while (p < n)
		p *= 2;
	return p;
}

static uint64_t header_checksum(const struct ring_header *h)
{
	uint64_t sum = ring_mix(h->magic, h->version);

	return ring_mix(ring_mix(sum, h->bytes), h->history);
}

/* --- what became of a seq ------------------------------------------------------------------- */

enum seq_state ring_seq_state(const struct chan *c, uint64_t seq, uint64_t *pos)
{
	uint64_t word = atomic_load_explicit(ring_index(c, seq), memory_order_acquire);
	/* Compared by difference, as the lap is cut to 32 bits. */
	int32_t ahead = (int32_t)((uint32_t)(word >> 32) - ring_lap(c, seq));
	uint64_t alloc, distance;

	if (ahead < 0)
		return SEQ_PENDING;
	if (ahead > 0)
		return SEQ_GONE;
	alloc = atomic_load_explicit(&c->header->alloc, memory_order_acquire);
	distance = (uint64_t)(uint32_t)((uint32_t)(alloc / 8) - (uint32_t)word) * 8;
	*pos = alloc - distance;
	if (distance > c->bytes ||
	    atomic_load_explicit(ring_at(c, *pos), memory_order_acquire) != seq)
		return SEQ_GONE;
	return SEQ_LIVE;
}

/* The first seq in [LOW, NEXT) that is not gone; NEXT when there is none. */
static uint64_t first_left(const struct chan *c, uint64_t low, uint64_t next)
{
	uint64_t high = next, pos;

	if (next > c->history)
		low = MAX(low, next - c->history);
	if (low < next && ring_seq_state(c, low, &pos) != SEQ_GONE)
		return low;
	/* Records are overwritten in order, so what is left is a tail; a straggler on the wrong
	 * side of the border is counted as lost. */
	while (low < high) {
		uint64_t mid = low + (high - low) / 2;

		if (ring_seq_state(c, mid, &pos) == SEQ_GONE)
			low = mid + 1;
		else
			high = mid;
	}
	return high;
}

enum chan_result ring_gap(const struct chan *c, uint64_t *cursor, uint64_t *lost)
{
	uint64_t next = atomic_load_explicit(&c->header->next, memory_order_acquire);
	uint64_t first = first_left(c, *cursor + 2, MAX(next, *cursor + 2));

	*lost = first - 1 - *cursor;
	*cursor = first - 1;
	return CHAN_GAP;
}

/* --- opening -------------------------------------------------------------------------------- */

/* An empty ring whose first event will be NEXT: every index word belongs to the lap before the
 * one that its next user is in. The mapping is all zero. */
static void ring_init(struct chan *c, uint64_t next)
{
	struct ring_header *h = c->header;

	for (uint64_t seq = next; seq < next + c->history; seq++)
		atomic_store_explicit(ring_index(c, seq), ring_index_word(ring_lap(c, seq) - 1, 0),
				      memory_order_relaxed);
	atomic_store_explicit(&h->next, next, memory_order_relaxed);
	h->version = RING_VERSION;
	h->bytes = c->bytes;
	h->history = c->history;
	h->magic = RING_MAGIC;
	h->checksum = header_checksum(h);
}

struct found {
	bool anything;		/* the file was not empty */
	bool readable;		/* it has a header of ours */
	bool whole;		/* it has our size, so its records can be looked at */
	bool usable;		/* both, and of this geometry */
	uint64_t next;		/* 1 unless readable */
};

static struct found look_at_file(int fd, const struct chan *c)
{
	struct found f = { .next = 1 };
	struct ring_header h;
	struct stat st = { 0 };

	if (fstat(fd, &st) == 0 && st.st_size == 0)
		return f;
	f.anything = true;
	f.whole = st.st_size == (off_t)c->map_len;
	if (pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h))
		return f;
	f.readable = h.magic == RING_MAGIC && h.version == RING_VERSION &&
		     h.checksum == header_checksum(&h) && h.next != 0 && h.next <= SEQ_SANE;
	if (f.readable)
		f.next = h.next;
	f.usable = f.whole && f.readable && h.bytes == c->bytes && h.history == c->history;
	return f;
}

/* Give the file its size and its blocks now: a full file system is an error here, not a SIGBUS
 * later. 0 or an errno. */
static int size_file(int fd, size_t len)
{
	int err;

	if (ftruncate(fd, 0) < 0 || ftruncate(fd, (off_t)len) < 0)
		return errno;
	err = posix_fallocate(fd, 0, (off_t)len);
	return err == EOPNOTSUPP || err == EINVAL ? 0 : err;
}

static int map_ring(struct chan *c, int fd)
{
	int flags = fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
	char *base = mmap(NULL, c->map_len, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (base == MAP_FAILED)
		return errno;
	c->header = (struct ring_header *)(void *)base;
	c->index = (ring_word *)(void *)(base + RING_HEADER_BYTES);
	c->words = c->index + c->history;
	return 0;
}

/* Records are proof of the numbers that were given away; a header alone may have been damaged. */
static uint64_t next_by_records(const struct chan *c, const struct found *f)
{
	uint64_t end, newest = ring_newest_whole(c, &end);

	return newest != 0 && newest <= SEQ_SANE ? newest + 1 : f->next;
}

static int open_ring(struct chan *c, int fd, bool *lost_history)
{
	struct found f = { .next = 1 };
	int err = 0;

	if (fd >= 0)
		f = look_at_file(fd, c);
	if (f.whole) {
		err = map_ring(c, fd);
		if (err != 0)
			return err;
		if (f.usable && ring_resume(c, &f.next))
			return 0;
		if (!f.usable)
			f.next = next_by_records(c, &f);
		munmap(c->header, c->map_len);
		c->header = NULL;
	}
	*lost_history = f.anything;
	if (f.anything)
		file_keep_copy(fd, c->map_len);
	if (fd >= 0)
		err = size_file(fd, c->map_len);
	if (err == 0)
		err = map_ring(c, fd);
	if (err == 0)
		ring_init(c, f.next);
	return err;
}

void chan_begin_at(struct chan *c, uint64_t seq)
{
	if (atomic_load_explicit(&c->header->next, memory_order_relaxed) < seq)
		ring_init(c, seq);
}

struct chan *chan_open(int fd, size_t bytes, uint32_t history, enum chan_mode mode,
		       bool *lost_history)
{
	struct chan *c = x_calloc(1, sizeof(*c));
	int err;

	c->bytes = power_of_two(bytes, RING_BYTES_MIN);
	c->history = power_of_two(history, RING_HISTORY_MIN);
	c->map_len = RING_HEADER_BYTES + c->history * sizeof(ring_word) + c->bytes;
	c->mode = WITH_LOCKFREE_COORDINATION ? mode : CHAN_MUTEX;
	pthread_mutex_init(&c->lock, NULL);
	pthread_mutex_init(&c->wakers_lock, NULL);
	*lost_history = false;
	err = open_ring(c, fd, lost_history);
	if (err == 0)
		return c;
	chan_free(c);
	errno = err;
	return NULL;
}

void chan_free(struct chan *c)
{
	if (c == NULL)
		return;
	if (c->header != NULL)
		munmap(c->header, c->map_len);
	pthread_mutex_destroy(&c->lock);
	pthread_mutex_destroy(&c->wakers_lock);
	free(c);
}

/* --- waking --------------------------------------------------------------------------------- */

static void wake_all(struct chan *c)
{
	uint32_t n = atomic_load_explicit(&c->nwakers, memory_order_acquire);

	for (uint32_t i = 0; i < n; i++) {
		struct waker *w = &c->wakers[i];
		void (*fn)(void *ctx);

		if (atomic_load_explicit(&w->fn, memory_order_relaxed) == NULL)
			continue;
		/* Sequentially consistent: either we see that FN is gone, or the one who takes
		 * it away sees that we are inside. */
		atomic_fetch_add(&w->users, 1);
		fn = atomic_load(&w->fn);
		if (fn != NULL)
			fn(atomic_load_explicit(&w->ctx, memory_order_relaxed));
		atomic_fetch_sub(&w->users, 1);
	}
}

void chan_subscribe(struct chan *c, void (*wake)(void *ctx), void *ctx)
{
	uint32_t i = 0;

	pthread_mutex_lock(&c->wakers_lock);
	while (i < CHAN_WAKERS && atomic_load_explicit(&c->wakers[i].fn, memory_order_relaxed))
		i++;
	BUG_ON(i == CHAN_WAKERS);
	atomic_store_explicit(&c->wakers[i].ctx, ctx, memory_order_relaxed);
	atomic_store(&c->wakers[i].fn, wake);
	if (i >= atomic_load_explicit(&c->nwakers, memory_order_relaxed))
		atomic_store_explicit(&c->nwakers, i + 1, memory_order_release);
	pthread_mutex_unlock(&c->wakers_lock);
}

void chan_unsubscribe(struct chan *c, void (*wake)(void *ctx), void *ctx)
{
	pthread_mutex_lock(&c->wakers_lock);
	for (uint32_t i = 0; i < CHAN_WAKERS; i++) {
		struct waker *w = &c->wakers[i];

		if (atomic_load_explicit(&w->fn, memory_order_relaxed) != wake ||
		    atomic_load_explicit(&w->ctx, memory_order_relaxed) != ctx)
			continue;
		atomic_store(&w->fn, NULL);
		while (atomic_load(&w->users) != 0)
			sched_yield();
		break;
	}
	pthread_mutex_unlock(&c->wakers_lock);
}

enum cork { CORK_OUT, CORK_IN, CORK_OWING };	/* the last: something was sent that nobody was woken for */

/* Whoever finds the cork in leaves a note on it, for the one that takes it out. */
static void announce(struct chan *c)
{
	int cork = atomic_load(&c->cork);

	while (cork != CORK_OUT)
		if (atomic_compare_exchange_weak(&c->cork, &cork, CORK_OWING))
			return;
	wake_all(c);
}

void chan_cork(struct chan *c)
{
	atomic_store(&c->cork, CORK_IN);
}

void chan_uncork(struct chan *c)
{
	if (atomic_exchange(&c->cork, CORK_OUT) == CORK_OWING)
		wake_all(c);
}

void chan_unmap_idle(struct chan *c)
{
	madvise(c->header, c->map_len, MADV_DONTNEED);	/* refused: then it stays mapped */
}

/* --- the contract --------------------------------------------------------------------------- */

static bool is_lock_free(const struct chan *c)
{
	return WITH_LOCKFREE_COORDINATION && c->mode == CHAN_LOCK_FREE;
}

uint64_t chan_send(struct chan *c, const char *body, size_t len)
{
	uint64_t seq;

	BUG_ON(len == 0 || len > ring_body_max(c));
	if (atomic_load_explicit(&c->closed, memory_order_acquire))
		return 0;
	seq = is_lock_free(c) ? lockfree_send(c, body, len) : mutex_send(c, body, len);
	announce(c);
	return seq;
}

enum chan_result chan_try_recv(struct chan *c, uint64_t *cursor, struct strbuf *out,
			       uint64_t *lost)
{
	/* Asked before looking: nothing can be sent after it was set. */
	bool closed = atomic_load_explicit(&c->closed, memory_order_acquire);
	enum chan_result result = is_lock_free(c) ? lockfree_recv(c, cursor, out, lost) :
						    mutex_recv(c, cursor, out, lost);

	return result == CHAN_EMPTY && closed ? CHAN_CLOSED : result;
}

void chan_close(struct chan *c)
{
	atomic_store_explicit(&c->closed, true, memory_order_release);
	wake_all(c);
}

uint64_t chan_last_seq(const struct chan *c)
{
	return atomic_load_explicit(&c->header->next, memory_order_acquire) - 1;
}

uint64_t chan_oldest_seq(const struct chan *c)
{
	return first_left(c, 1, chan_last_seq(c) + 1);
}
