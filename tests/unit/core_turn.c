/* Whose turn it is: the bound on starts under way, and the budget for crash loops. */
#include "core/budget.h"
#include "core/turn.h"
#include "core_fixture.h"

#define MANY 200

static void add_many(int n, enum restart_policy restart, int64_t delay_ms)
{
	char name[16];

	for (int i = 0; i < n; i++) {
		struct subsystem_options *o;

		snprintf(name, sizeof(name), "s%d", i);
		o = fx_add(name);
		policy_write(o)->restart = restart;
		policy_write(o)->restart_delay_ms = delay_ms;
	}
}

static int asked(void)
{
	int n = 0;

	for (uint32_t slot = 0; slot < fx.nslots; slot++)
		n += fx.child[slot].asked;
	return n;
}

static long spawns(void)
{
	long n = 0;

	for (uint32_t slot = 0; slot < fx.nslots; slot++)
		n += fx.child[slot].spawns;
	return n;
}

static void exec_asked(int max)
{
	for (uint32_t slot = 0; slot < fx.nslots && max > 0; slot++) {
		if (!fx.child[slot].asked)
			continue;
		fx_exec_ok_slot(slot);
		max--;
	}
}

/* --- in flight -------------------------------------------------------------------------------- */

START_TEST(so_many_starts_are_under_way_and_each_answer_lets_one_more_go)
{
	add_many(MANY, RESTART_NEVER, 0);
	fx.manual_exec = true;
	fx_start();
	ck_assert_int_eq(asked(), TURN_INFLIGHT_MAX);
	exec_asked(10);
	fx_settle();
	ck_assert_int_eq(asked(), TURN_INFLIGHT_MAX);
	ck_assert_int_eq(spawns(), TURN_INFLIGHT_MAX + 10);
	while (asked() > 0) {
		exec_asked(MANY);
		fx_settle();
	}
	ck_assert_int_eq(spawns(), MANY);
}
END_TEST

/* The turns of those that were stopped meanwhile must not be lost for those behind them. */
START_TEST(who_was_stopped_while_it_waited_takes_no_turn_from_the_others)
{
	char name[16];

	add_many(MANY, RESTART_NEVER, 0);
	fx.manual_exec = true;
	fx_start();
	for (int i = TURN_INFLIGHT_MAX; i < MANY - 1; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		ck_assert_str_eq(fx_answer(fx_order(CORE_STOP, name)), "");
	}
	exec_asked(TURN_INFLIGHT_MAX);
	fx_settle();
	ck_assert_int_eq(asked(), 1);
	ck_assert(fx.child[MANY - 1].asked);
}
END_TEST

START_TEST(failed_starts_give_their_turn_on_too)
{
	add_many(MANY, RESTART_NEVER, 0);
	fx.manual_exec = true;
	fx_start();
	for (int turn = 0; turn < MANY && asked() > 0; turn++) {
		for (uint32_t slot = 0; slot < fx.nslots; slot++)
			if (fx.child[slot].asked)
				fx_exec_fail_slot(slot, STAGE_EXEC, ENOENT);
		fx_settle();
	}
	ck_assert_int_eq(spawns(), MANY);
}
END_TEST

/* --- the budget's arithmetic ------------------------------------------------------------------ */

START_TEST(the_burst_is_there_at_once_and_then_the_rate)
{
	struct budget b = { 0 };
	int64_t now = 5000 * NS_PER_SEC, at_ns;
	int n = 0;

	while ((at_ns = budget_take(&b, 1, now)) == 0)
		n++;
	ck_assert_int_eq(n, BUDGET_BURST_MIN);
	ck_assert_int_eq(at_ns, now + BUDGET_INTERVAL_NS);
	ck_assert_int_ne(budget_take(&b, 1, at_ns - 1), 0);
	ck_assert_int_eq(budget_take(&b, 1, at_ns), 0);
	ck_assert_int_ne(budget_take(&b, 1, at_ns), 0);
}
END_TEST

START_TEST(a_larger_instance_has_a_larger_burst)
{
	struct budget b = { 0 };
	int n = 0;

	while (budget_take(&b, 10000, NS_PER_SEC) == 0)
		n++;
	ck_assert_int_eq(n, 10000 * BUDGET_BURST_EACH);
}
END_TEST

