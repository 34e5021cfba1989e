/* Counting, and what is left of it when the one who counted is gone. */
#include <sys/mman.h>
#include <sys/resource.h>
#include <signal.h>
#include <unistd.h>

#include "event/tally.h"
#include "unit.h"

static uint64_t started(const struct tally *t, uint32_t slot, uint64_t id)
{
	const struct tally_entry *e = tally_entry_get(t, slot, id);
	uint64_t n = 0;

	for (size_t i = 0; e != NULL && i <= TALLY_START_BOUNDS; i++)
		n += e->starts[i];
	return n;
}

START_TEST(who_comes_after_goes_on_counting)
{
	int fd = memfd_create("tally", 0);
	struct tally *t = tally_open(fd, 1000);

	tally_add(t, TALLY_HEALTH_FAILED, 3);
	tally_error(t, CATEGORY_IO);
	tally_started(t, 200, 7, 30 * NS_PER_MS);
	tally_ended(t, 200, 7, -1, SIGKILL);
	tally_took(t, TALLY_STOP, 2 * NS_PER_SEC);
	tally_close(t);
	t = tally_open(fd, 1000);
	tally_add(t, TALLY_HEALTH_FAILED, 1);
	ck_assert_uint_eq(tally_count(t, TALLY_HEALTH_FAILED), 4);
	ck_assert_uint_eq(tally_errors(t, CATEGORY_IO), 1);
	ck_assert_uint_eq(started(t, 200, 7), 1);
	ck_assert_uint_eq(tally_entry_get(t, 200, 7)->ways[0].how, TALLY_SIGNAL + SIGKILL);
	ck_assert_uint_eq(tally_duration_get(t, TALLY_STOP)->sum_us, 2000000);
	tally_close(t);
	close(fd);
}
END_TEST

START_TEST(a_file_of_another_format_begins_anew)
{
	int fd = memfd_create("tally", 0);
	struct tally *t = tally_open(fd, 10);

	tally_add(t, TALLY_SCRAPES, 3);
	tally_started(t, 1, 7, 0);
	tally_close(t);
	ck_assert_int_eq(pwrite(fd, "x", 1, 0), 1);
	t = tally_open(fd, 10);
	ck_assert_uint_eq(tally_count(t, TALLY_SCRAPES), 0);
	ck_assert_ptr_null(tally_entry_get(t, 1, 7));
	tally_started(t, 1, 7, 0);
	ck_assert_uint_eq(started(t, 1, 7), 1);
	tally_close(t);
	close(fd);
}
END_TEST

START_TEST(a_durations_bucket_is_that_of_the_next_bound)
{
	struct tally *t = tally_open(-1, 10);
	const struct tally_histogram *h;

	tally_took(t, TALLY_SPAWN, 100 * 1000);
	tally_took(t, TALLY_SPAWN, 101 * 1000);
	tally_took(t, TALLY_SPAWN, 61 * NS_PER_SEC);
	tally_took(t, TALLY_SPAWN, -5);
	h = tally_duration_get(t, TALLY_SPAWN);
	ck_assert_uint_eq(h->buckets[0], 2);
	ck_assert_uint_eq(h->buckets[1], 1);
	ck_assert_uint_eq(h->buckets[TALLY_BOUNDS], 1);
	tally_close(t);
}
END_TEST

START_TEST(the_ways_to_end_are_bounded)
{
	struct tally *t = tally_open(-1, 10);
	const struct tally_entry *e;

	for (int code = 0; code < 256; code++)
		tally_ended(t, 1, 7, code, 0);
	tally_ended(t, 1, 7, 3, 0);
	e = tally_entry_get(t, 1, 7);
	ck_assert_uint_eq(e->ways[3].how, 3);
	ck_assert_uint_eq(e->ways[3].count, 2);
	ck_assert_uint_eq(e->other_ways, 256 - TALLY_WAYS);
	tally_close(t);
}
END_TEST

START_TEST(another_subsystem_in_the_slot_begins_anew)
{
	struct tally *t = tally_open(-1, 10);

	tally_started(t, 1, 7, 0);
	tally_started(t, 1, 8, 0);
	ck_assert_uint_eq(started(t, 1, 8), 1);
	ck_assert_ptr_null(tally_entry_get(t, 1, 7));
	ck_assert_ptr_null(tally_entry_get(t, 10, 7));
	tally_started(t, 10, 7, 0);	/* no such slot: not counted */
	tally_close(t);
}
END_TEST

START_TEST(off_means_off)
{
	struct tally *t = tally_open(-1, 10);

	tally_enable(t, false);
	tally_add(t, TALLY_SCRAPES, 1);
	tally_took(t, TALLY_STOP, 1);
	tally_started(t, 1, 7, 0);
	ck_assert_uint_eq(tally_count(t, TALLY_SCRAPES), 0);
	ck_assert_ptr_null(tally_entry_get(t, 1, 7));
	tally_enable(t, true);
	tally_add(t, TALLY_SCRAPES, 1);
	ck_assert_uint_eq(tally_count(t, TALLY_SCRAPES), 1);
	tally_close(t);
	tally_add(NULL, TALLY_SCRAPES, 1);	/* nobody counts */
	ck_assert_uint_eq(tally_count(NULL, TALLY_SCRAPES), 0);
}
END_TEST

/* A full file system is no reason to die: what has no room is not counted. */
START_TEST(without_room_the_rest_is_counted)
{
	char path[] = "/tmp/procd-tally-XXXXXX";
	int fd = mkstemp(path);
	struct rlimit small = { 8192, 8192 };
	struct tally *t = tally_open(fd, 1000);

	unlink(path);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	tally_started(t, 900, 7, 0);
	tally_started(t, 901, 8, 0);
	ck_assert_ptr_null(tally_entry_get(t, 900, 7));
	tally_add(t, TALLY_SCRAPES, 1);
	ck_assert_uint_eq(tally_count(t, TALLY_SCRAPES), 1);
	tally_close(t);
	close(fd);
}
END_TEST

UNIT_MAIN("event: tally", who_comes_after_goes_on_counting, a_file_of_another_format_begins_anew,
	  a_durations_bucket_is_that_of_the_next_bound, the_ways_to_end_are_bounded,
	  another_subsystem_in_the_slot_begins_anew, off_means_off,
	  without_room_the_rest_is_counted)
