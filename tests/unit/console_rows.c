/* The model of the live table: order, filter, the chosen one, scrolling. */
#include "console/rows.h"

#include "unit.h"

static struct rows rows;

static void add(const char *name, const char *state, double cpu, int64_t rss, int64_t restarts)
{
	struct row *row = rows_get(&rows, name);

	row_set_state(row, state, TINT_NONE);
	row->cpu_percent = cpu;
	row->rss_bytes = rss;
	row->restarts = restarts;
}

static void setup(void)
{
	rows = (struct rows)ROWS_INIT;
	rows_begin(&rows);
	add("web", "running", 1.5, 300, 0);
	add("db", "failed", -1, -1, 7);
	add("cache", "running", 1.5, 100, 2);
	add("cron", "stopped", -1, -1, 0);
	rows_end(&rows);
}

static void teardown(void)
{
	rows_fini(&rows);
}

static void expect(const char *names)
{
	auto_free(strbuf_fini) struct strbuf all = STRBUF_INIT;

	for (size_t i = 0; i < rows.nshown; i++)
		strbuf_addf(&all, "%s%s", i > 0 ? " " : "", rows.shown[i]->name);
	ck_assert_str_eq(all.buf, names);
}

static void expect_sorted(enum sort_key key, const char *names)
{
	rows_sort(&rows, key);
	expect(names);
}

START_TEST(rows_come_in_the_order_of_the_config)
{
	expect("web db cache cron");
}
END_TEST

START_TEST(figures_sort_from_large_to_small_and_equal_rows_keep_their_places)
{
	expect_sorted(SORT_CPU, "web cache db cron");
	expect_sorted(SORT_MEMORY, "web cache db cron");
	expect_sorted(SORT_RESTARTS, "db cache web cron");
}
END_TEST

START_TEST(the_same_key_again_reverses)
{
	expect_sorted(SORT_NAME, "cache cron db web");
	expect_sorted(SORT_NAME, "web db cron cache");
	expect_sorted(SORT_NAME, "cache cron db web");
}
END_TEST

START_TEST(the_worst_states_come_first)
{
	expect_sorted(SORT_STATE, "db web cache cron");
}
END_TEST

START_TEST(stepping_through_the_columns_comes_round)
{
	enum sort_key first = rows.sort;

	for (int i = 0; i <= SORT_NKEYS; i++)
		rows_sort_step(&rows, 1);
	ck_assert_int_eq(rows.sort, first);
	rows_sort_step(&rows, -1);
	rows_sort_step(&rows, 1);
	ck_assert_int_eq(rows.sort, first);
}
END_TEST

START_TEST(a_filter_looks_at_names_and_states)
{
	snprintf(rows.filter, sizeof(rows.filter), "c");
	rows_arrange(&rows);
	expect("cache cron");
	snprintf(rows.filter, sizeof(rows.filter), "fail");
	rows_arrange(&rows);
	expect("db");
	snprintf(rows.filter, sizeof(rows.filter), "nothing");
	rows_arrange(&rows);
	expect("");
	ck_assert_ptr_null(rows.chosen);
}
END_TEST

START_TEST(who_was_chosen_stays_chosen_wherever_it_goes)
{
	ck_assert_str_eq(rows.chosen->name, "web");
	rows_move(&rows, 2);
	ck_assert_str_eq(rows.chosen->name, "cache");
	rows_sort(&rows, SORT_NAME);
	ck_assert_str_eq(rows.chosen->name, "cache");
	ck_assert_uint_eq(rows_place(&rows), 0);
}
END_TEST

START_TEST(until_one_is_chosen_it_is_whatever_stands_first)
{
	rows_sort(&rows, SORT_STATE);
	ck_assert_str_eq(rows.chosen->name, "db");
	rows_move(&rows, 3);
	rows_move(&rows, -100);
	rows_sort(&rows, SORT_NAME);
	ck_assert_str_eq(rows.chosen->name, "cache");
}
END_TEST

START_TEST(when_the_chosen_one_leaves_its_neighbour_is_chosen)
{
	rows_move(&rows, 1);
	rows_remove(&rows, "db");
	expect("web cache cron");
	ck_assert_str_eq(rows.chosen->name, "cache");
	rows_move(&rows, 100);
	rows_remove(&rows, "cron");
	ck_assert_str_eq(rows.chosen->name, "cache");
	rows_remove(&rows, "cache");
	rows_remove(&rows, "web");
	ck_assert_ptr_null(rows.chosen);
	rows_move(&rows, 1);
	rows_remove(&rows, "web");
}
END_TEST

START_TEST(a_new_answer_drops_who_is_not_in_it)
{
	rows_move(&rows, 3);
	rows_begin(&rows);
	add("web", "running", 0, 0, 0);
	add("new", "starting", 0, 0, 0);
	rows_end(&rows);
	expect("web new");
	ck_assert_ptr_null(rows_find(&rows, "db"));
	ck_assert_str_eq(rows.chosen->name, "web");
}
END_TEST

START_TEST(scrolling_shows_the_chosen_one_and_wastes_no_room)
{
	for (int i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%d", i);
		rows_get(&rows, name);
	}
	rows_arrange(&rows);
	rows_scroll(&rows, 10);
	ck_assert_uint_eq(rows.first, 0);
	rows_move(&rows, 50);
	rows_scroll(&rows, 10);
	ck_assert_uint_eq(rows.first, 41);
	rows_move(&rows, 1000000);
	rows_scroll(&rows, 10);
	ck_assert_uint_eq(rows.first, 94);
	rows_scroll(&rows, 1000);
	ck_assert_uint_eq(rows.first, 0);
	rows_scroll(&rows, 0);
}
END_TEST

START_TEST(marks_stay_with_their_rows)
{
	rows.chosen->marked = true;
	rows_sort(&rows, SORT_NAME);
	ck_assert_uint_eq(rows_marked(&rows), 1);
	ck_assert(rows_find(&rows, "web")->marked);
	rows_unmark(&rows);
	ck_assert_uint_eq(rows_marked(&rows), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		rows_come_in_the_order_of_the_config,
		figures_sort_from_large_to_small_and_equal_rows_keep_their_places,
		the_same_key_again_reverses,
		the_worst_states_come_first,
		stepping_through_the_columns_comes_round,
		a_filter_looks_at_names_and_states,
		who_was_chosen_stays_chosen_wherever_it_goes,
		until_one_is_chosen_it_is_whatever_stands_first,
		when_the_chosen_one_leaves_its_neighbour_is_chosen,
		a_new_answer_drops_who_is_not_in_it,
		scrolling_shows_the_chosen_one_and_wastes_no_room,
		marks_stay_with_their_rows,
	};

	return unit_run_in("console: rows", setup, teardown, tests, ARRAY_LEN(tests));
}