START_TEST(an_idle_time_of_any_length_fills_it_and_no_more)
{
	struct budget b = { 0 };
	int64_t now = NS_PER_SEC;
	int n = 0;

	while (budget_take(&b, 1, now) == 0)
		;
	now += INT64_C(100) * 365 * 86400 * NS_PER_SEC;
	while (budget_take(&b, 1, now) == 0)
		n++;
	ck_assert_int_eq(n, BUDGET_BURST_MIN);
}
END_TEST

/* --- the budget at work ----------------------------------------------------------------------- */

/* Everything that runs dies at once, for MS milliseconds. */
static void storm(int64_t ms)
{
	for (int64_t t = 0; t < ms; t += 5) {
		for (uint32_t slot = 0; slot < fx.nslots; slot++)
			if (fx.child[slot].alive)
				fx_end_slot(slot, W_EXITCODE(1, 0), 0);
		fx_settle();
		fx_advance_ms(5);
	}
}

START_TEST(crash_loops_without_delay_are_held_to_the_rate)
{
	long before;

	add_many(10, RESTART_ALWAYS, 0);
	fx_start();
	storm(BUDGET_BURST_MIN / 1500 * 1000 + 2000);	/* 10 per 5 ms: the burst is over then */
	before = spawns();
	storm(10000);
	ck_assert_int_ge(spawns() - before, 10 * BUDGET_RATE * 99 / 100);
	ck_assert_int_le(spawns() - before, 10 * BUDGET_RATE * 101 / 100);
}
END_TEST

START_TEST(a_thousand_with_the_default_delays_restart_as_the_formula_says)
{
	static const int64_t sum_ms[] = { 0, 100, 300, 700, 1500, 3100, 6300, 12700, 25500, 51100 };

	add_many(1000, RESTART_ALWAYS, 100);
	fx_start();
	storm(60000);
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_ge(fx.child[i].spawns, (int)ARRAY_LEN(sum_ms) - 1);
		ck_assert_int_le(fx.child[i].spawns, (int)ARRAY_LEN(sum_ms) + 1);
	}
}
END_TEST

START_TEST(what_had_run_for_a_while_does_not_stand_in_the_storms_queue)
{
	uint32_t slot;
	int before;

	add_many(900, RESTART_ALWAYS, 0);
	policy_write(fx_add("healthy"))->restart_delay_ms = 0;
	fx_start();
	slot = fx_slot("healthy");
	for (int64_t t = 0; t < 2000; t += 5) {
		for (uint32_t i = 0; i < fx.nslots; i++)
			if (fx.child[i].alive && i != slot)
				fx_end_slot(i, W_EXITCODE(1, 0), 0);
		fx_advance_ms(5);
	}
	before = fx.child[slot].spawns;
	fx_die("healthy", SIGKILL);
	ck_assert_int_eq(fx.child[slot].spawns, before + 1);
	ck_assert_str_eq(fx_state("healthy"), "running");
}
END_TEST

START_TEST(orders_do_not_ask_the_budget)
{
	int held = -1, before;
	char name[16];

	add_many(900, RESTART_ALWAYS, 0);
	fx_start();
	storm(3000);
	for (int i = 0; i < 900 && held < 0; i++)
		if (!fx.child[i].alive)
			held = i;
	ck_assert_int_ge(held, 0);
	snprintf(name, sizeof(name), "s%d", held);
	ck_assert_str_eq(fx_state(name), "restarting");
	ck_assert_ptr_nonnull(strstr(fx_board(name)->texts->degraded, "its restart waits: quick restarts"));
	before = fx.child[held].spawns;
	ck_assert_str_eq(fx_answer(fx_order(CORE_START, name)), "");
	ck_assert_int_eq(fx.child[held].spawns, before + 1);
	ck_assert_str_eq(fx_board(name)->texts->degraded, "");
}
END_TEST

