/* How many lines may pass. */
#include "output/limit.h"
#include "unit.h"

static int64_t passed(struct limit *l, int64_t rate, int64_t now, int64_t tries)
{
	int64_t n = 0;

	while (tries-- > 0)
		n += limit_take(l, rate, now);
	return n;
}

START_TEST(one_seconds_worth_passes_at_once)
{
	static const int64_t rates[] = { 1, 3, 7, 1000, 9999, 1000000 };

	for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
		struct limit l = { 0 };

		ck_assert_int_eq(passed(&l, rates[i], 5 * NS_PER_SEC, 2 * rates[i]), rates[i]);
	}
}
END_TEST

START_TEST(then_so_many_pass_per_second_however_often_one_asks)
{
	struct limit l = { 0 };
	int64_t n = 0;

	for (int64_t ms = 0; ms < 10000; ms++)
		n += passed(&l, 100, NS_PER_SEC + ms * NS_PER_MS, 5);
	ck_assert_int_ge(n, 100 + 998);
	ck_assert_int_le(n, 100 + 1000);
}
END_TEST

START_TEST(silence_does_not_save_up_more_than_a_second)
{
	struct limit l = { 0 };

	passed(&l, 100, NS_PER_SEC, 1000);
	ck_assert_int_eq(passed(&l, 100, 3600 * NS_PER_SEC, 1000), 100);
}
END_TEST

START_TEST(what_was_dropped_is_said_once_a_second)
{
	struct limit l = { 0 };
	int n = 0;

	for (int64_t ms = 0; ms < 10000; ms += 10)
		n += limit_may_tell(&l, NS_PER_SEC + ms * NS_PER_MS);
	ck_assert_int_eq(n, 9);
}
END_TEST

UNIT_MAIN("output: limit",
	  one_seconds_worth_passes_at_once, then_so_many_pass_per_second_however_often_one_asks,
	  silence_does_not_save_up_more_than_a_second, what_was_dropped_is_said_once_a_second)
