/* The sentences that a scenario can be, and the list of times. */
#include <string.h>

#include "simulate/scenario.h"
#include "unit.h"

static struct scenario s;
static struct takes t;
static struct error e;

static bool parses(const char *text)
{
	scenario_fini(&s);
	error_fini(&e);
	return scenario_parse(text, &s, &e);
}

START_TEST(each_form_is_understood)
{
	ck_assert(parses("start"));
	ck_assert_int_eq(s.kind, SCENARIO_START);
	ck_assert(parses(" crash  web "));
	ck_assert_int_eq(s.kind, SCENARIO_CRASH);
	ck_assert_str_eq(s.name, "web");
	ck_assert(parses("crash web every 1m30s"));
	ck_assert_int_eq(s.kind, SCENARIO_CRASH_EVERY);
	ck_assert_int_eq(s.every_ns, 90 * NS_PER_SEC);
	ck_assert(parses("flap web@2"));
	ck_assert_int_eq(s.kind, SCENARIO_FLAP);
	ck_assert_str_eq(s.name, "web@2");
	ck_assert(parses("dependency db fails"));
	ck_assert_int_eq(s.kind, SCENARIO_FAIL);
	ck_assert_str_eq(s.name, "db");
}
END_TEST

START_TEST(anything_else_is_told_with_the_forms_that_there_are)
{
	static const char *const bad[] = {
		"", "begin", "crash", "crash a b", "crash a every", "crash a every x",
		"crash a every 1s twice", "flap", "flap a b", "dependency a", "start a",
		"dependency a fails always",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ck_assert_msg(!parses(bad[i]), "accepted: %s", bad[i]);
		ck_assert_ptr_nonnull(e.message);
	}
	ck_assert(!parses("begin"));
	ck_assert_ptr_nonnull(strstr(e.message, "crash NAME every TIME"));
	scenario_fini(&s);
	error_fini(&e);
}
END_TEST

START_TEST(times_are_for_a_name_for_its_instances_or_for_all_others)
{
	ck_assert(takes_parse("web=2s,db=500ms,3s", &t, &e));
	ck_assert_int_eq(takes_of(&t, "web"), 2 * NS_PER_SEC);
	ck_assert_int_eq(takes_of(&t, "web@7"), 2 * NS_PER_SEC);
	ck_assert_int_eq(takes_of(&t, "webby"), 3 * NS_PER_SEC);
	ck_assert_int_eq(takes_of(&t, "db"), 500 * NS_PER_MS);
	takes_fini(&t);
	ck_assert(takes_parse(NULL, &t, &e));
	ck_assert_int_eq(takes_of(&t, "web"), TAKES_DEFAULT_NS);
	takes_fini(&t);
}
END_TEST

START_TEST(a_time_that_is_none_is_an_error)
{
	static const char *const bad[] = { "web=", "web=x", "=", "1s,web=-1", "web", "367d",
					   "web=106751d23h47m16s" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ck_assert_msg(!takes_parse(bad[i], &t, &e), "accepted: %s", bad[i]);
		ck_assert_ptr_nonnull(e.message);
		takes_fini(&t);
		error_fini(&e);
	}
}
END_TEST

UNIT_MAIN("simulate: scenario", each_form_is_understood,
	  anything_else_is_told_with_the_forms_that_there_are,
	  times_are_for_a_name_for_its_instances_or_for_all_others,
	  a_time_that_is_none_is_an_error)