/* Within the burst nothing is held, and the starts under way are the bottleneck. */
START_TEST(orders_and_what_had_run_for_a_while_pass_those_that_crash)
{
	struct fx_order *start;
	uint32_t ordered, healthy;

	add_many(MANY, RESTART_ALWAYS, 0);
	policy_write(fx_add("healthy"))->restart_delay_ms = 0;
	fx_add("ordered")->autostart = false;
	fx_start();
	ordered = fx_slot("ordered");
	healthy = fx_slot("healthy");
	fx.manual_exec = true;
	for (uint32_t i = 0; i < MANY; i++)
		fx_end_slot(i, W_EXITCODE(1, 0), 0);
	fx_settle();
	ck_assert_int_eq(asked(), TURN_INFLIGHT_MAX);
	fx_advance_ms(2000);
	start = fx_order(CORE_START, "ordered");
	fx_die("healthy", SIGKILL);
	ck_assert(!fx.child[ordered].asked && !fx.child[healthy].asked);
	exec_asked(2);
	fx_settle();
	ck_assert(fx.child[ordered].asked && fx.child[healthy].asked);
	fx.manual_exec = false;
	exec_asked(MANY);
	fx_settle();
	ck_assert_str_eq(fx_answer(start), "");
}
END_TEST

/* They come just when their own start has made a place free. */
START_TEST(crash_loops_overtake_nobody_that_was_not_started_yet)
{
	enum { CRASH = 10 };

	add_many(MANY, RESTART_ALWAYS, 0);
	fx.manual_exec = true;
	fx_start();
	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < CRASH; i++) {
			uint32_t slot = i + (uint32_t)round * CRASH;

			fx_exec_ok_slot(slot);
			fx_end_slot(slot, W_EXITCODE(1, 0), 0);
		}
		fx_settle();
		ck_assert_int_eq(asked(), TURN_INFLIGHT_MAX);
	}
	for (uint32_t i = 0; i < 3 * CRASH; i++) {
		ck_assert_int_eq(fx.child[i].spawns, 1);
		ck_assert(fx.child[TURN_INFLIGHT_MAX + i].asked);
	}
	fx.manual_exec = false;
	exec_asked(MANY);
	fx_settle();
	for (uint32_t i = 0; i < MANY; i++)
		ck_assert_int_eq(fx.child[i].spawns, 1 + (i < 3 * CRASH));
}
END_TEST

START_TEST(a_held_one_can_be_stopped_and_the_rest_goes_on)
{
	struct fx_order *stop;
	long before;

	add_many(900, RESTART_ALWAYS, 0);
	fx_start();
	storm(3000);
	stop = fx_order(CORE_STOP, "s*");
	for (int turn = 0; turn < 100 && !stop->done; turn++) {
		for (uint32_t i = 0; i < fx.nslots; i++)
			if (fx.child[i].alive)
				fx_end_slot(i, SIGTERM, 0);
		fx_settle();
	}
	ck_assert_str_eq(fx_answer(stop), "");
	before = spawns();
	fx_advance_ms(20000);
	ck_assert_int_eq(spawns(), before);
	ck_assert_int_eq(core_next_deadline(fx.core), INT64_MAX);
	fx_order(CORE_START, "all");
	ck_assert_int_eq(spawns(), before + 900);
}
END_TEST

START_TEST(nobody_that_waits_is_forgotten_when_the_storm_ends)
{
	add_many(900, RESTART_ALWAYS, 0);
	fx_start();
	storm(3000);
	fx_advance_ms(5000);
	for (int i = 0; i < 900; i++)
		ck_assert(fx.child[i].alive);
}
END_TEST

FX_MAIN("core: turn", so_many_starts_are_under_way_and_each_answer_lets_one_more_go,
	who_was_stopped_while_it_waited_takes_no_turn_from_the_others,
	failed_starts_give_their_turn_on_too, the_burst_is_there_at_once_and_then_the_rate,
	a_larger_instance_has_a_larger_burst, an_idle_time_of_any_length_fills_it_and_no_more,
	crash_loops_without_delay_are_held_to_the_rate,
	a_thousand_with_the_default_delays_restart_as_the_formula_says,
	what_had_run_for_a_while_does_not_stand_in_the_storms_queue,
	orders_do_not_ask_the_budget, orders_and_what_had_run_for_a_while_pass_those_that_crash,
		crash_loops_overtake_nobody_that_was_not_started_yet,
	a_held_one_can_be_stopped_and_the_rest_goes_on,
	nobody_that_waits_is_forgotten_when_the_storm_ends)
