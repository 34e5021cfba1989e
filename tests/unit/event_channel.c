/* The channel: the same promises for the lock-free and for the mutex implementation. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "config.h"
#include "event/channel_ring.h"

#include "unit.h"

static enum chan_mode mode;	/* set by the fixture */

static void be_lock_free(void)
{
	mode = CHAN_LOCK_FREE;
}

static void be_mutex(void)
{
	mode = CHAN_MUTEX;
}

static struct chan *open_as(enum chan_mode as, int fd, size_t bytes, uint32_t history, bool *lost)
{
	struct chan *c = chan_open(fd, bytes, history, as, lost);

	ck_assert_ptr_nonnull(c);
	return c;
}

static struct chan *open_chan(int fd, size_t bytes, uint32_t history, bool *lost)
{
	return open_as(mode, fd, bytes, history, lost);
}

static int new_file(void)
{
	int fd = memfd_create("ring", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static uint64_t send_number(struct chan *c, unsigned n)
{
	char body[64];
	int len = snprintf(body, sizeof(body), "{\"type\":\"number\",\"n\":%u}", n);

	return chan_send(c, body, (size_t)len);
}

static void expect_number(struct chan *c, uint64_t *cursor, unsigned n)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	char body[64];
	uint64_t lost = 0;

	snprintf(body, sizeof(body), "{\"type\":\"number\",\"n\":%u}", n);
	ck_assert_int_eq(chan_try_recv(c, cursor, &out, &lost), CHAN_OK);
	ck_assert_str_eq(out.buf, body);
	ck_assert_uint_eq(out.len, strlen(body));
}

static enum chan_result recv_result(struct chan *c, uint64_t *cursor, uint64_t *lost)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	enum chan_result result;

	strbuf_addstr(&out, "kept");
	result = chan_try_recv(c, cursor, &out, lost);
	if (result != CHAN_OK)
		ck_assert_str_eq(out.buf, "kept");
	return result;
}

START_TEST(every_reader_gets_every_event_in_order)
{
	bool lost;
	struct chan *c = open_chan(-1, 1, 64, &lost);
	uint64_t fast = 0, slow = 0, none;

	ck_assert(!lost);
	ck_assert_uint_eq(chan_last_seq(c), 0);
	ck_assert_uint_eq(chan_oldest_seq(c), 1);
	ck_assert_int_eq(recv_result(c, &fast, &none), CHAN_EMPTY);
	for (unsigned i = 1; i <= 20; i++) {
		ck_assert_uint_eq(send_number(c, i), i);
		expect_number(c, &fast, i);
		ck_assert_uint_eq(fast, i);
	}
	for (unsigned i = 1; i <= 20; i++)
		expect_number(c, &slow, i);
	ck_assert_uint_eq(chan_last_seq(c), 20);
	ck_assert_uint_eq(chan_oldest_seq(c), 1);
	chan_free(c);
}
END_TEST

START_TEST(a_closed_channel_is_read_to_its_end_first)
{
	bool lost;
	struct chan *c = open_chan(-1, 1, 16, &lost);
	uint64_t cursor = 0, none;

	send_number(c, 42);
	expect_number(c, &cursor, 42);
	ck_assert_int_eq(recv_result(c, &cursor, &none), CHAN_EMPTY);
	send_number(c, 43);
	chan_close(c);
	expect_number(c, &cursor, 43);
	ck_assert_int_eq(recv_result(c, &cursor, &none), CHAN_CLOSED);
	ck_assert_uint_eq(send_number(c, 44), 0);
	ck_assert_int_eq(recv_result(c, &cursor, &none), CHAN_CLOSED);
	chan_free(c);
}
END_TEST

START_TEST(a_cursor_ahead_of_the_ring_finds_it_empty)
{
	bool lost;
	struct chan *c = open_chan(-1, 1, 16, &lost);
	uint64_t ahead = 1000, far = UINT64_MAX, none;

	send_number(c, 1);
	ck_assert_int_eq(recv_result(c, &ahead, &none), CHAN_EMPTY);
	ck_assert_uint_eq(ahead, 1000);
	ck_assert_int_eq(recv_result(c, &far, &none), CHAN_EMPTY);
	chan_free(c);
}
END_TEST

