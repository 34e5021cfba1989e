/* The status board: lookups, selections, and readers beside the writer. */
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"
#include "event/board.h"

#include "unit.h"

static struct board *board;

static void set_up(void)
{
	rcu_register_thread();
	rcu_helper_start();
	board = board_new(20000);
}

static void tear_down(void)
{
	rcu_barrier();
	board_free(board);
	rcu_unregister_thread();
}

static void put(uint32_t slot, const char *name, const char *groups)
{
	struct board_record *r = board_record_new(name, &(struct board_texts){
		.description = "described", .groups = groups });

	r->id = slot + 1;
	board_put(board, slot, r);
}

/* "0 2 5" or "!PATTERN". */
static char *match(const char *patterns)
{
	auto_free(strlist_fini) struct strlist list = STRLIST_INIT;
	struct strbuf text = STRBUF_INIT;
	auto_free(freep) uint32_t *slots = NULL;
	const char *missing;
	size_t n = 0, from = 0;

	for (const char *p = patterns; *p != '\0'; p += from + strspn(p + from, " ")) {
		from = strcspn(p, " ");
		strlist_take(&list, x_strndup(p, from));
	}
	rcu_enter();
	missing = board_match(board, &list, &slots, &n);
	rcu_leave();
	if (missing != NULL)
		strbuf_addf(&text, "!%s", missing);
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&text, i == 0 ? "%u" : " %u", slots[i]);
	return strbuf_detach(&text);
}

#define expect_match(patterns, want)                                                              \
	do {                                                                                      \
		auto_free(freep) char *got_ = match(patterns);                                    \
		ck_assert_str_eq(got_, want);                                                     \
	} while (0)

START_TEST(a_new_board_is_empty_but_has_a_daemon_record)
{
	ck_assert_uint_eq(board_slots(board), 0);
	ck_assert_ptr_null(board_get(board, 0));
	ck_assert_ptr_null(board_get(board, 4000000000u));
	ck_assert_ptr_null(board_find(board, "web"));
	ck_assert_int_eq(board_daemon(board)->state, DAEMON_STARTING);
	expect_match("all", "");
	expect_match("web", "!web");
}
END_TEST

START_TEST(records_are_put_replaced_and_removed)
{
	put(3, "web", NULL);
	put(5, "db", NULL);
	ck_assert_uint_eq(board_slots(board), 6);
	ck_assert_ptr_null(board_get(board, 4));
	ck_assert_uint_eq(board_find(board, "web")->slot, 3);
	put(3, "api", NULL);
	ck_assert_ptr_null(board_find(board, "web"));
	ck_assert_uint_eq(board_find(board, "api")->id, 4);
	board_put(board, 5, NULL);
	ck_assert_ptr_null(board_find(board, "db"));
	ck_assert_uint_eq(board_slots(board), 4);
	board_put(board, 3, NULL);
	ck_assert_uint_eq(board_slots(board), 0);
}
END_TEST

START_TEST(a_record_owns_its_texts)
{
	char error[] = "cannot start";
	struct board_record *r = board_record_new("web", &(struct board_texts){
		.last_error = error, .groups = "a b" });

	error[0] = 'X';
	ck_assert_str_eq(r->name, "web");
	ck_assert_str_eq(r->texts->description, "");
	ck_assert_str_eq(r->texts->last_error, "cannot start");
	ck_assert_str_eq(r->texts->groups, "a b");
	free(r);
	r = board_record_new("web", &(struct board_texts){ .description = "d" });
	ck_assert_ptr_null(r->texts->last_error);
	ck_assert_str_eq(r->texts->groups, "");
	free(r);
}
END_TEST

START_TEST(patterns_select_by_name_instance_glob_group_and_all)
{
	put(0, "web", "front");
	put(1, "worker@0", "back slow");
	put(2, "worker@1", "back");
	put(3, "worker2", NULL);
	put(4, "procd.http", "back");
	put(5, "worker@x", NULL);
	expect_match("web", "0");
	expect_match("worker", "1 2");
	expect_match("worker@1", "2");
	expect_match("worker@2", "!worker@2");
	expect_match("work*", "1 2 3 5");
	expect_match("w*r", "1 2 5");
	expect_match("[vw]eb", "0");
	expect_match("x*", "!x*");
	expect_match("@back", "1 2");
	expect_match("@slow web", "0 1");
	expect_match("@sl", "!@sl");
	expect_match("@", "!@");
	expect_match("all", "0 1 2 3 5");
	expect_match("worker2 web worker2 all", "0 1 2 3 5");
	expect_match("web nothing x", "!nothing");
	expect_match("procd.http", "4");
	expect_match("procd*", "!procd*");
	expect_match("*", "0 1 2 3 5");
}
END_TEST

