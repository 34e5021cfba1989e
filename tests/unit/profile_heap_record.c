/* The books: what they say is what happened, to the byte. */
#include "profile/heap_record.h"

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static const uintptr_t stack_a[] = { 0x1000, 0x2000 }, stack_b[] = { 0x1000, 0x3000, 0x4000 };

/* Empty ones. */
static void open_books(void)
{
	heap_record_stop();
	ck_assert_int_eq(heap_record_start(), 0);
}

static const struct heap_state *books(void)
{
	return &procd_heap_state;
}

static const struct heap_site *site(uint32_t i)
{
	ck_assert_uint_lt(i, books()->nsites);
	return (const struct heap_site *)(uintptr_t)books()->sites + i;
}

static void *at(uintptr_t address)
{
	return (void *)address;
}

static void born_a(uintptr_t address, size_t size)
{
	heap_record_born(at(address), size, stack_a, 2);
}

static void born_b(uintptr_t address, size_t size)
{
	heap_record_born(at(address), size, stack_b, 3);
}

static struct heap_block died(uintptr_t address)
{
	struct heap_block was;

	heap_record_died(at(address), &was);
	return was;
}

START_TEST(each_place_has_its_own_figures)
{
	open_books();
	born_a(0x10010, 100);
	born_a(0x10020, 50);
	born_b(0x10030, 7);
	died(0x10010);
	ck_assert_uint_eq(books()->nsites, 3);
	ck_assert_uint_eq(site(1)->total_bytes, 150);
	ck_assert_uint_eq(site(1)->total_blocks, 2);
	ck_assert_uint_eq(site(1)->bytes, 50);
	ck_assert_uint_eq(site(1)->blocks, 1);
	ck_assert_uint_eq(site(1)->max_bytes, 150);
	ck_assert_uint_eq(site(1)->max_blocks, 2);
	ck_assert_uint_eq(site(2)->total_bytes, 7);
	ck_assert_uint_eq(books()->bytes, 57);
	ck_assert_uint_eq(books()->total_bytes, 157);
	ck_assert_uint_eq(books()->total_blocks, 3);
	ck_assert_uint_eq(books()->nblocks, 2);
}
END_TEST

/* What a place had when all had most: untouched since, or noted before its next change. */
static uint64_t at_peak(uint32_t i)
{
	return site(i)->epoch == books()->epoch ? site(i)->peak_bytes : site(i)->bytes;
}

START_TEST(the_peak_is_that_of_all_together)
{
	open_books();
	born_a(0x10010, 100);
	born_b(0x10020, 10);
	ck_assert_uint_eq(books()->peak_bytes, 110);
	died(0x10010);
	born_b(0x10030, 60);		/* its own most, but not that of all */
	ck_assert_uint_eq(books()->peak_bytes, 110);
	ck_assert_uint_eq(books()->peak_blocks, 2);
	ck_assert_uint_eq(at_peak(1), 100);
	ck_assert_uint_eq(at_peak(2), 10);
	ck_assert_uint_eq(site(2)->max_bytes, 70);
	born_a(0x10040, 200);
	ck_assert_uint_eq(books()->peak_bytes, 270);
	ck_assert_uint_eq(at_peak(1), 200);
	ck_assert_uint_eq(at_peak(2), 70);
}
END_TEST

START_TEST(what_is_given_back_unknown_changes_nothing)
{
	struct heap_block was;

	open_books();
	born_a(0x10010, 100);
	was = died(0x99990);
	ck_assert_uint_eq(was.address, 0);
	ck_assert_uint_eq(books()->bytes, 100);
	ck_assert_uint_eq(books()->nblocks, 1);
}
END_TEST

START_TEST(a_block_that_lives_on_is_as_before)
{
	struct heap_block was;

	open_books();
	born_a(0x10010, 100);
	was = died(0x10010);
	ck_assert_uint_eq(was.size, 100);
	ck_assert_uint_eq(books()->bytes, 0);
	heap_record_undo(&was);
	ck_assert_uint_eq(books()->bytes, 100);
	ck_assert_uint_eq(books()->total_bytes, 100);
	ck_assert_uint_eq(site(1)->blocks, 1);
	ck_assert_uint_eq(books()->peak_bytes, 100);
}
END_TEST

START_TEST(an_address_that_comes_again_ends_the_block_before)
{
	open_books();
	born_a(0x10010, 100);
	born_b(0x10010, 5);
	ck_assert_uint_eq(books()->bytes, 5);
	ck_assert_uint_eq(books()->nblocks, 1);
	ck_assert_uint_eq(site(1)->blocks, 0);
	ck_assert_uint_eq(site(2)->blocks, 1);
}
END_TEST