START_TEST(a_lapped_reader_learns_exactly_how_many_it_missed)
{
	bool lost;
	struct chan *c = open_chan(-1, 1, 16, &lost);
	uint64_t cursor = 0, missed = 0;

	for (unsigned i = 1; i <= 40; i++)
		send_number(c, i);
	ck_assert_uint_eq(chan_oldest_seq(c), 25);
	ck_assert_int_eq(recv_result(c, &cursor, &missed), CHAN_GAP);
	ck_assert_uint_eq(missed, 24);
	ck_assert_uint_eq(cursor, 24);
	for (unsigned i = 25; i <= 40; i++)
		expect_number(c, &cursor, i);
	ck_assert_int_eq(recv_result(c, &cursor, &missed), CHAN_EMPTY);
	chan_free(c);
}
END_TEST

START_TEST(overwritten_bytes_are_a_gap_even_when_the_index_still_knows_them)
{
	bool lost;
	struct chan *c = open_chan(-1, 1, 1024, &lost);
	auto_free(strbuf_fini) struct strbuf big = STRBUF_INIT;
	uint64_t cursor = 0, missed = 0, left = 0;

	for (int i = 0; i < 10000; i++)
		strbuf_addch(&big, (char)('a' + i % 26));
	for (unsigned i = 1; i <= 20; i++)
		ck_assert_uint_eq(chan_send(c, big.buf, big.len), i);
	/* 65536 bytes hold six records of 10016. */
	ck_assert_int_eq(recv_result(c, &cursor, &missed), CHAN_GAP);
	ck_assert_uint_eq(missed, 14);
	for (; left < 6; left++) {
		auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

		ck_assert_int_eq(chan_try_recv(c, &cursor, &out, &missed), CHAN_OK);
		ck_assert_str_eq(out.buf, big.buf);
	}
	ck_assert_int_eq(recv_result(c, &cursor, &missed), CHAN_EMPTY);
	chan_free(c);
}
END_TEST

START_TEST(bodies_of_every_length_come_back_unchanged)
{
	bool lost;
	struct chan *c = open_chan(-1, 1, 16, &lost);
	uint64_t cursor = 0, none;
	char body[600];

	for (size_t len = 1; len <= sizeof(body); len++) {
		auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

		for (size_t i = 0; i < len; i++)
			body[i] = (char)(len * 31 + i * 7);
		chan_send(c, body, len);
		ck_assert_int_eq(chan_try_recv(c, &cursor, &out, &none), CHAN_OK);
		ck_assert_uint_eq(out.len, len);
		ck_assert_mem_eq(out.buf, body, len);
	}
	chan_free(c);
}
END_TEST

START_TEST(a_reopened_ring_continues_numbering_and_history)
{
	bool lost;
	int fd = new_file();
	struct chan *c = open_chan(fd, 1, 16, &lost);
	uint64_t cursor = 0, missed;

	ck_assert(!lost);
	for (unsigned i = 1; i <= 20; i++)
		send_number(c, i);
	chan_close(c);
	chan_free(c);

	c = open_as(mode == CHAN_MUTEX ? CHAN_LOCK_FREE : CHAN_MUTEX, fd, 1, 16, &lost);
	ck_assert(!lost);
	ck_assert_uint_eq(chan_last_seq(c), 20);
	ck_assert_uint_eq(chan_oldest_seq(c), 5);
	ck_assert_uint_eq(send_number(c, 21), 21);
	ck_assert_int_eq(recv_result(c, &cursor, &missed), CHAN_GAP);
	ck_assert_uint_eq(missed, 5);
	for (unsigned i = 6; i <= 21; i++)
		expect_number(c, &cursor, i);
	chan_free(c);
	close(fd);
}
END_TEST

