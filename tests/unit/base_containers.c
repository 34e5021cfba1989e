/* strbuf, strlist, map and list. */
#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"
#include "base/strbuf.h"
#include "base/strlist.h"

#include "unit.h"

START_TEST(an_unused_buffer_is_an_empty_text_and_needs_no_free)
{
	struct strbuf sb = STRBUF_INIT;
	char *s;

	ck_assert_str_eq(sb.buf, "");
	strbuf_add(&sb, "", 0);
	strbuf_reset(&sb);
	strbuf_consume(&sb, 0);
	ck_assert_uint_eq(sb.cap, 0);
	s = strbuf_detach(&sb);
	ck_assert_str_eq(s, "");
	free(s);
}
END_TEST

START_TEST(a_buffer_holds_bytes_and_is_always_terminated)
{
	auto_free(strbuf_fini) struct strbuf sb = STRBUF_INIT;

	strbuf_add(&sb, "a\0b", 3);
	strbuf_addch(&sb, 'c');
	strbuf_addstr(&sb, "de");
	ck_assert_uint_eq(sb.len, 6);
	ck_assert_mem_eq(sb.buf, "a\0bcde", 7);
	strbuf_consume(&sb, 2);
	ck_assert_str_eq(sb.buf, "bcde");
	strbuf_consume(&sb, 4);
	ck_assert_str_eq(sb.buf, "");
}
END_TEST

START_TEST(formatting_works_for_short_and_long_results)
{
	auto_free(strbuf_fini) struct strbuf sb = STRBUF_INIT;
	char expected[2001];

	for (int i = 0; i < 200; i++)
		strbuf_addf(&sb, "%010d", i);
	for (size_t i = 0; i < 200; i++)
		snprintf(expected + 10 * i, 11, "%010zu", i);
	ck_assert_str_eq(sb.buf, expected);
	strbuf_reset(&sb);
	strbuf_addf(&sb, "%s|%s", expected, expected);
	ck_assert_uint_eq(sb.len, 4001);
	ck_assert_int_eq(sb.buf[2000], '|');
}
END_TEST

START_TEST(a_detached_text_belongs_to_the_caller)
{
	struct strbuf sb = STRBUF_INIT;
	char *s;

	strbuf_addstr(&sb, "mine");
	s = strbuf_detach(&sb);
	ck_assert_str_eq(s, "mine");
	ck_assert_str_eq(sb.buf, "");
	ck_assert_uint_eq(sb.cap, 0);
	free(s);
}
END_TEST

START_TEST(a_list_is_a_valid_argv_at_any_length)
{
	auto_free(strlist_fini) struct strlist l = STRLIST_INIT;
	auto_free(strlist_fini) struct strlist copy = STRLIST_INIT;

	for (int i = 40; i > 0; i--) {
		strlist_take(&l, x_asprintf("%02d", i));
		ck_assert_ptr_null(l.items[l.n]);
	}
	strlist_copy(&copy, &l);
	ck_assert(strlist_equal(&copy, &l));
	strlist_sort(&l);
	ck_assert_str_eq(l.items[0], "01");
	ck_assert_str_eq(l.items[39], "40");
	ck_assert(!strlist_equal(&copy, &l));
	ck_assert(strlist_has(&l, "17"));
	ck_assert(!strlist_has(&l, "41"));
	strlist_add(&copy, "x");
	ck_assert(!strlist_equal(&copy, &l));
}
END_TEST

START_TEST(a_list_takes_the_room_that_was_asked_for_and_no_more)
{
	auto_free(strlist_fini) struct strlist l = STRLIST_INIT;

	strlist_reserve(&l, 0);
	ck_assert_ptr_null(l.items);
	strlist_reserve(&l, 3);
	ck_assert_ptr_null(l.items[0]);
	for (uint32_t i = 0; i < 3; i++) {
		strlist_add(&l, "x");
		ck_assert_uint_eq(l.cap, 4);	/* with the NULL at the end */
		ck_assert_ptr_null(l.items[l.n]);
	}
	strlist_add(&l, "y");
	ck_assert_str_eq(l.items[3], "y");
	ck_assert_ptr_null(l.items[4]);
}
END_TEST

START_TEST(empty_lists_are_equal_and_can_be_copied)
{
	struct strlist a = STRLIST_INIT;
	struct strlist b = STRLIST_INIT;

	strlist_copy(&a, &b);
	strlist_sort(&a);
	ck_assert(strlist_equal(&a, &b));
	strlist_fini(&a);
}
END_TEST

