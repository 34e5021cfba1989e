/* The event channel: a bounded broadcast ring in shared memory.
 *
 * Every reader sees every event in order of seq, from a cursor of its own, or learns how many it
 * missed. Senders never wait for readers. Two implementations behind the same functions, chosen at
 * open: lock-free (many senders: bytes are reserved with one atomic add, the slot of a seq is
 * committed with release order; readers copy with relaxed loads and then check that nothing was
 * overwritten), or one mutex.
 *
 * The ring lives in a file of the run directory, so history, numbering and unread events survive
 * the death of the supervisor. Any thread may call anything here, except open and close. */
#ifndef EVENT_CHANNEL_H
#define EVENT_CHANNEL_H

#include <stdbool.h>

#include "base/strbuf.h"

#define CHAN_BODY_MAX (64u * 1024)	/* longer bodies are a bug of the sender */

struct chan;

enum chan_mode { CHAN_LOCK_FREE, CHAN_MUTEX };	/* the first is the other where it was not built */

/* Open or create the ring in FD (a file of any size, owned by the caller, kept open; -1: anonymous
 * memory, for tests). BYTES is rounded up to a power of two >= 64 KiB, HISTORY to a power of two
 * >= 16. An existing ring of the same geometry, version and checksum is continued; an unfinished
 * last entry (sender died) is dropped so that its seq is used again; anything else is reset with
 * *LOST_HISTORY set, and numbering continues from its header when that is readable. NULL: errno. */
struct chan *chan_open(int fd, size_t bytes, uint32_t history, enum chan_mode mode,
		       bool *lost_history);
/* Let the first event have a number of at least SEQ; before anybody uses C. */
void chan_begin_at(struct chan *c, uint64_t seq);
void chan_close(struct chan *c);	/* readers get CHAN_CLOSED once they have read the rest */
void chan_free(struct chan *c);		/* no thread may use C any more; NULL is fine */

/* Append BODY, 1..MIN(CHAN_BODY_MAX, ring size / 4 - 16) bytes (else a bug of the sender); returns
 * its seq (the first is 1). Wakes the subscribed. After the close: 0, and nothing is sent. */
uint64_t chan_send(struct chan *c, const char *body, size_t len);

enum chan_result { CHAN_OK, CHAN_EMPTY, CHAN_GAP, CHAN_CLOSED };

/* The event with seq *CURSOR + 1, body appended to OUT, *CURSOR advanced. CHAN_GAP: *LOST events
 * after *CURSOR are gone; *CURSOR now stands before the oldest that is left. A cursor ahead of the
 * ring (from before a reset) is CHAN_EMPTY. */
enum chan_result chan_try_recv(struct chan *c, uint64_t *cursor, struct strbuf *out,
			       uint64_t *lost);

uint64_t chan_last_seq(const struct chan *c);	/* 0: none yet */
uint64_t chan_oldest_seq(const struct chan *c);	/* oldest still readable; last + 1 when empty */

/* WAKE(CTX) is called after each send and at the close, on the sender's thread: it must only wake
 * (ev_async). At most 8; subscribe and unsubscribe from any thread. It is not called any more once
 * chan_unsubscribe() has returned. */
void chan_subscribe(struct chan *c, void (*wake)(void *ctx), void *ctx);
void chan_unsubscribe(struct chan *c, void (*wake)(void *ctx), void *ctx);

/* Let go of the pages of the ring: history that nobody reads need not be mapped. What is in them
 * stays in the file, and comes back by a fault to whoever looks (madvise(2), MADV_DONTNEED on a
 * shared mapping). Any thread. */
void chan_unmap_idle(struct chan *c);

/* Between the two, events are readable at once but nobody is woken for them; chan_uncork() wakes
 * once for all that were sent meanwhile. For one thread that sends many in a row; does not nest. */
void chan_cork(struct chan *c);
void chan_uncork(struct chan *c);

#endif