START_TEST(the_seq_of_an_unfinished_last_entry_is_used_again)
{
	bool lost;
	int fd = new_file();
	struct chan *c = open_chan(fd, 1, 16, &lost);
	uint64_t cursor = 0, none;

	send_number(c, 1);
	send_number(c, 2);
	/* As if a sender had been killed between its seq and the commit. */
	atomic_fetch_add(&c->header->alloc, 64);
	atomic_fetch_add(&c->header->next, 1);
	ck_assert_uint_eq(chan_last_seq(c), 3);
	expect_number(c, &cursor, 1);
	expect_number(c, &cursor, 2);
	if (mode == CHAN_LOCK_FREE && WITH_LOCKFREE_COORDINATION)
		ck_assert_int_eq(recv_result(c, &cursor, &none), CHAN_EMPTY);
	chan_free(c);

	c = open_chan(fd, 1, 16, &lost);
	ck_assert(!lost);
	ck_assert_uint_eq(chan_last_seq(c), 2);
	ck_assert_uint_eq(send_number(c, 33), 3);
	cursor = 2;
	expect_number(c, &cursor, 33);
	chan_free(c);
	close(fd);
}
END_TEST

START_TEST(an_unfinished_entry_below_finished_ones_becomes_a_counted_loss)
{
	bool lost;
	int fd = new_file();
	struct chan *c = open_chan(fd, 1, 16, &lost);
	uint64_t cursor = 0, missed = 0;

	send_number(c, 1);
	atomic_fetch_add(&c->header->next, 1);
	send_number(c, 3);
	send_number(c, 4);
	chan_free(c);

	c = open_chan(fd, 1, 16, &lost);
	ck_assert(!lost);
	expect_number(c, &cursor, 1);
	ck_assert_int_eq(recv_result(c, &cursor, &missed), CHAN_GAP);
	ck_assert_uint_eq(missed, 1);
	expect_number(c, &cursor, 3);
	expect_number(c, &cursor, 4);
	send_number(c, 5);
	expect_number(c, &cursor, 5);
	chan_free(c);
	close(fd);
}
END_TEST

START_TEST(a_record_that_was_written_over_is_never_delivered)
{
	bool lost;
	struct chan *c = open_chan(-1, 1, 16, &lost);
	uint64_t cursor = 0, missed = 0;

	send_number(c, 1);
	send_number(c, 2);
	send_number(c, 3);
	/* As a sender does that slept for a whole round of the ring: a stray word in event 2. */
	atomic_store(ring_at(c, ring_record_size(strlen("{\"type\":\"number\",\"n\":1}")) + 24), 7);
	expect_number(c, &cursor, 1);
	ck_assert_int_eq(recv_result(c, &cursor, &missed), CHAN_GAP);
	ck_assert_uint_eq(missed, 1);
	expect_number(c, &cursor, 3);
	chan_free(c);
}
END_TEST

START_TEST(a_ring_of_another_size_is_reset_but_its_numbering_goes_on)
{
	bool lost;
	int fd = new_file();
	struct chan *c = open_chan(fd, 1, 16, &lost);
	uint64_t cursor, none;

	for (unsigned i = 1; i <= 100; i++)
		send_number(c, i);
	chan_free(c);
	c = open_chan(fd, 200 * 1024, 32, &lost);
	ck_assert(lost);
	ck_assert_uint_eq(chan_last_seq(c), 100);
	ck_assert_uint_eq(chan_oldest_seq(c), 101);
	cursor = 100;
	ck_assert_int_eq(recv_result(c, &cursor, &none), CHAN_EMPTY);
	for (unsigned i = 101; i <= 200; i++) {
		ck_assert_uint_eq(send_number(c, i), i);
		expect_number(c, &cursor, i);
	}
	chan_free(c);
	close(fd);
}
END_TEST

