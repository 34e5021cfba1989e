/* The lock-free channel. Nobody waits for anybody: not a sender for a reader, not a reader for a
 * sender, and not a sender for another one that was put to sleep by the kernel.
 *
 * Sender: one atomic add reserves bytes, the body is copied, a second add takes the seq, the record
 * header is written, and a compare-and-swap commits the index word (unless a sender of a later lap
 * was faster: then this event is already history).
 *
 * Reader: as with a sequence lock, copy first and ask afterwards whether it was all still there.
 * Body words are stored with release and loaded with acquire order, instead of relaxed with fences
 * around: whoever reads a word of a newer record thereby sees the reservation that came before it
 * in ALLOC. That costs nothing on x86, and ThreadSanitizer understands it. */
#include "event/channel_ring.h"

static uint64_t copy_in(struct chan *c, uint64_t pos, const char *body, size_t len)
{
	uint64_t mix = 0;

	for (size_t i = 0; i < len; i += 8) {
		uint64_t word = 0;

		memcpy(&word, body + i, MIN(len - i, sizeof(word)));
		mix = ring_mix(mix, word);
		atomic_store_explicit(ring_at(c, pos + i), word, memory_order_release);
	}
	return mix;
}

static void commit(struct chan *c, uint64_t seq, uint64_t pos)
{
	ring_word *index = ring_index(c, seq);
	uint32_t lap = ring_lap(c, seq);
	uint64_t old = atomic_load_explicit(index, memory_order_relaxed);

	do {
		if ((int32_t)((uint32_t)(old >> 32) - lap) >= 0)
			return;
	} while (!atomic_compare_exchange_weak_explicit(index, &old, ring_index_word(lap, pos),
							memory_order_release,
							memory_order_relaxed));
}

uint64_t lockfree_send(struct chan *c, const char *body, size_t len)
{
	struct ring_header *h = c->header;
	uint64_t size = ring_record_size(len);
	uint64_t pos, mix, seq;

	do {	/* again when the others went once round the ring during the copy */
		pos = atomic_fetch_add_explicit(&h->alloc, size, memory_order_relaxed);
		mix = copy_in(c, pos + RECORD_HEADER_BYTES, body, len);
	} while (atomic_load_explicit(&h->alloc, memory_order_relaxed) - pos > c->bytes);

	seq = atomic_fetch_add_explicit(&h->next, 1, memory_order_acq_rel);
	atomic_store_explicit(ring_at(c, pos), seq, memory_order_release);
	atomic_store_explicit(ring_at(c, pos + 8), ring_seal(mix, seq, len), memory_order_release);
	commit(c, seq, pos);
	return seq;
}

/* Append the record at POS to OUT; false, and OUT as it was, when it is not whole any more. */
static bool copy_out(const struct chan *c, uint64_t seq, uint64_t pos, struct strbuf *out)
{
	uint64_t seal = atomic_load_explicit(ring_at(c, pos + 8), memory_order_acquire);
	uint64_t len = seal >> 32;
	uint64_t mix = 0;

	if (len > ring_body_max(c))
		return false;
	strbuf_reserve(out, ring_padded(len));
	for (uint64_t i = 0; i < len; i += 8) {
		uint64_t word = atomic_load_explicit(ring_at(c, pos + RECORD_HEADER_BYTES + i),
						     memory_order_acquire);

		mix = ring_mix(mix, word);
		memcpy(out->buf + out->len + i, &word, sizeof(word));
	}
	if (atomic_load_explicit(&c->header->alloc, memory_order_acquire) - pos > c->bytes ||
	    ring_seal(mix, seq, len) != seal)
		len = 0;	/* a body is never empty */
	out->len += len;
	out->buf[out->len] = '\0';
	return len != 0;
}

enum chan_result lockfree_recv(struct chan *c, uint64_t *cursor, struct strbuf *out,
			       uint64_t *lost)
{
	uint64_t next = atomic_load_explicit(&c->header->next, memory_order_acquire);
	uint64_t pos;

	if (*cursor >= next - 1)
		return CHAN_EMPTY;
	switch (ring_seq_state(c, *cursor + 1, &pos)) {
	case SEQ_PENDING:
		return CHAN_EMPTY;
	case SEQ_LIVE:
		if (!copy_out(c, *cursor + 1, pos, out))
			break;
		++*cursor;
		return CHAN_OK;
	case SEQ_GONE:
		break;
	}
	return ring_gap(c, cursor, lost);
}
