/* What a dead process left in the ring.
 *
 * No word of the file is believed alone: each record has a seal over its seq and body; the newest
 * whole one has to be the one before NEXT and to end before ALLOC; and each index word has to
 * belong to the lap that NEXT says. One damaged word costs at most the event that it leads to. What
 * fits together in no way is begun anew, with a number that was never given away. */
#include "event/channel_ring.h"

/* More senders than this cannot have died with a seq in hand: the index is damaged. */
#define UNFINISHED_MAX 256

/* The body at POS is what the seal says. */
static bool is_whole(const struct chan *c, uint64_t seq, uint64_t pos, uint64_t *size)
{
	uint64_t seal = atomic_load_explicit(ring_at(c, pos + 8), memory_order_relaxed);
	uint64_t len = seal >> 32, mix = 0;

	if (len == 0 || len > ring_body_max(c))
		return false;
	for (uint64_t i = 0; i < len; i += 8)
		mix = ring_mix(mix, atomic_load_explicit(ring_at(c, pos + RECORD_HEADER_BYTES + i),
							 memory_order_relaxed));
	*size = ring_record_size(len);
	return ring_seal(mix, seq, len) == seal;
}

uint64_t ring_newest_whole(const struct chan *c, uint64_t *end)
{
	uint64_t newest = 0, size;

	for (uint64_t i = 0; i < c->history; i++) {
		uint64_t word = atomic_load_explicit(&c->index[i], memory_order_relaxed);
		uint64_t lap = word >> 32, pos = (uint64_t)(uint32_t)word * 8;
		uint64_t seq = (lap - 1) * c->history + i;

		if (lap == 0 || seq <= newest ||
		    atomic_load_explicit(ring_at(c, pos), memory_order_relaxed) != seq ||
		    !is_whole(c, seq, pos, &size))
			continue;
		newest = seq;
		*end = pos + size;
	}
	return newest;
}

/* A word that leads to a whole record of its place belongs to that: its lap was damaged, or the
 * sender died just before it would have said so. */
static void adopt_records(struct chan *c, uint64_t next)
{
	for (uint64_t i = 0; i < c->history; i++) {
		uint64_t word = atomic_load_explicit(&c->index[i], memory_order_relaxed), size;
		uint64_t pos = (uint64_t)(uint32_t)word * 8;
		uint64_t seq = atomic_load_explicit(ring_at(c, pos), memory_order_relaxed);

		if (seq < next && next - seq <= c->history && ring_index(c, seq) == &c->index[i] &&
		    word >> 32 != ring_lap(c, seq) && is_whole(c, seq, pos, &size))
			atomic_store_explicit(&c->index[i], ring_index_word(ring_lap(c, seq), pos),
					      memory_order_relaxed);
	}
}

/* Were those between the newest whole record and NEXT committed once, and only their records or the
 * way to them are damaged? */
static bool only_losses(const struct chan *c, uint64_t newest, uint64_t next)
{
	if (next <= newest || next - newest > MIN(c->history, UNFINISHED_MAX))
		return false;
	for (uint64_t seq = newest + 1; seq < next; seq++)
		if ((uint32_t)(atomic_load_explicit(ring_index(c, seq), memory_order_relaxed) >> 32) !=
		    ring_lap(c, seq))
			return false;
	return true;
}

/* Is ALLOC behind the end of the newest record, and by less than what senders that died in the
 * middle of their work can have reserved? */
static bool alloc_fits(const struct chan *c, uint64_t end)
{
	uint64_t alloc = atomic_load_explicit(&c->header->alloc, memory_order_relaxed);
	uint64_t ahead = (uint64_t)(uint32_t)((uint32_t)(alloc / 8) - (uint32_t)(end / 8)) * 8;

	return alloc % 8 == 0 && alloc >= 2 * RECORD_HEADER_BYTES && ahead <= c->bytes / 2;
}

/* As ring_init() made it for NEXT, and nothing was ever committed. */
static bool is_untouched(const struct chan *c, uint64_t next)
{
	for (uint64_t seq = next; seq < next + c->history; seq++)
		if (atomic_load_explicit(ring_index(c, seq), memory_order_relaxed) !=
		    ring_index_word(ring_lap(c, seq) - 1, 0))
			return false;
	return atomic_load_explicit(&c->header->alloc, memory_order_relaxed) % 8 == 0;
}

/* The highest NEXT that it can have been made for; one damaged word does not count. */
static uint64_t untouched_at_most(const struct chan *c)
{
	uint64_t highest = 0, second = 0;

	for (uint64_t i = 0; i < c->history; i++) {
		uint64_t lap = atomic_load_explicit(&c->index[i], memory_order_relaxed) >> 32;

		second = MAX(second, MIN(lap, highest));
		highest = MAX(highest, lap);
	}
	return MIN(second * c->history + 1, SEQ_SANE);
}

/* Continue what another process left. False: header, index and records contradict each other, and
 * *NEXT is what numbering goes on with. */
bool ring_resume(struct chan *c, uint64_t *next_seq)
{
	uint64_t said = atomic_load_explicit(&c->header->next, memory_order_relaxed);
	uint64_t alloc = atomic_load_explicit(&c->header->alloc, memory_order_relaxed);
	uint64_t next = said, end, pos, newest;

	adopt_records(c, said);
	newest = ring_newest_whole(c, &end);
	/* A seq that was taken and never committed is used again. */
	while (next > newest + 1 && next > 1 && said - next < UNFINISHED_MAX &&
	       ring_seq_state(c, next - 1, &pos) == SEQ_PENDING)
		next--;
	if (newest == 0 && !is_untouched(c, next)) {
		*next_seq = MAX(said, untouched_at_most(c));
		return false;
	}
	if (newest != 0 && (!only_losses(c, newest, next) || !alloc_fits(c, end))) {
		*next_seq = only_losses(c, newest, next) ? next : newest + 1;
		return false;
	}
	/* A hole below a committed seq can be seen as one: it becomes a loss, by pointing to a
	 * place that never holds its record. So does a word that belongs to no seq of ours, before
	 * it keeps a later one from being committed. */
	for (uint64_t seq = next > c->history ? next - c->history : 1; seq < next; seq++)
		if ((uint32_t)(atomic_load_explicit(ring_index(c, seq), memory_order_relaxed) >> 32) !=
		    ring_lap(c, seq))
			atomic_store_explicit(ring_index(c, seq),
					      ring_index_word(ring_lap(c, seq), alloc),
					      memory_order_relaxed);
	for (uint64_t seq = next; seq < c->history; seq++)	/* not used yet */
		atomic_store_explicit(ring_index(c, seq),
				      ring_index_word(ring_lap(c, seq) - 1, 0),
				      memory_order_relaxed);
	atomic_store_explicit(&c->header->next, next, memory_order_relaxed);
	return true;
}
