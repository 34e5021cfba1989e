/* The heap of deadlines against a plain list. */
#include "core/timer.h"
#include "unit.h"

#define N 500

static struct timers ts;
static struct timer timers[N];
static int fired[N], order[N], nfired;

static void note(struct timer *t)
{
	int i = (int)(t - timers);

	fired[i]++;
	order[nfired++ % N] = i;
}

static void setup(void)
{
	ts = (struct timers)TIMERS_INIT;
	for (int i = 0; i < N; i++)
		timers[i] = (struct timer){ .fire = note };
	memset(fired, 0, sizeof(fired));
	nfired = 0;
}

static void teardown(void)
{
	timers_fini(&ts);
}

START_TEST(an_empty_heap_is_never_due)
{
	ck_assert_int_eq(timers_next(&ts), TIMER_NEVER);
	timers_run(&ts, INT64_MAX);
	timer_disarm(&ts, &timers[0]);
	ck_assert(!timer_armed(&timers[0]));
}
END_TEST

START_TEST(timers_fire_in_order_and_once)
{
	for (int i = 0; i < N; i++)
		timer_arm(&ts, &timers[i], (i * 7919) % N);
	ck_assert_int_eq(timers_next(&ts), 0);
	timers_run(&ts, N);
	ck_assert_int_eq(nfired, N);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(fired[i], 1);
		ck_assert(!timer_armed(&timers[i]));
		if (i > 0)
			ck_assert_int_ge(timers[order[i]].at_ns, timers[order[i - 1]].at_ns);
	}
	ck_assert_int_eq(timers_next(&ts), TIMER_NEVER);
}
END_TEST

START_TEST(only_what_is_due_fires)
{
	timer_arm(&ts, &timers[0], 10);
	timer_arm(&ts, &timers[1], 20);
	timers_run(&ts, 19);
	ck_assert_int_eq(fired[0], 1);
	ck_assert_int_eq(fired[1], 0);
	ck_assert_int_eq(timers_next(&ts), 20);
}
END_TEST

START_TEST(arming_again_moves_the_deadline)
{
	timer_arm(&ts, &timers[0], 10);
	timer_arm(&ts, &timers[0], 30);
	timers_run(&ts, 29);
	ck_assert_int_eq(nfired, 0);
	timers_run(&ts, 30);
	ck_assert_int_eq(nfired, 1);
}
END_TEST

static void arm_next(struct timer *t)
{
	note(t);
	if (nfired < 3)
		timer_arm(&ts, t, t->at_ns + 5);
	timer_disarm(&ts, &timers[1]);
}

START_TEST(a_timer_may_arm_itself_and_disarm_others_when_it_fires)
{
	timers[0].fire = arm_next;
	timer_arm(&ts, &timers[0], 1);
	timer_arm(&ts, &timers[1], 2);
	timers_run(&ts, 100);
	ck_assert_int_eq(fired[0], 3);
	ck_assert_int_eq(fired[1], 0);
}
END_TEST

START_TEST(random_arming_and_disarming_agrees_with_a_plain_list)
{
	int64_t at[N];
	unsigned int seed = 1;

	for (int i = 0; i < N; i++)
		at[i] = TIMER_NEVER;
	for (int round = 0; round < 100000; round++) {
		int i = rand_r(&seed) % N;

		if (rand_r(&seed) % 3 != 0) {
			at[i] = rand_r(&seed) % 100000;
			timer_arm(&ts, &timers[i], at[i]);
		} else {
			at[i] = TIMER_NEVER;
			timer_disarm(&ts, &timers[i]);
		}
		if (round % 100 == 0) {
			int64_t min = TIMER_NEVER;

			for (int k = 0; k < N; k++)
				min = MIN(min, at[k]);
			ck_assert_int_eq(timers_next(&ts), min);
		}
		ck_assert(timer_armed(&timers[i]) == (at[i] != TIMER_NEVER));
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		an_empty_heap_is_never_due, timers_fire_in_order_and_once, only_what_is_due_fires,
		arming_again_moves_the_deadline,
		a_timer_may_arm_itself_and_disarm_others_when_it_fires,
		random_arming_and_disarming_agrees_with_a_plain_list,
	};

	return unit_run_in("core: timer", setup, teardown, tests, ARRAY_LEN(tests));
}