START_TEST(a_reader_from_before_a_reset_is_told_of_the_loss)
{
	bool lost;
	int fd = new_file();
	struct chan *c = open_chan(fd, 1, 16, &lost);
	uint64_t cursor = 5, missed = 0;

	for (unsigned i = 1; i <= 10; i++)
		send_number(c, i);
	chan_free(c);
	c = open_chan(fd, 1, 32, &lost);
	ck_assert(lost);
	ck_assert_int_eq(recv_result(c, &cursor, &missed), CHAN_GAP);
	ck_assert_uint_eq(missed, 5);
	send_number(c, 11);
	expect_number(c, &cursor, 11);
	chan_free(c);
	close(fd);
}
END_TEST

START_TEST(a_foreign_file_is_reset_and_numbering_starts_at_one)
{
	bool lost;
	int fd = new_file();
	auto_free(strbuf_fini) struct strbuf junk = STRBUF_INIT;
	uint64_t cursor = 0;
	struct chan *c;

	for (int i = 0; i < 100000; i++)
		strbuf_addch(&junk, (char)(i * 7));
	ck_assert_int_eq(write(fd, junk.buf, junk.len), (ssize_t)junk.len);
	c = open_chan(fd, 1, 16, &lost);
	ck_assert(lost);
	ck_assert_uint_eq(send_number(c, 1), 1);
	expect_number(c, &cursor, 1);
	chan_free(c);
	close(fd);
}
END_TEST

START_TEST(a_cut_file_is_reset_but_its_numbering_goes_on)
{
	bool lost;
	int fd = new_file();
	struct chan *c = open_chan(fd, 1, 16, &lost);

	for (unsigned i = 1; i <= 5; i++)
		send_number(c, i);
	chan_free(c);
	ck_assert_int_eq(ftruncate(fd, 5000), 0);
	c = open_chan(fd, 1, 16, &lost);
	ck_assert(lost);
	ck_assert_uint_eq(send_number(c, 6), 6);
	chan_free(c);
	close(fd);
}
END_TEST

START_TEST(an_erased_index_is_a_reset_that_repeats_no_number)
{
	bool lost;
	int fd = new_file();
	struct chan *c = open_chan(fd, 1, 16, &lost);

	for (unsigned i = 1; i <= 1000; i++)
		send_number(c, i);
	for (unsigned i = 0; i < 16; i++)
		atomic_store(&c->index[i], 0);
	chan_free(c);
	c = open_chan(fd, 1, 16, &lost);
	ck_assert(lost);
	ck_assert_uint_eq(send_number(c, 1), 1001);
	chan_free(c);
	close(fd);
}
END_TEST

static void count_wake(void *ctx)
{
	++*(int *)ctx;
}

START_TEST(each_send_and_the_close_wake_the_subscribed)
{
	bool lost;
	struct chan *c = open_chan(-1, 1, 16, &lost);
	int a = 0, b = 0;

	chan_subscribe(c, count_wake, &a);
	send_number(c, 1);
	chan_subscribe(c, count_wake, &b);
	send_number(c, 2);
	chan_unsubscribe(c, count_wake, &a);
	send_number(c, 3);
	chan_close(c);
	ck_assert_int_eq(a, 2);
	ck_assert_int_eq(b, 3);
	chan_unsubscribe(c, count_wake, &b);
	for (int i = 0; i < 100; i++) {	/* slots are used again */
		chan_subscribe(c, count_wake, &a);
		chan_unsubscribe(c, count_wake, &a);
	}
	chan_free(c);
}
END_TEST

/* --- threads -------------------------------------------------------------------------------- */

#define PRODUCERS 4
#define READERS 4
#define EVENTS_EACH 5000

struct crowd {
	struct chan *chan;
	unsigned number;	/* of the producer */
};

struct seen {
	struct chan *chan;
	uint64_t received, lost;
	bool broken;
};

/* Bodies of varying length that tell where they come from and carry a pattern to the end. */
static void *produce(void *arg)
{
	const struct crowd *me = arg;

	for (unsigned i = 0; i < EVENTS_EACH; i++) {
		char body[256];
		int n = snprintf(body, sizeof(body), "{\"type\":\"t\",\"p\":%u,\"i\":%06u}",
				 me->number, i);
		size_t len = (size_t)n + i % 150;

		memset(body + n, 'A' + (int)me->number, len - (size_t)n);
		chan_send(me->chan, body, len);
	}
	return NULL;
}

