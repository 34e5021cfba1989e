/* The end of the instance: phases, escalation, exit codes, and what is told on the way. */
#include "core_fixture.h"

static void start_three(void)
{
	fx_add("a");
	fx_add("b");
	fx_add("c");
	fx_start();
	fx_skip_events();
}

static void sig(int signo)
{
	core_signal(fx.core, signo);
	fx_settle();
}

START_TEST(term_stops_everything_and_ends_with_0)
{
	start_three();
	sig(SIGTERM);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont TERM/tree+cont TERM/tree+cont");
	fx_expect_type("shutdown_started");
	ck_assert_int_eq(fx_int("total"), 3);
	fx_expect("a", "stopping", "shutdown");
	ck_assert_int_eq(fx.state, DAEMON_STOPPING);
	fx_die("a", SIGTERM);
	fx_expect("b", "stopping", "shutdown");
	fx_expect("c", "stopping", "shutdown");
	fx_expect("a", "stopped", "shutdown");
	fx_expect_type("shutdown_progress");
	ck_assert_str_eq(fx_str("phase"), "graceful");
	ck_assert_int_eq(fx_int("stopped"), 1);
	ck_assert_int_eq(fx_int("total"), 3);
	ck_assert_uint_eq(json_array_size(json_object_get(fx.event, "remaining")), 2);
	fx_exit("b", 0);
	ck_assert(!fx.finished);
	fx_exit("c", 1);
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 0);
}
END_TEST

START_TEST(many_are_not_told_one_by_one_but_the_last_is)
{
	char name[16];
	int told = 0;
	int64_t stopped = 0;
	size_t left = 1;

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		fx_add(name);
	}
	fx_start();
	fx_skip_events();
	sig(SIGTERM);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		fx_die(name, SIGTERM);
	}
	ck_assert(fx.finished);
	while (fx_next_of("shutdown_progress")) {
		told++;
		stopped = fx_int("stopped");
		left = json_array_size(json_object_get(fx.event, "remaining"));
	}
	ck_assert_int_ge(told, 1);
	ck_assert_int_le(told, 3);
	ck_assert_int_eq(stopped, 40);
	ck_assert_uint_eq(left, 0);
}
END_TEST

START_TEST(int_means_the_same)
{
	start_three();
	sig(SIGINT);
	ck_assert_int_eq(fx.state, DAEMON_STOPPING);
}
END_TEST

START_TEST(nothing_runs_means_finished_at_once)
{
	fx_add("a")->autostart = false;
	fx_start();
	sig(SIGTERM);
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 0);
}
END_TEST

START_TEST(the_phases_come_at_their_deadlines_from_the_beginning)
{
	fx_add("a");
	fx.draft->shutdown.force_signal = SIGINT;
	fx_start();
	sig(SIGTERM);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_advance_ms(4999);
	ck_assert_str_eq(fx_signals(), "");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_expect_type("shutdown_progress");
	ck_assert_str_eq(fx_str("phase"), "stop-all");
	fx_advance_ms(4999);
	ck_assert_str_eq(fx_signals(), "");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_signals(), "INT/tree+cont");
	fx_expect_type("shutdown_progress");
	ck_assert_str_eq(fx_str("phase"), "force");
	fx_advance_ms(5000);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	fx_expect_type("shutdown_progress");
	ck_assert_str_eq(fx_str("phase"), "kill");
	fx_die("a", SIGKILL);
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 3);
}
END_TEST

START_TEST(a_second_term_forces_at_once_and_kill_keeps_the_interval)
{
	fx_add("a");
	fx_start();
	sig(SIGTERM);
	fx_advance_ms(1000);
	fx_signals();
	sig(SIGTERM);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_advance_ms(4999);
	ck_assert_str_eq(fx_signals(), "");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
}
END_TEST

START_TEST(a_third_term_kills)
{
	fx_add("a");
	fx_start();
	sig(SIGTERM);
	sig(SIGTERM);
	fx_signals();
	sig(SIGINT);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	fx_die("a", SIGKILL);
	ck_assert_int_eq(fx.exit_code, 3);
}
END_TEST