START_TEST(the_table_grows_and_forgets_nobody)
{
	const uintptr_t n = 20000;

	open_books();
	for (uintptr_t i = 0; i < n; i++)
		born_a(0x100000 + 16 * i, i % 100);
	ck_assert_uint_eq(books()->nblocks, n);
	ck_assert_uint_gt(books()->room, HEAP_BLOCKS_FIRST);
	for (uintptr_t i = 0; i < n; i += 2)
		ck_assert_uint_eq(died(0x100000 + 16 * i).size, i % 100);
	for (uintptr_t i = 1; i < n; i += 2)
		ck_assert_uint_eq(died(0x100000 + 16 * i).size, i % 100);
	ck_assert_uint_eq(books()->nblocks, 0);
	ck_assert_uint_eq(books()->bytes, 0);
	ck_assert_uint_eq(books()->untracked, 0);
}
END_TEST

START_TEST(too_many_places_are_one_and_the_totals_stay_true)
{
	uintptr_t stack[] = { 0, 0 };
	const uintptr_t n = HEAP_SITES_MAX + 10;

	open_books();
	for (uintptr_t i = 0; i < n; i++) {
		stack[0] = 0x5000 + i;
		stack[1] = 0x9000 + i / 7;
		heap_record_born(at(0x100000 + 16 * i), 3, stack, 2);
	}
	ck_assert_uint_eq(books()->nsites, HEAP_SITES_MAX);
	ck_assert_uint_eq(site(0)->total_blocks, 11);	/* and the place 0 itself */
	ck_assert_uint_eq(books()->total_bytes, 3 * n);
	ck_assert_uint_eq(books()->bytes, 3 * n);
}
END_TEST

START_TEST(a_forked_child_records_nothing)
{
	int status;
	pid_t child;

	open_books();
	ck_assert(heap_record_on());
	child = fork();
	if (child == 0)
		_exit(heap_record_on() ? 1 : 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert(heap_record_on());
}
END_TEST

static void *write_much(void *arg)
{
	uintptr_t base = (uintptr_t)arg;

	for (uintptr_t i = 0; i < 5000; i++) {
		born_a(base + 16 * i, 2);
		if (i % 2 == 0)
			died(base + 16 * i);
	}
	return NULL;
}

START_TEST(threads_lose_nothing)
{
	pthread_t threads[4];

	open_books();
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, write_much, at(0x10000000 * (i + 1)));
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(books()->total_blocks, 20000);
	ck_assert_uint_eq(books()->nblocks, 10000);
	ck_assert_uint_eq(books()->bytes, 20000);
}
END_TEST

START_TEST(nothing_changes_while_it_is_frozen)
{
	pthread_t thread;
	uint64_t before, after;

	open_books();
	ck_assert(heap_record_freeze(1000));
	before = books()->total_blocks;
	pthread_create(&thread, NULL, write_much, at(0x10000000));
	ck_assert(!heap_record_freeze(20));	/* it is */
	after = books()->total_blocks;
	heap_record_thaw();
	pthread_join(thread, NULL);
	ck_assert_uint_eq(before, after);
	ck_assert_uint_eq(books()->total_blocks, 5000);
}
END_TEST

START_TEST(an_outsider_holds_it_up_until_his_time_is_over)
{
	uint64_t began = heap_now_us();

	open_books();
	atomic_store(&procd_heap_state.hold_until_ns, (began + 30000) * 1000);
	born_a(0x10010, 1);
	ck_assert_uint_ge(heap_now_us(), began + 29000);
}
END_TEST

START_TEST(closed_books_take_nothing_and_can_be_opened_again)
{
	open_books();
	born_a(0x10010, 1);
	ck_assert_int_eq(heap_record_start(), -EALREADY);
	heap_record_stop();
	ck_assert(!heap_record_on());
	born_a(0x10020, 1);		/* somebody who had begun before */
	ck_assert_uint_eq(died(0x10010).address, 0);
	ck_assert_int_eq(heap_record_start(), 0);
	ck_assert_uint_eq(books()->total_blocks, 0);
	ck_assert_uint_eq(books()->nsites, 1);
}
END_TEST

UNIT_MAIN("profile: the books of the heap", each_place_has_its_own_figures,
	  the_peak_is_that_of_all_together,
	  what_is_given_back_unknown_changes_nothing,
	  a_block_that_lives_on_is_as_before,
	  an_address_that_comes_again_ends_the_block_before,
	  the_table_grows_and_forgets_nobody,
	  too_many_places_are_one_and_the_totals_stay_true,
	  a_forked_child_records_nothing,
	  threads_lose_nothing,
	  nothing_changes_while_it_is_frozen,
	  an_outsider_holds_it_up_until_his_time_is_over,
	  closed_books_take_nothing_and_can_be_opened_again)