START_TEST(slots_are_appended_to_what_is_there)
{
	auto_free(strlist_fini) struct strlist list = STRLIST_INIT;
	uint32_t *slots = x_malloc(sizeof(*slots));
	size_t n = 1;

	slots[0] = 77;
	put(2, "web", NULL);
	strlist_add(&list, "web");
	ck_assert_ptr_null(board_match(board, &list, &slots, &n));
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(slots[0], 77);
	ck_assert_uint_eq(slots[1], 2);
	free(slots);
}
END_TEST

START_TEST(each_of_ten_thousand_names_is_found)
{
	enum { N = 10000, FINDS = 1000 };
	char name[NAME_CAP];

	for (uint32_t i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "subsystem-%u", i);
		put(i, name, NULL);
	}
	for (uint32_t i = 0; i < FINDS; i++) {
		snprintf(name, sizeof(name), "subsystem-%u", N - 1 - i);
		ck_assert_uint_eq(board_find(board, name)->slot, N - 1 - i);
	}
}
END_TEST

/* --- beside the writer ---------------------------------------------------------------------- */

enum { NAMES = 8, READERS = 3, ROUNDS = 20000 };

struct witness {
	_Atomic bool done;
	_Atomic uint64_t broken;	/* records that were not what they said */
};

static void *read_all_the_time(void *arg)
{
	auto_free(strlist_fini) struct strlist all = STRLIST_INIT;
	struct witness *me = arg;
	char name[NAME_CAP];

	strlist_add(&all, "all");
	for (unsigned i = 0; !atomic_load(&me->done); i++) {
		auto_free(freep) uint32_t *slots = NULL;
		const struct board_record *r;
		const struct board_daemon *d;
		size_t n = 0;

		snprintf(name, sizeof(name), "name-%u", i % NAMES);
		rcu_enter();
		r = board_find(board, name);
		if (r != NULL && (strcmp(r->name, name) != 0 || strcmp(r->texts->groups, name) != 0))
			atomic_fetch_add(&me->broken, 1);
		if (board_match(board, &all, &slots, &n) != NULL)
			atomic_fetch_add(&me->broken, 1);
		for (uint32_t s = 0; s < board_slots(board); s++) {
			r = board_get(board, s);
			if (r != NULL && strcmp(r->name, r->texts->groups) != 0)
				atomic_fetch_add(&me->broken, 1);
		}
		d = board_daemon(board);
		if (d->generation != d->total_restarts)
			atomic_fetch_add(&me->broken, 1);
		rcu_leave();
	}
	return NULL;
}

START_TEST(readers_see_whole_records_while_the_writer_replaces_them)
{
	pthread_t readers[READERS];
	struct witness witness = { 0 };
	char name[NAME_CAP];

	for (int i = 0; i < READERS; i++)
		ck_assert_int_eq(thread_start(&readers[i], "reader", read_all_the_time,
					      &witness), 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct board_daemon *d = x_calloc(1, sizeof(*d));

		snprintf(name, sizeof(name), "name-%u", (i * 7 + i / 3) % NAMES);
		if (i % 5 == 4)
			board_put(board, i % NAMES, NULL);
		else
			put(i % NAMES, name, name);
		d->generation = d->total_restarts = i;
		board_put_daemon(board, d);
	}
	atomic_store(&witness.done, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	ck_assert_uint_eq(atomic_load(&witness.broken), 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		a_new_board_is_empty_but_has_a_daemon_record,
		records_are_put_replaced_and_removed,
		a_record_owns_its_texts,
		patterns_select_by_name_instance_glob_group_and_all,
		slots_are_appended_to_what_is_there,
		each_of_ten_thousand_names_is_found,
		readers_see_whole_records_while_the_writer_replaces_them,
	};

	return unit_run_in("event: board", set_up, tear_down, tests, ARRAY_LEN(tests));
}
