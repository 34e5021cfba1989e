/* The ring behind event/channel.h: its layout in the shared file, and the part that both
 * implementations have in common. Private to channel*.c.
 *
 *	header (one page) | index: one word per seq modulo HISTORY | byte ring
 *
 * A record is two header words and the body, zero-padded to 8 bytes. Positions only grow; a
 * record lies at its position modulo the ring size and is gone once ALLOC is more than the ring
 * size ahead. An index word holds which lap over the index it belongs to (seq / HISTORY + 1, low
 * 32 bits) and the position in units of 8 bytes (low 32 bits). */
#ifndef EVENT_CHANNEL_RING_H
#define EVENT_CHANNEL_RING_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "event/channel.h"

#define RING_HEADER_BYTES 4096u
#define RECORD_HEADER_BYTES 16u
#define CHAN_WAKERS 8

typedef _Atomic uint64_t ring_word;	/* of the mapping; everything in it is 8-byte words */

struct ring_header {
	uint64_t magic;
	uint64_t version;
	uint64_t bytes;			/* of the byte ring; power of two */
	uint64_t history;		/* index words; power of two */
	uint64_t checksum;		/* of the four words above */
	alignas(64) ring_word next;	/* seq of the next event */
	alignas(64) ring_word alloc;	/* position of the next record */
};

/* One subscriber. FN is NULL while the slot is free; USERS counts senders between reading FN and
 * coming back from it, so that unsubscribing can wait for them. */
struct waker {
	void (*_Atomic fn)(void *ctx);
	void *_Atomic ctx;
	_Atomic uint32_t users;
};

struct chan {
	struct ring_header *header;
	ring_word *index;
	ring_word *words;
	size_t map_len;
	uint64_t bytes, history;	/* copies: the file cannot change them under our feet */
	enum chan_mode mode;
	_Atomic bool closed;
	_Atomic int cork;		/* enum cork, channel.c */
	pthread_mutex_t lock;		/* CHAN_MUTEX: around all use of the mapping */
	pthread_mutex_t wakers_lock;	/* subscribe and unsubscribe only */
	_Atomic uint32_t nwakers;	/* slots in use are below this */
	struct waker wakers[CHAN_WAKERS];
};

/* A record's second word: length and check over seq, length and body words. The check finds what
 * no position can tell: a sender that slept in the middle of its copy for a whole round of the
 * ring and then wrote over a newer record. */
static inline uint64_t ring_mix(uint64_t h, uint64_t word)
{
	return ((h << 5 | h >> 59) ^ word) * UINT64_C(0x9e3779b97f4a7c15);
}

static inline uint64_t ring_seal(uint64_t body_mix, uint64_t seq, uint64_t len)
{
	return len << 32 | ring_mix(ring_mix(body_mix, seq), len) >> 32;
}

static inline uint64_t ring_padded(uint64_t len)
{
	return (len + 7) & ~UINT64_C(7);
}

static inline uint64_t ring_record_size(uint64_t len)
{
	return RECORD_HEADER_BYTES + ring_padded(len);
}

static inline uint64_t ring_body_max(const struct chan *c)
{
	return MIN(c->bytes / 4 - RECORD_HEADER_BYTES, CHAN_BODY_MAX);
}

static inline ring_word *ring_at(const struct chan *c, uint64_t pos)
{
	return &c->words[(pos & (c->bytes - 1)) / 8];
}

static inline ring_word *ring_index(const struct chan *c, uint64_t seq)
{
	return &c->index[seq & (c->history - 1)];
}

static inline uint32_t ring_lap(const struct chan *c, uint64_t seq)
{
	return (uint32_t)(seq / c->history + 1);
}

static inline uint64_t ring_index_word(uint32_t lap, uint64_t pos)
{
	return (uint64_t)lap << 32 | (uint32_t)(pos / 8);
}

enum seq_state {
	SEQ_PENDING,	/* not committed yet */
	SEQ_LIVE,	/* readable when this was asked */
	SEQ_GONE,	/* overwritten, or its sender died */
};
/* What became of SEQ, and its record's position. Says SEQ_LIVE only with the record's own seq
 * read; a reader that goes on to the body checks again afterwards. */
enum seq_state ring_seq_state(const struct chan *c, uint64_t seq, uint64_t *pos);

/* More events than this were never sent. */
#define SEQ_SANE (UINT64_C(1) << 48)

/* Continue what another process left, before anybody else looks. False: header, index and records
 * contradict each other, and *NEXT is what numbering goes on with. */
bool ring_resume(struct chan *c, uint64_t *next);
/* The newest seq of which a whole record is there, and where that ends, modulo what an index word
 * can say. Believes neither NEXT nor ALLOC: a record proves itself. 0: none. */
uint64_t ring_newest_whole(const struct chan *c, uint64_t *end);

uint64_t lockfree_send(struct chan *c, const char *body, size_t len);
enum chan_result lockfree_recv(struct chan *c, uint64_t *cursor, struct strbuf *out,
			       uint64_t *lost);
uint64_t mutex_send(struct chan *c, const char *body, size_t len);
enum chan_result mutex_recv(struct chan *c, uint64_t *cursor, struct strbuf *out, uint64_t *lost);

/* Both implementations' answer for a seq that is gone. */
enum chan_result ring_gap(const struct chan *c, uint64_t *cursor, uint64_t *lost);

#endif