static bool body_is_sound(const struct strbuf *body, int64_t last[PRODUCERS])
{
	unsigned p, i;
	int n = 0;

	if (sscanf(body->buf, "{\"type\":\"t\",\"p\":%u,\"i\":%u}%n", &p, &i, &n) != 2 || n == 0 ||
	    p >= PRODUCERS || (int64_t)i <= last[p])
		return false;
	last[p] = i;
	if (body->len != (size_t)n + i % 150)
		return false;
	for (size_t k = (size_t)n; k < body->len; k++)
		if (body->buf[k] != (char)('A' + p))
			return false;
	return true;
}

static void *consume(void *arg)
{
	struct seen *me = arg;
	auto_free(strbuf_fini) struct strbuf body = STRBUF_INIT;
	int64_t last[PRODUCERS] = { -1, -1, -1, -1 };
	uint64_t cursor = 0, lost;

	for (;;) {
		strbuf_reset(&body);
		switch (chan_try_recv(me->chan, &cursor, &body, &lost)) {
		case CHAN_OK:
			me->received++;
			if (!body_is_sound(&body, last))
				me->broken = true;
			break;
		case CHAN_GAP:
			me->lost += lost;
			break;
		case CHAN_EMPTY:
			sched_yield();
			break;
		case CHAN_CLOSED:
			return NULL;
		}
	}
}

static void run_crowd(size_t bytes, uint32_t history, struct seen *seen)
{
	bool lost;
	struct chan *c = open_chan(-1, bytes, history, &lost);
	pthread_t producers[PRODUCERS], readers[READERS];
	struct crowd crowd[PRODUCERS];

	for (unsigned i = 0; i < READERS; i++) {
		seen[i] = (struct seen){ .chan = c };
		ck_assert_int_eq(pthread_create(&readers[i], NULL, consume, &seen[i]), 0);
	}
	for (unsigned i = 0; i < PRODUCERS; i++) {
		crowd[i] = (struct crowd){ c, i };
		ck_assert_int_eq(pthread_create(&producers[i], NULL, produce, &crowd[i]), 0);
	}
	for (unsigned i = 0; i < PRODUCERS; i++)
		pthread_join(producers[i], NULL);
	chan_close(c);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	ck_assert_uint_eq(chan_last_seq(c), PRODUCERS * EVENTS_EACH);
	chan_free(c);
}

START_TEST(many_senders_and_readers_lose_and_double_nothing_in_a_large_ring)
{
	struct seen seen[READERS];

	run_crowd(8 << 20, 32768, seen);
	for (unsigned i = 0; i < READERS; i++) {
		ck_assert(!seen[i].broken);
		ck_assert_uint_eq(seen[i].lost, 0);
		ck_assert_uint_eq(seen[i].received, PRODUCERS * EVENTS_EACH);
	}
}
END_TEST

START_TEST(many_senders_and_readers_count_every_loss_in_a_small_ring)
{
	struct seen seen[READERS];

	run_crowd(1, 16, seen);
	for (unsigned i = 0; i < READERS; i++) {
		ck_assert(!seen[i].broken);
		ck_assert_uint_eq(seen[i].received + seen[i].lost, PRODUCERS * EVENTS_EACH);
	}
}
END_TEST

START_TEST(many_senders_and_readers_count_every_overwrite_in_a_ring_of_few_bytes)
{
	struct seen seen[READERS];

	run_crowd(1, 32768, seen);
	for (unsigned i = 0; i < READERS; i++) {
		ck_assert(!seen[i].broken);
		ck_assert_uint_eq(seen[i].received + seen[i].lost, PRODUCERS * EVENTS_EACH);
	}
}
END_TEST

