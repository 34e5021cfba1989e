/* Restart control: the formula, jitter, limits, policies. */
#include "core/backoff.h"
#include "unit.h"

static struct subsystem_policy policy;
static struct subsystem_options o = { .policy = &policy };
static struct jitter j;

static void setup(void)
{
	memset(&policy, 0, sizeof(policy));
	policy.restart_delay_ms = 100;
	policy.restart_max_delay_ms = 30000;
	jitter_seed(&j, 42);
}

START_TEST(the_delay_doubles_up_to_the_maximum)
{
	static const int64_t want[] = { 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000,
					30000, 30000 };

	for (uint32_t n = 0; n < ARRAY_LEN(want); n++)
		ck_assert_int_eq(backoff_delay_ms(&o, n, &j), want[n]);
	ck_assert_int_eq(backoff_delay_ms(&o, UINT32_MAX, &j), 30000);
}
END_TEST

START_TEST(it_doubles_ten_times_at_most)
{
	policy.restart_delay_ms = 1;
	ck_assert_int_eq(backoff_delay_ms(&o, 10, &j), 1024);
	ck_assert_int_eq(backoff_delay_ms(&o, 11, &j), 1024);
	ck_assert_int_eq(backoff_delay_ms(&o, 1000, &j), 1024);
}
END_TEST

START_TEST(a_maximum_below_the_delay_wins)
{
	policy.restart_max_delay_ms = 30;
	ck_assert_int_eq(backoff_delay_ms(&o, 0, &j), 30);
}
END_TEST

START_TEST(zero_delay_stays_zero)
{
	policy.restart_delay_ms = 0;
	policy.restart_jitter = 1;
	ck_assert_int_eq(backoff_delay_ms(&o, 9, &j), 0);
}
END_TEST

START_TEST(huge_values_do_not_overflow)
{
	policy.restart_delay_ms = INT64_MAX / 2;
	policy.restart_max_delay_ms = INT64_MAX;
	ck_assert_int_eq(backoff_delay_ms(&o, 10, &j), INT64_MAX);
}
END_TEST

START_TEST(jitter_lengthens_by_at_most_its_part_also_at_the_maximum)
{
	int64_t low = INT64_MAX, high = 0;

	policy.restart_jitter = 0.5;
	for (int i = 0; i < 10000; i++) {
		int64_t d = backoff_delay_ms(&o, 20, &j);

		ck_assert_int_ge(d, 30000);
		ck_assert_int_le(d, 45000);
		low = MIN(low, d);
		high = MAX(high, d);
	}
	ck_assert_int_lt(low, 30500);
	ck_assert_int_gt(high, 44500);
}
END_TEST

START_TEST(the_same_seed_gives_the_same_jitter)
{
	struct jitter other;

	policy.restart_jitter = 1;
	jitter_seed(&other, 42);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(backoff_delay_ms(&o, 3, &j), backoff_delay_ms(&o, 3, &other));
}
END_TEST

START_TEST(the_kernel_seeds_when_nobody_else_does)
{
	struct jitter a, b;

	jitter_seed(&a, 0);
	jitter_seed(&b, 0);
	ck_assert_uint_ne(jitter_next(&a), jitter_next(&b));
}
END_TEST

START_TEST(attempts_are_counted_only_when_limited)
{
	ck_assert(!backoff_exhausted(&o, 1000000));
	policy.restart_max_attempts = 2;
	ck_assert(!backoff_exhausted(&o, 0));
	ck_assert(!backoff_exhausted(&o, 1));
	ck_assert(backoff_exhausted(&o, 2));
}
END_TEST

START_TEST(policies_look_at_success)
{
	static const struct {
		enum restart_policy policy;
		bool after_failure, after_success;
	} want[] = {
		{ RESTART_NEVER, false, false },
		{ RESTART_ALWAYS, true, true },
		{ RESTART_ON_FAILURE, true, false },
		{ RESTART_EXPONENTIAL_BACKOFF, true, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		policy.restart = want[i].policy;
		ck_assert(backoff_policy_restarts(&o, false) == want[i].after_failure);
		ck_assert(backoff_policy_restarts(&o, true) == want[i].after_success);
	}
}
END_TEST

START_TEST(spawn_retries_double_from_100_ms_to_5_s)
{
	static const int64_t want[] = { 100, 200, 400, 800, 1600, 3200, 5000, 5000 };

	for (uint32_t i = 0; i < ARRAY_LEN(want); i++)
		ck_assert_int_eq(backoff_spawn_retry_ms(i), want[i]);
	ck_assert_int_eq(backoff_spawn_retry_ms(UINT32_MAX), 5000);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		the_delay_doubles_up_to_the_maximum, it_doubles_ten_times_at_most,
		a_maximum_below_the_delay_wins, zero_delay_stays_zero, huge_values_do_not_overflow,
		jitter_lengthens_by_at_most_its_part_also_at_the_maximum,
		the_same_seed_gives_the_same_jitter, the_kernel_seeds_when_nobody_else_does,
		attempts_are_counted_only_when_limited, policies_look_at_success,
		spawn_retries_double_from_100_ms_to_5_s,
	};

	return unit_run_in("core: backoff", setup, NULL, tests, ARRAY_LEN(tests));
}