START_TEST(a_map_finds_what_was_put_and_only_that)
{
	auto_free(map_fini) struct map m = MAP_INIT;
	int one = 1, two = 2;

	ck_assert_ptr_null(map_find(&m, "a"));
	ck_assert_ptr_null(map_remove(&m, "a"));
	ck_assert_ptr_null(map_put(&m, "a", &one));
	ck_assert_ptr_eq(map_find(&m, "a"), &one);
	ck_assert_ptr_eq(map_put(&m, "a", &two), &one);
	ck_assert_ptr_eq(map_find(&m, "a"), &two);
	ck_assert_uint_eq(m.n, 1);
	ck_assert_ptr_null(map_find(&m, "ab"));
	ck_assert_ptr_null(map_find(&m, ""));
	ck_assert_ptr_eq(map_find_n(&m, "abc", 1), &two);
	ck_assert_ptr_null(map_find_n(&m, "abc", 2));
	ck_assert_ptr_eq(map_remove(&m, "a"), &two);
	ck_assert_ptr_null(map_find(&m, "a"));
	ck_assert_uint_eq(m.n, 0);
}
END_TEST

START_TEST(a_map_that_borrows_keeps_the_keys_where_they_are)
{
	static const char key[] = "a", same[] = "a";
	auto_free(map_fini) struct map m = MAP_INIT_BORROWING;
	int one = 1;

	ck_assert_ptr_null(map_put(&m, key, &one));
	ck_assert_ptr_eq(map_put(&m, same, &one), &one);
	map_for_each(slot, &m)
		ck_assert_ptr_eq(slot->key, key);
	ck_assert_ptr_eq(map_remove(&m, same), &one);
	map_put(&m, key, &one);
}
END_TEST

/* A long random life, compared with an array that is obviously right. */
START_TEST(a_map_agrees_with_an_array_over_a_long_life)
{
	auto_free(map_fini) struct map m = MAP_INIT;
	static int values[500];
	bool present[500] = { false };
	uint32_t state = 7;
	size_t seen = 0, expected = 0;

	for (int round = 0; round < 50000; round++) {
		char key[16];
		size_t i;

		state = state * 1664525 + 1013904223;
		i = (state >> 16) % ARRAY_LEN(values);
		snprintf(key, sizeof(key), "k%zu", i);
		ck_assert_ptr_eq(map_find(&m, key), present[i] ? &values[i] : NULL);
		if ((state >> 8) % 2 == 0) {
			ck_assert_ptr_eq(map_put(&m, key, &values[i]),
					 present[i] ? &values[i] : NULL);
			present[i] = true;
		} else {
			ck_assert_ptr_eq(map_remove(&m, key), present[i] ? &values[i] : NULL);
			present[i] = false;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(present); i++)
		expected += present[i];
	map_for_each(slot, &m) {
		int *value = slot->value;

		ck_assert(present[value - values]);
		seen++;
	}
	ck_assert_uint_eq(seen, expected);
	ck_assert_uint_eq(m.n, expected);
}
END_TEST

struct item {
	int value;
	struct list link;
};

START_TEST(a_list_element_may_leave_while_the_list_is_walked)
{
	struct list head = LIST_HEAD_INIT(head);
	struct item items[5];
	int sum = 0;

	for (int i = 0; i < 5; i++) {
		items[i].value = i;
		list_append(&head, &items[i].link);
	}
	list_for_each(pos, &head) {
		struct item *item = list_entry(pos, struct item, link);

		if (item->value % 2 == 1)
			list_remove(pos);
	}
	list_remove(&items[1].link);
	ck_assert(list_empty(&items[1].link));
	list_for_each(pos, &head)
		sum = sum * 10 + list_entry(pos, struct item, link)->value;
	ck_assert_int_eq(sum, 24);
	ck_assert_ptr_eq(list_pop(&head), &items[0].link);
	ck_assert_ptr_eq(list_pop(&head), &items[2].link);
	ck_assert_ptr_eq(list_pop(&head), &items[4].link);
	ck_assert_ptr_null(list_pop(&head));
}
END_TEST

UNIT_MAIN("base: containers", an_unused_buffer_is_an_empty_text_and_needs_no_free,
	  a_buffer_holds_bytes_and_is_always_terminated,
	  formatting_works_for_short_and_long_results, a_detached_text_belongs_to_the_caller,
	  a_list_is_a_valid_argv_at_any_length,
	  a_list_takes_the_room_that_was_asked_for_and_no_more,
	  empty_lists_are_equal_and_can_be_copied,
	  a_map_finds_what_was_put_and_only_that,
	  a_map_that_borrows_keeps_the_keys_where_they_are, a_map_agrees_with_an_array_over_a_long_life,
	  a_list_element_may_leave_while_the_list_is_walked)