START_TEST(what_was_let_go_of_can_be_read)
{
	bool lost;
	int fd = memfd_create("ring", MFD_CLOEXEC);
	struct chan *c = open_chan(fd, 1, 64, &lost);
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	uint64_t cursor = 0, missed;

	send_number(c, 1);
	chan_unmap_idle(c);
	send_number(c, 2);
	ck_assert_int_eq(chan_try_recv(c, &cursor, &out, &missed), CHAN_OK);
	ck_assert_int_eq(chan_try_recv(c, &cursor, &out, &missed), CHAN_OK);
	ck_assert_uint_eq(cursor, 2);
	ck_assert_uint_gt(out.len, 0);
	chan_free(c);
	close(fd);
}
END_TEST

START_TEST(a_cork_holds_back_the_wake_ups_and_not_the_events)
{
	bool lost;
	struct chan *c = open_chan(-1, 1, 16, &lost);
	int wakes = 0;

	chan_subscribe(c, count_wake, &wakes);
	chan_cork(c);
	send_number(c, 1);
	send_number(c, 2);
	ck_assert_uint_eq(chan_last_seq(c), 2);
	ck_assert_int_eq(wakes, 0);
	chan_uncork(c);
	ck_assert_int_eq(wakes, 1);
	chan_cork(c);
	chan_uncork(c);
	ck_assert_int_eq(wakes, 1);
	send_number(c, 3);
	ck_assert_int_eq(wakes, 2);
	chan_free(c);
}
END_TEST

static void atomic_wake(void *ctx)
{
	atomic_fetch_add((_Atomic int *)ctx, 1);
}

START_TEST(a_waker_is_never_called_after_it_was_unsubscribed)
{
	bool lost;
	struct chan *c = open_chan(-1, 1, 16, &lost);
	struct crowd crowd = { c, 0 };
	pthread_t producer;

	ck_assert_int_eq(pthread_create(&producer, NULL, produce, &crowd), 0);
	for (int i = 0; i < 200; i++) {
		_Atomic int *wakes = x_calloc(1, sizeof(*wakes));

		chan_subscribe(c, atomic_wake, wakes);
		sched_yield();
		chan_unsubscribe(c, atomic_wake, wakes);
		free(wakes);	/* a sanitizer tells when it is used again */
	}
	pthread_join(producer, NULL);
	chan_free(c);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		every_reader_gets_every_event_in_order,
		a_closed_channel_is_read_to_its_end_first,
		a_cursor_ahead_of_the_ring_finds_it_empty,
		a_lapped_reader_learns_exactly_how_many_it_missed,
		overwritten_bytes_are_a_gap_even_when_the_index_still_knows_them,
		bodies_of_every_length_come_back_unchanged,
		a_reopened_ring_continues_numbering_and_history,
		the_seq_of_an_unfinished_last_entry_is_used_again,
		an_unfinished_entry_below_finished_ones_becomes_a_counted_loss,
		a_record_that_was_written_over_is_never_delivered,
		a_ring_of_another_size_is_reset_but_its_numbering_goes_on,
		a_reader_from_before_a_reset_is_told_of_the_loss,
		a_foreign_file_is_reset_and_numbering_starts_at_one,
		a_cut_file_is_reset_but_its_numbering_goes_on,
		an_erased_index_is_a_reset_that_repeats_no_number,
		each_send_and_the_close_wake_the_subscribed,
		many_senders_and_readers_lose_and_double_nothing_in_a_large_ring,
		many_senders_and_readers_count_every_loss_in_a_small_ring,
		many_senders_and_readers_count_every_overwrite_in_a_ring_of_few_bytes,
		what_was_let_go_of_can_be_read, a_cork_holds_back_the_wake_ups_and_not_the_events,
		a_waker_is_never_called_after_it_was_unsubscribed,
	};
	int failed = unit_run_in("event: lock-free channel", be_lock_free, NULL, tests,
				 ARRAY_LEN(tests));

	failed |= unit_run_in("event: mutex channel", be_mutex, NULL, tests, ARRAY_LEN(tests));
	return failed;
}
