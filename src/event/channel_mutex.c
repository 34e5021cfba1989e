/* The channel under one process-private mutex: the same layout and the same steps as the lock-free
 * one, without its atomic read-modify-writes and without its second thoughts, because nothing
 * happens in between. The words are atomic only by type here. */
#include "event/channel_ring.h"

static uint64_t get(const ring_word *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static void put(ring_word *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_release);
}

uint64_t mutex_send(struct chan *c, const char *body, size_t len)
{
	struct ring_header *h = c->header;
	uint64_t mix = 0;
	uint64_t pos, seq;

	pthread_mutex_lock(&c->lock);
	pos = get(&h->alloc);
	put(&h->alloc, pos + ring_record_size(len));
	for (size_t i = 0; i < len; i += 8) {
		uint64_t word = 0;

		memcpy(&word, body + i, MIN(len - i, sizeof(word)));
		mix = ring_mix(mix, word);
		put(ring_at(c, pos + RECORD_HEADER_BYTES + i), word);
	}
	seq = get(&h->next);
	put(&h->next, seq + 1);
	put(ring_at(c, pos), seq);
	put(ring_at(c, pos + 8), ring_seal(mix, seq, len));
	put(ring_index(c, seq), ring_index_word(ring_lap(c, seq), pos));
	pthread_mutex_unlock(&c->lock);
	return seq;
}

/* False, and OUT as it was: a former process left a damaged record. */
static bool copy_out(const struct chan *c, uint64_t seq, uint64_t pos, struct strbuf *out)
{
	uint64_t seal = get(ring_at(c, pos + 8));
	uint64_t len = seal >> 32;
	uint64_t mix = 0;

	if (len > ring_body_max(c))
		return false;
	strbuf_reserve(out, ring_padded(len));
	for (uint64_t i = 0; i < len; i += 8) {
		uint64_t word = get(ring_at(c, pos + RECORD_HEADER_BYTES + i));

		mix = ring_mix(mix, word);
		memcpy(out->buf + out->len + i, &word, sizeof(word));
	}
	if (ring_seal(mix, seq, len) != seal)
		len = 0;
	out->len += len;
	out->buf[out->len] = '\0';
	return len != 0;
}

static enum chan_result recv_locked(struct chan *c, uint64_t *cursor, struct strbuf *out,
				    uint64_t *lost)
{
	uint64_t pos;

	if (*cursor >= get(&c->header->next) - 1)
		return CHAN_EMPTY;
	if (ring_seq_state(c, *cursor + 1, &pos) != SEQ_LIVE ||
	    !copy_out(c, *cursor + 1, pos, out))
		return ring_gap(c, cursor, lost);
	++*cursor;
	return CHAN_OK;
}

enum chan_result mutex_recv(struct chan *c, uint64_t *cursor, struct strbuf *out, uint64_t *lost)
{
	enum chan_result result;

	pthread_mutex_lock(&c->lock);
	result = recv_locked(c, cursor, out, lost);
	pthread_mutex_unlock(&c->lock);
	return result;
}