/* Who asks again how it goes does not hurry it. */
START_TEST(a_repeated_order_is_no_second_term)
{
	fx_add("a");
	fx_start();
	sig(SIGTERM);
	for (int i = 0; i < 3; i++)
		ck_assert_str_eq(fx_answer(fx_order(CORE_SHUTDOWN, NULL)), "");
	fx_signals();
	sig(SIGTERM);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	sig(SIGTERM);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
}
END_TEST

START_TEST(quit_kills_at_once_and_ends_with_3)
{
	fx_add("a");
	fx_start();
	fx_skip_events();
	sig(SIGQUIT);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	fx_die("a", SIGKILL);
	ck_assert_int_eq(fx.exit_code, 3);
}
END_TEST

START_TEST(a_stop_timeout_of_its_own_still_kills_earlier)
{
	policy_write(fx_add("a"))->stop_timeout_ms = 300;
	fx_start();
	sig(SIGTERM);
	fx_advance_ms(300);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont KILL/tree");
}
END_TEST

START_TEST(a_long_stop_timeout_does_not_outlive_the_shutdown)
{
	policy_write(fx_add("a"))->stop_timeout_ms = 600000;
	fx_start();
	sig(SIGTERM);
	fx_signals();
	fx_advance_ms(15000);
	ck_assert_ptr_nonnull(strstr(fx_signals(), "KILL/tree"));
}
END_TEST

START_TEST(what_survives_sigkill_is_left_behind_and_named)
{
	fx_add("a");
	fx_start();
	sig(SIGTERM);
	fx_advance_ms(20000);
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 3);
	while (fx_next_of("shutdown_progress") && strcmp(fx_str("phase"), "abandon") != 0)
		;
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(fx.event, "remaining"),
							  0)), "a");
}
END_TEST

START_TEST(pending_restarts_are_given_up)
{
	fx_add("a");
	fx_start();
	fx_exit("a", 1);
	fx_skip_events();
	sig(SIGTERM);
	fx_expect("a", "stopped", "shutdown");
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 0);
}
END_TEST

START_TEST(a_crash_during_the_shutdown_restarts_nothing)
{
	fx_add("a");
	fx_add("b");
	fx_start();
	sig(SIGTERM);
	fx_die("a", SIGSEGV);
	ck_assert_str_eq(fx_state("a"), "stopped");
	fx_advance_ms(4000);
	ck_assert_int_eq(fx_child("a")->spawns, 1);
}
END_TEST

START_TEST(the_rest_of_a_crashed_tree_holds_the_shutdown)
{
	fx_add("a");
	fx_start();
	fx_exit_leaving("a", SIGSEGV, 1);
	sig(SIGTERM);
	ck_assert(!fx.finished);
	fx_gone("a");
	ck_assert(fx.finished);
}
END_TEST

START_TEST(orders_that_wait_are_answered_before_the_end)
{
	struct fx_order *start, *stop;

	fx_add("a");
	fx_add("b");
	fx_start();
	stop = fx_order(CORE_STOP, "b");
	start = fx_order(CORE_RESTART, "a");
	sig(SIGTERM);
	ck_assert_str_eq(fx_answer(start), "a: not started: procd shuts down");
	ck_assert_str_eq(fx_answer(fx_order(CORE_START, "a")), "a: procd shuts down");
	fx_die("a", SIGTERM);
	fx_die("b", SIGTERM);
	ck_assert_str_eq(fx_answer(stop), "");
	ck_assert(fx.finished);
}
END_TEST

START_TEST(an_abandoned_stop_order_is_answered_too)
{
	struct fx_order *stop;

	fx_add("a");
	fx_start();
	stop = fx_order(CORE_STOP, "a");
	sig(SIGQUIT);
	fx_advance_ms(6000);
	ck_assert(fx.finished);
	ck_assert_str_eq(fx_answer(stop), "a: procd shuts down");
}
END_TEST

