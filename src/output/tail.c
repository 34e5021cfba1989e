/* Readers look a ring up under RCU, so that it cannot be unmapped, and copy. Waking goes through
 * the lock of the output object: after tail_unsubscribe() WAKE is not called any more. */
#include "output/tail.h"

#include "output/lines.h"
#include "output/thread.h"

bool tail_read(struct output *o, uint32_t slot, enum tail_stream stream, uint64_t *pos, size_t max,
	       struct strbuf *out, uint64_t *lost)
{
	rcu_enter();
	struct ring *ring = captures_ring(&o->captures, slot, stream == TAIL_ERR);

	if (ring != NULL)
		ring_copy(ring, pos, max, out, lost);
	rcu_leave();
	return ring != NULL;
}

uint64_t tail_seek_lines(struct output *o, uint32_t slot, enum tail_stream stream, long n)
{
	auto_free(strbuf_fini) struct strbuf all = STRBUF_INIT;
	uint64_t pos = 0, lost = 0;

	if (!tail_read(o, slot, stream, &pos, OUTPUT_TAIL_BYTES, &all, &lost))
		return 0;
	uint64_t first = pos - all.len;
	size_t begin = 0;

	/* The ring begins in the middle of a line. */
	if (first > 0) {
		const char *nl = memchr(all.buf, '\n', all.len);

		begin = nl != NULL ? (size_t)(nl - all.buf) + 1 : 0;
	}
	if (n < 0)
		return first + begin;
	return first + MAX(begin, lines_last(all.buf, all.len, (size_t)n));
}

void tail_subscribe(struct output *o, void (*wake)(void *ctx), void *ctx)
{
	pthread_mutex_lock(&o->lock);
	BUG_ON(o->nwakes == OUTPUT_WAKES_MAX);
	o->wakes[o->nwakes++] = (struct output_wake){ wake, ctx };
	pthread_mutex_unlock(&o->lock);
}

void tail_unsubscribe(struct output *o, void (*wake)(void *ctx), void *ctx)
{
	pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < o->nwakes; i++) {
		if (o->wakes[i].fn != wake || o->wakes[i].ctx != ctx)
			continue;
		o->wakes[i] = o->wakes[--o->nwakes];
		break;
	}
	pthread_mutex_unlock(&o->lock);
}
