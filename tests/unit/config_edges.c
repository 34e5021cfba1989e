/* config/check_edges: names, conditions and cycles, with their places. */
#include "config/depend.h"
#include "config_fixture.h"

#define SUB(name, rest) "[subsystem." name "]\ncommand = \"true\"\n" rest

START_TEST(items_are_split_by_kind)
{
	enum condition condition;
	size_t n;

	ck_assert(edge_split("db", EDGE_DEPENDS_ON, &n, &condition));
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(condition, CONDITION_READY);
	ck_assert(edge_split("db:succeeded", EDGE_BINDS_TO, &n, &condition));
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(condition, CONDITION_SUCCEEDED);
	ck_assert(!edge_split("db:", EDGE_DEPENDS_ON, &n, &condition));
	ck_assert(!edge_split("db:read", EDGE_DEPENDS_ON, &n, &condition));
	ck_assert(edge_split("db:ready", EDGE_AFTER, &n, &condition));
	ck_assert_uint_eq(n, 8);
}
END_TEST

START_TEST(all_kinds_are_read)
{
	load_fine(SUB("a", "depends_on = [\"b\", 'c:started']\nbinds_to = c:ready\n"
			   "wants = [\"b\"]\nafter = d\nbefore = [\"e\"]\n")
		  SUB("b", "") SUB("c", "") SUB("d", "") SUB("e", ""));
	ck_assert_uint_eq(config_find(config, "a")->links->depends_on.n, 2);
	ck_assert_str_eq(config_find(config, "a")->links->binds_to.items[0], "c:ready");
	ck_assert_str_eq(config_find(config, "a")->links->after.items[0], "d");
}
END_TEST

START_TEST(S26_a_name_that_is_not_there_is_refused_at_its_place)
{
	expect_error(SUB("web", "depends_on = [\"db\",\n  \"cache\"]\n") SUB("db", ""), 4, 3,
		     "subsystem.web.depends_on: there is no subsystem \"cache\"");
	expect_error(SUB("web", "wants = [\"dbs\"]\n") SUB("dbm", ""), 3, 10,
		     "did you mean \"dbm\"?");
	expect_error("[defaults]\nafter = [\"x\"]\n" SUB("web", ""), 2, 10,
		     "subsystem.web.after: there is no subsystem \"x\"");
}
END_TEST

START_TEST(S25_cycles_are_refused_with_all_their_names)
{
	expect_error(SUB("a", "depends_on = [\"a:started\"]\n"), 3, 15, "cycle: a -> a;");
	expect_error(SUB("b", "after = a\n") SUB("a", "binds_to = [\"c\"]\n")
		     SUB("c", "after = [\"b\"]\n"), 3, 9, "cycle: b -> a -> c -> b;");
	/* a before b makes b wait for a */
	expect_error(SUB("a", "depends_on = [\"b\"]\nbefore = b\n") SUB("b", ""), 3, 15,
		     "cycle: a -> b -> a;");
	load_fine(SUB("a", "wants = [\"b\"]\n") SUB("b", "depends_on = [\"a\"]\n"));
	load_fine(SUB("a", "wants = [\"a\"]\nafter = [\"b\", \"c\"]\n") SUB("b", "before = a\n")
		  SUB("c", "depends_on = b\n"));
}
END_TEST

START_TEST(on_failure_makes_no_order_and_may_go_round)
{
	load_fine(SUB("a", "on_failure = [\"b\"]\ndepends_on = [\"b\"]\n")
		  SUB("b", "on_failure = a\n"));
	ck_assert_str_eq(config_find(config, "b")->links->on_failure.items[0], "a");
	expect_error(SUB("a", "on_failure = [\"c\"]\n") SUB("b", ""), 3, 15,
		     "subsystem.a.on_failure: there is no subsystem \"c\"");
	expect_error(SUB("a", "on_failure = [\"b\", \"a\"]\n") SUB("b", ""), 3, 20,
		     "\"a\" cannot start itself");
	expect_error(SUB("a", "on_failure = [\"b:ready\"]\n") SUB("b", ""), 3, 15,
		     "only names");
	expect_error(SUB("w", "instances = 2\non_failure = [\"w@0\"]\n"), 4, 15,
		     "cannot start itself");
}
END_TEST

START_TEST(two_cycles_are_told_in_one_run)
{
	auto_free(freep) char *found = NULL;

	ck_assert_int_eq(load_text(SUB("a", "after = b\n") SUB("b", "after = a\n")
				   SUB("c", "after = d\n") SUB("d", "after = c\n")), EXIT_CONFIG);
	found = errors();
	ck_assert_uint_eq(diag.nerrors, 2);
	ck_assert_ptr_nonnull(strstr(found, "a -> b -> a"));
	ck_assert_ptr_nonnull(strstr(found, "c -> d -> c"));
}
END_TEST

START_TEST(conditions_that_never_come_are_refused)
{
	expect_error(SUB("a", "depends_on = [\"b:healthy\"]\n") SUB("b", ""), 3, 15,
		     "\"b\" has no health probe");
	expect_error(SUB("a", "depends_on = [\"b:well\"]\n") SUB("b", ""), 3, 15,
		     "unknown condition \"well\"");
	expect_error(SUB("a", "binds_to = [\"b:succeeded\"]\n") SUB("b", ""), 3, 13,
		     "cannot be bound");
	expect_error(SUB("a", "before = [\"b:ready\"]\n") SUB("b", ""), 3, 11,
		     "only names");
	expect_error(SUB("a", "wants = [\"@b\"]\n") SUB("b", ""), 3, 10, "is a group");
	expect_error(SUB("a", "wants = [\"b\", \"b\"]\n") SUB("b", ""), 3, 15, "twice");
	expect_error(SUB("a", "wants = { b = 1 }\n") SUB("b", ""), 3, 9, "not a table");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		items_are_split_by_kind, all_kinds_are_read,
		S26_a_name_that_is_not_there_is_refused_at_its_place,
		S25_cycles_are_refused_with_all_their_names, two_cycles_are_told_in_one_run,
		conditions_that_never_come_are_refused,
		on_failure_makes_no_order_and_may_go_round,
	};

	return unit_run_in("config: edges", setup, teardown, tests, ARRAY_LEN(tests));
}