START_TEST(the_shutdown_order_has_the_three_modes)
{
	struct fx_order *o;

	fx_add("a");
	fx_start();
	ck_assert_str_eq(fx_answer(fx_order(CORE_SHUTDOWN, NULL)), "");
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	ck_assert_str_eq(fx_answer(fx_order(CORE_SHUTDOWN, NULL)), "");
	ck_assert_str_eq(fx_signals(), "");
	o = fx_order_new(CORE_SHUTDOWN);
	o->r.mode = SHUTDOWN_KILL;
	core_request(fx.core, &o->r);
	ck_assert_str_eq(fx_answer(o), "");
	ck_assert_str_eq(fx_signals(), "KILL/tree");
}
END_TEST

START_TEST(signals_have_their_default_meaning)
{
	fx_add("a");
	fx_start();
	sig(SIGHUP);
	sig(SIGUSR1);
	sig(SIGUSR2);
	sig(SIGWINCH);
	sig(0);
	sig(1000);
	ck_assert_int_eq(fx.reloads, 1);
	ck_assert_int_eq(fx.reopens, 1);
	ck_assert_int_eq(fx.dumps, 1);
	ck_assert_int_eq(fx.state, DAEMON_RUNNING);
	sig(SIGTERM);
	sig(SIGHUP);
	ck_assert_int_eq(fx.reloads, 1);
}
END_TEST

START_TEST(signals_can_be_mapped_anew)
{
	fx_add("a");
	fx.draft->signals[SIGTERM].action = SIGNAL_IGNORE;
	fx.draft->signals[SIGWINCH].action = SIGNAL_FORWARD;
	fx.draft->signals[SIGWINCH].target = x_strdup("a");
	fx.draft->signals[SIGUSR1].action = SIGNAL_FORWARD;
	fx.draft->signals[SIGUSR1].target = x_strdup("nobody");
	fx_start();
	sig(SIGTERM);
	ck_assert_int_eq(fx.state, DAEMON_RUNNING);
	sig(SIGWINCH);
	sig(SIGUSR1);
	ck_assert_str_eq(fx_signals(), "WINCH/main");
}
END_TEST

START_TEST(a_start_under_way_is_stopped_as_well)
{
	fx_add("a");
	fx.manual_exec = true;
	fx_start();
	sig(SIGTERM);
	ck_assert_str_eq(fx_state("a"), "stopping");
	fx_exec_ok_slot(0);
	fx_settle();
	ck_assert(!fx.finished);
	fx_die("a", SIGTERM);
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 0);
}
END_TEST

START_TEST(a_start_under_way_that_fails_is_stopped)
{
	fx_add("a");
	fx.manual_exec = true;
	fx_start();
	sig(SIGTERM);
	fx_exec_fail_slot(0, STAGE_EXEC, ENOENT);
	fx_settle();
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 0);
}
END_TEST

FX_MAIN("core: shutdown", term_stops_everything_and_ends_with_0,
	many_are_not_told_one_by_one_but_the_last_is, int_means_the_same,
	nothing_runs_means_finished_at_once,
	the_phases_come_at_their_deadlines_from_the_beginning,
	a_second_term_forces_at_once_and_kill_keeps_the_interval, a_third_term_kills,
	a_repeated_order_is_no_second_term, quit_kills_at_once_and_ends_with_3,
	a_stop_timeout_of_its_own_still_kills_earlier,
	a_long_stop_timeout_does_not_outlive_the_shutdown,
	what_survives_sigkill_is_left_behind_and_named, pending_restarts_are_given_up,
	a_crash_during_the_shutdown_restarts_nothing,
	the_rest_of_a_crashed_tree_holds_the_shutdown,
	orders_that_wait_are_answered_before_the_end, an_abandoned_stop_order_is_answered_too,
	the_shutdown_order_has_the_three_modes, signals_have_their_default_meaning,
	signals_can_be_mapped_anew, a_start_under_way_is_stopped_as_well,
	a_start_under_way_that_fails_is_stopped)
