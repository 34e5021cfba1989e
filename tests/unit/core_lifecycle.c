/* The rules of one subsystem's life, sentence by sentence (interface sections 2, 3 and 5). */
#include "core_fixture.h"

START_TEST(an_autostart_subsystem_is_started_and_told)
{
	fx_add("web");
	fx_start();
	fx_expect_type("subsystem_added");
	fx_expect("web", "starting", "start");
	ck_assert_str_eq(fx_str("prev"), "stopped");
	ck_assert_int_eq(fx_int("pid"), -1);
	fx_expect("web", "running", "start");
	ck_assert_int_eq(fx_int("pid"), fx_child("web")->pid);
	fx_expect_quiet();
	ck_assert(fx_board("web")->ready);
}
END_TEST

START_TEST(autostart_false_stays_stopped)
{
	fx_add("web")->autostart = false;
	fx_start();
	ck_assert_str_eq(fx_state("web"), "stopped");
	ck_assert_int_eq(fx_child("web")->spawns, 0);
	ck_assert(!fx_board("web")->goal_up);
}
END_TEST

START_TEST(starting_lasts_until_min_uptime_has_passed)
{
	policy_write(fx_add("web"))->min_uptime_ms = 500;
	fx_start();
	ck_assert_str_eq(fx_state("web"), "starting");
	ck_assert_int_ne(fx_board("web")->pid, 0);
	fx_advance_ms(499);
	ck_assert_str_eq(fx_state("web"), "starting");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(death_before_min_uptime_is_a_failed_start)
{
	struct subsystem_options *o = fx_add("web");

	policy_write(o)->min_uptime_ms = 500;
	policy_write(o)->restart = RESTART_NEVER;
	fx_start();
	fx_advance_ms(499);
	fx_skip_events();
	fx_exit("web", 0);
	fx_expect("web", "failed", "exit");
	ck_assert_str_eq(fx_str("prev"), "starting");
	ck_assert_int_eq(fx_int("exit_code"), 0);
}
END_TEST

START_TEST(an_end_after_min_uptime_counts_even_when_told_before_the_timer)
{
	policy_write(fx_add("web"))->min_uptime_ms = 500;
	fx_start();
	fx_skip_events();
	fx.now += 600 * NS_PER_MS;
	fx_exit("web", 0);
	fx_expect("web", "running", "start");
	fx_expect("web", "stopped", "exit");
}
END_TEST

START_TEST(never_does_not_restart)
{
	policy_write(fx_add("web"))->restart = RESTART_NEVER;
	fx_start_web();
	fx_die("web", SIGKILL);
	fx_expect("web", "failed", "signal");
	ck_assert_str_eq(fx_str("signal"), "SIGKILL");
	ck_assert_int_eq(fx_int("exit_code"), -1);
	ck_assert_int_eq(fx_int("next_restart_ms"), -1);
	fx_advance_ms(100000);
	fx_expect_quiet();
}
END_TEST

START_TEST(on_failure_restarts_after_a_failure_only)
{
	fx_add("web");
	fx_start_web();
	fx_exit("web", 3);
	fx_expect("web", "failed", "exit");
	ck_assert_int_eq(fx_int("exit_code"), 3);
	fx_expect("web", "restarting", "exit");
	fx_advance_ms(100);
	fx_expect("web", "starting", "exit");
	fx_expect("web", "running", "start");
	fx_exit("web", 0);
	fx_expect("web", "stopped", "exit");
	fx_advance_ms(100000);
	fx_expect_quiet();
}
END_TEST

START_TEST(always_restarts_after_success_too)
{
	policy_write(fx_add("web"))->restart = RESTART_ALWAYS;
	fx_start_web();
	fx_exit("web", 0);
	fx_expect("web", "stopped", "exit");
	ck_assert_int_eq(fx_int("next_restart_ms"), 100);
	fx_expect("web", "restarting", "exit");
	ck_assert_int_eq(fx_int("next_restart_ms"), 100);
	fx_advance_ms(100);
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(leaving_and_restarting_carry_the_same_delay)
{
	fx_add("web");
	fx_start_web();
	for (int64_t n = 0, delay = 100; n < 4; n++, delay *= 2) {
		fx_exit("web", 1);
		fx_expect("web", "failed", "exit");
		ck_assert_int_eq(fx_int("next_restart_ms"), delay);
		ck_assert_int_eq(fx_int("restart_count"), n);
		fx_expect("web", "restarting", "exit");
		ck_assert_int_eq(fx_int("next_restart_ms"), delay);
		fx_advance_ms(delay - 1);
		ck_assert_str_eq(fx_state("web"), "restarting");
		fx_advance_ms(1);
		fx_expect("web", "starting", "exit");
		ck_assert_int_eq(fx_int("restart_count"), n + 1);
		fx_expect("web", "running", "start");
	}
	ck_assert_int_eq(fx_board("web")->attempt, 4);
}
END_TEST

START_TEST(two_attempts_mean_two_restarts_three_starts_then_gave_up)
{
	policy_write(fx_add("web"))->restart_max_attempts = 2;
	fx_start_web();
	for (int i = 0; i < 2; i++) {
		fx_exit("web", 1);
		fx_advance_ms(1000);
	}
	fx_skip_events();
	fx_exit("web", 1);
	fx_expect("web", "failed", "exit");
	ck_assert(fx_true("gave_up"));
	ck_assert_int_eq(fx_int("next_restart_ms"), -1);
	ck_assert_int_eq(fx_int("restart_count"), 2);
	ck_assert_int_eq(fx_child("web")->spawns, 3);
	ck_assert(fx_board("web")->gave_up);
	fx_advance_ms(1000000);
	ck_assert_int_eq(fx_child("web")->spawns, 3);
}
END_TEST

START_TEST(exhausted_by_successes_is_failed_too)
{
	struct subsystem_options *o = fx_add("web");

	policy_write(o)->restart = RESTART_EXPONENTIAL_BACKOFF;
	policy_write(o)->restart_max_attempts = 1;
	fx_start_web();
	fx_exit("web", 0);
	fx_advance_ms(100000);
	fx_skip_events();
	fx.now -= 0;
	fx_child("web");
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(fx_board("web")->attempt, 0);	/* 60 s stable */
	fx_exit("web", 0);
	fx_advance_ms(2000);
	fx_skip_events();
	fx_exit("web", 0);
	fx_expect("web", "failed", "exit");
	ck_assert(fx_true("gave_up"));
	ck_assert_int_eq(fx_int("exit_code"), 0);
}
END_TEST

START_TEST(a_stable_run_resets_the_count)
{
	fx_add("web");
	fx_start_web();
	fx_exit("web", 1);
	fx_advance_ms(100);
	ck_assert_int_eq(fx_board("web")->attempt, 1);
	fx_advance_ms(60000);
	ck_assert_int_eq(fx_board("web")->attempt, 0);
	ck_assert_int_eq(fx_board("web")->restart_count, 1);
	fx_skip_events();
	fx_exit("web", 1);
	fx_expect("web", "failed", "exit");
	ck_assert_int_eq(fx_int("next_restart_ms"), 100);
}
END_TEST

START_TEST(a_quiet_subsystem_needs_no_timer)
{
	fx_add("web");
	fx_start_web();
	fx_advance_ms(2000);	/* status text */
	ck_assert_int_eq(core_next_deadline(fx.core), INT64_MAX);
}
END_TEST

START_TEST(a_oneshot_that_succeeds_is_stopped)
{
	struct subsystem_options *o = fx_add("job");

	o->type = TYPE_ONESHOT;
	policy_write(o)->restart = RESTART_NEVER;
	policy_write(o)->min_uptime_ms = 1000;
	fx_start();
	fx_skip_events();
	fx_exit("job", 0);
	fx_expect("job", "running", "start");
	fx_expect("job", "stopped", "exit");
	fx_advance_ms(100000);
	fx_expect_quiet();
}
END_TEST

START_TEST(a_listed_exit_code_is_success)
{
	struct subsystem_options *o = fx_add("web");

	free(o->policy->success_exit_codes);
	policy_write(o)->success_exit_codes = x_calloc(2, sizeof(int));
	o->policy->success_exit_codes[1] = 143;
	policy_write(o)->nsuccess_exit_codes = 2;
	fx_start_web();
	fx_exit("web", 143);
	fx_expect("web", "stopped", "exit");
}
END_TEST

START_TEST(a_failing_exec_tells_stage_and_errno_and_follows_the_policy)
{
	fx_add("web");
	fx.manual_exec = true;
	fx_start();
	fx_skip_events();
	fx_exec_fail_slot(0, STAGE_EXEC, ENOENT);
	fx_settle();
	fx_expect("web", "failed", "start");
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(fx.event, "error"),
							    "stage")), "exec");
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(fx.event, "error"),
							    "errno")), "ENOENT");
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(fx.event, "error"),
							    "message")),
			 fx_board("web")->texts->last_error);
	ck_assert_int_eq(fx_int("next_restart_ms"), 100);
	fx_expect("web", "restarting", "start");
	fx_advance_ms(100);
	fx_expect("web", "starting", "start");
	ck_assert_int_eq(fx_child("web")->spawns, 2);
}
END_TEST

START_TEST(a_plan_that_does_not_fit_is_a_failed_start)
{
	policy_write(fx_add("web"))->restart = RESTART_NEVER;
	fx.spawn_error = -E2BIG;
	fx_start();
	fx_expect("web", "starting", "start");
	fx_expect("web", "failed", "start");
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(fx.event, "error"),
							    "errno")), "E2BIG");
}
END_TEST

START_TEST(stop_asks_the_tree_and_continues_it)
{
	struct fx_order *stop;

	fx_add("web");
	fx_start_web();
	stop = fx_order(CORE_STOP, "web");
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_expect("web", "stopping", "request");
	ck_assert(!stop->done);
	fx_die("web", SIGTERM);
	fx_expect("web", "stopped", "request");
	ck_assert_str_eq(fx_str("signal"), "SIGTERM");
	ck_assert(!fx_true("killed"));
	ck_assert_str_eq(fx_answer(stop), "");
	fx_advance_ms(100000);
	fx_expect_quiet();
}
END_TEST

START_TEST(kill_mode_process_asks_only_the_main_process)
{
	struct subsystem_options *o = fx_add("web");

	policy_write(o)->kill_mode = KILL_MODE_PROCESS;
	policy_write(o)->stop_signal = SIGINT;
	policy_write(o)->stop_timeout_ms = 1000;
	fx_start_web();
	ck_assert_uint_eq(fx_child("web")->plan->flags & PLAN_TREE, 0);
	fx_order(CORE_STOP, "web");
	fx_advance_ms(1000);
	ck_assert_str_eq(fx_signals(), "INT/main+cont KILL/main");
}
END_TEST

START_TEST(whom_a_stop_is_for_was_decided_at_the_start)
{
	struct subsystem_options *o = fx_add("web");

	policy_write(o)->kill_mode = KILL_MODE_GROUP;
	policy_write(o)->stop_timeout_ms = 1000;
	fx_start_web();
	policy_write(o)->kill_mode = KILL_MODE_PROCESS;
	fx_order(CORE_STOP, "web");
	fx_advance_ms(1000);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont KILL/tree");
}
END_TEST

START_TEST(stop_timeout_kills_the_tree_at_that_time)
{
	struct fx_order *stop;

	policy_write(fx_add("web"))->stop_timeout_ms = 700;
	fx_start_web();
	stop = fx_order(CORE_STOP, "web");
	fx_advance_ms(699);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	fx_die("web", SIGKILL);
	fx_expect("web", "stopping", "request");
	fx_expect("web", "stopped", "request");
	ck_assert(fx_true("killed"));
	ck_assert_uint_eq(json_array_size(stop->r.notes), 1);
	ck_assert_str_eq(json_string_value(json_array_get(stop->r.notes, 0)),
			 "web: needed SIGKILL");
	ck_assert_str_eq(fx_answer(stop), "");
}
END_TEST

START_TEST(without_stop_timeout_the_three_deadlines_apply_to_one_stop)
{
	fx_add("web");
	fx.draft->shutdown.force_signal = SIGINT;
	fx_start_web();
	fx_order(CORE_STOP, "web");
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_advance_ms(5000);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_advance_ms(5000);
	ck_assert_str_eq(fx_signals(), "INT/tree+cont");
	fx_advance_ms(4999);
	ck_assert_str_eq(fx_signals(), "");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
}
END_TEST

START_TEST(stopped_means_that_the_tree_is_empty)
{
	struct fx_order *stop;

	fx_add("web");
	fx_start_web();
	stop = fx_order(CORE_STOP, "web");
	fx_exit_leaving("web", W_EXITCODE(0, 0), 2);
	ck_assert_str_eq(fx_state("web"), "stopping");
	ck_assert(!stop->done);
	fx_gone("web");
	ck_assert_str_eq(fx_state("web"), "stopped");
	ck_assert_str_eq(fx_answer(stop), "");
}
END_TEST

START_TEST(the_rest_of_a_crashed_tree_is_ended_before_the_restart)
{
	fx_add("web");
	fx_start_web();
	fx_exit_leaving("web", SIGSEGV, 1);
	fx_expect("web", "failed", "signal");	/* not delayed */
	fx_expect("web", "restarting", "signal");
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_advance_ms(5000);
	ck_assert_str_eq(fx_state("web"), "restarting");
	ck_assert_int_eq(fx_child("web")->spawns, 1);
	fx_gone("web");
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(fx_child("web")->spawns, 2);
	fx_advance_ms(20000);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");	/* the step at 5 s, and no more */
}
END_TEST

START_TEST(a_stop_waits_for_the_rest_of_a_crashed_tree)
{
	struct fx_order *stop;

	fx_add("web");
	fx_start_web();
	fx_exit_leaving("web", SIGSEGV, 1);
	stop = fx_order(CORE_STOP, "web");
	ck_assert(!stop->done);
	fx_gone("web");
	ck_assert_str_eq(fx_state("web"), "stopped");
	ck_assert_str_eq(fx_answer(stop), "");
}
END_TEST

START_TEST(a_stop_that_a_start_overtakes_is_answered_when_the_tree_is_gone)
{
	struct fx_order *stop, *start;

	fx_add("web");
	fx_start_web();
	fx_exit_leaving("web", SIGSEGV, 1);
	stop = fx_order(CORE_STOP, "web");
	start = fx_order(CORE_START, "web");
	ck_assert(!stop->done && !start->done);
	fx_gone("web");
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_str_eq(fx_answer(stop), "");
	ck_assert_str_eq(fx_answer(start), "");
}
END_TEST

START_TEST(a_start_waits_for_the_rest_of_a_failed_tree)
{
	struct fx_order *start;

	policy_write(fx_add("web"))->restart = RESTART_NEVER;
	fx_start_web();
	fx_exit_leaving("web", SIGSEGV, 1);
	start = fx_order(CORE_START, "web");
	ck_assert_str_eq(fx_state("web"), "failed");
	ck_assert(!start->done);
	fx_gone("web");
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_str_eq(fx_answer(start), "");
}
END_TEST

START_TEST(gone_before_the_output_is_read_is_not_forgotten)
{
	streams_write(fx_add("web"))->stdio[1].kind = STDIO_LOG;
	fx.manual_drain = true;
	fx_start_web();
	fx_exit_leaving("web", SIGSEGV, 1);
	ck_assert_str_eq(fx_state("web"), "running");	/* the exit is told after the drain */
	fx_gone("web");
	ck_assert_str_eq(fx_state("web"), "running");
	core_drained(fx.core, 0, fx_child("web")->spawn_id, NULL);
	fx_settle();
	ck_assert_str_eq(fx_state("web"), "restarting");
	fx_advance_ms(100);
	ck_assert_int_eq(fx_child("web")->spawns, 2);
}
END_TEST

START_TEST(the_end_of_who_printed_nothing_waits_for_nobody)
{
	streams_write(fx_add("web"))->stdio[1].kind = STDIO_LOG;
	fx.manual_drain = fx.silent = true;
	fx_start_web();
	fx_exit("web", 1);
	ck_assert(!fx_child("web")->drain);
	ck_assert_str_eq(fx_state("web"), "restarting");
	fx.silent = false;
	fx_advance_ms(100);
	fx_exit("web", 1);
	ck_assert(fx_child("web")->drain);
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(an_end_whose_output_cannot_be_read_is_told_all_the_same)
{
	streams_write(fx_add("web"))->stdio[1].kind = STDIO_LOG;
	fx.manual_drain = true;
	fx_start_web();
	fx_exit("web", 1);
	fx_advance_ms(99);
	ck_assert_str_eq(fx_state("web"), "running");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_state("web"), "restarting");
	fx_skip_events();
	core_drained(fx.core, 0, fx_child("web")->spawn_id, NULL);	/* late */
	fx_settle();
	fx_expect_quiet();
	fx.manual_exec = true;
	fx_advance_ms(100);
	ck_assert_int_eq(fx_child("web")->spawns, 2);
	/* Started and ended in one turn: the wait for a stable run does not replace that one. */
	fx_exec_ok_slot(0);
	fx_end_slot(0, W_EXITCODE(1, 0), 0);
	fx_settle();
	ck_assert_str_eq(fx_state("web"), "running");
	fx_advance_ms(100);
	ck_assert_str_eq(fx_state("web"), "restarting");
}
END_TEST

START_TEST(repeated_and_foreign_facts_change_nothing)
{
	struct km_exited exited = { .slot = 0, .pid = 1, .wait_status = SIGKILL };
	struct km_started started = { .slot = 0, .pid = 1 };

	fx_add("web");
	fx_start_web();
	exited.spawn_id = started.spawn_id = fx_child("web")->spawn_id + 1;
	core_keeper_exited(fx.core, &exited);
	core_keeper_started(fx.core, &started);
	core_keeper_gone(fx.core, 0, exited.spawn_id);
	core_keeper_gone(fx.core, 63, 1);
	core_keeper_gone(fx.core, 6300, 1);
	started.spawn_id--;
	core_keeper_started(fx.core, &started);
	core_drained(fx.core, 0, started.spawn_id, NULL);
	core_keeper_gone(fx.core, 0, started.spawn_id);
	fx_settle();
	fx_expect_quiet();
	fx_exit("web", 1);
	exited.spawn_id--;
	core_keeper_exited(fx.core, &exited);
	fx_settle();
	fx_expect("web", "failed", "exit");
	fx_expect("web", "restarting", "exit");
	fx_expect_quiet();
}
END_TEST

START_TEST(a_manual_restart_counts_nowhere_and_resets_the_backoff)
{
	struct fx_order *restart;

	fx_add("web");
	fx_start_web();
	for (int i = 0; i < 3; i++) {
		fx_exit("web", 1);
		fx_advance_ms(1000);
	}
	fx_skip_events();
	restart = fx_order(CORE_RESTART, "web");
	fx_expect("web", "stopping", "request");
	ck_assert(!restart->done);
	fx_die("web", SIGTERM);
	fx_expect("web", "stopped", "request");
	fx_expect("web", "starting", "request");
	fx_expect("web", "running", "start");
	ck_assert_int_eq(fx_int("restart_count"), 3);
	ck_assert_int_eq(fx_board("web")->attempt, 0);
	ck_assert_str_eq(fx_answer(restart), "");
}
END_TEST

START_TEST(a_restart_ordered_while_a_restart_is_pending_comes_at_once)
{
	fx_add("web");
	fx_start_web();
	fx_exit("web", 1);
	fx_skip_events();
	ck_assert_str_eq(fx_answer(fx_order(CORE_RESTART, "web")), "");
	fx_expect("web", "starting", "request");
	fx_expect("web", "running", "start");
	ck_assert_int_eq(fx_int("restart_count"), 0);
	fx_advance_ms(100000);
	ck_assert_int_eq(fx_child("web")->spawns, 2);
}
END_TEST

START_TEST(stop_while_a_restart_is_pending_cancels_it)
{
	fx_add("web");
	fx_start_web();
	fx_exit("web", 1);
	fx_skip_events();
	ck_assert_str_eq(fx_answer(fx_order(CORE_STOP, "web")), "");
	fx_expect("web", "stopped", "request");
	fx_advance_ms(100000);
	ck_assert_str_eq(fx_state("web"), "stopped");
	ck_assert_int_eq(fx_child("web")->spawns, 1);
}
END_TEST

START_TEST(start_and_stop_of_what_is_so_already_are_done_at_once)
{
	fx_add("web");
	fx_start_web();
	ck_assert_str_eq(fx_answer(fx_order(CORE_START, "web")), "");
	fx_expect_quiet();
	fx_order(CORE_STOP, "web");
	fx_die("web", SIGTERM);
	fx_skip_events();
	ck_assert_str_eq(fx_answer(fx_order(CORE_STOP, "web")), "");
	fx_expect_quiet();
}
END_TEST

START_TEST(a_start_that_ends_failed_answers_with_the_reason)
{
	struct fx_order *start;

	fx_add("web")->autostart = false;
	fx.manual_exec = true;
	fx_start();
	start = fx_order(CORE_START, "web");
	fx_exec_fail_slot(0, STAGE_EXEC, EACCES);
	fx_settle();
	ck_assert_str_eq(fx_answer(start), "web: start failed: cannot execute \"/bin/true\": "
					   "Permission denied");
}
END_TEST

START_TEST(stop_then_start_are_both_done_one_after_the_other)
{
	struct fx_order *stop, *start;

	fx_add("web");
	fx_start_web();
	stop = fx_order_signo(CORE_STOP, "web", 0);
	start = fx_order_signo(CORE_START, "web", 0);
	fx_settle();
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	ck_assert(!stop->done && !start->done);
	fx_die("web", SIGTERM);
	ck_assert_str_eq(fx_answer(stop), "");
	ck_assert_str_eq(fx_answer(start), "");
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(fx_child("web")->spawns, 2);
}
END_TEST

START_TEST(start_then_stop_tells_the_starter_that_it_was_stopped)
{
	struct fx_order *stop, *start;

	fx_add("web")->autostart = false;
	fx.manual_exec = true;
	fx_start();
	start = fx_order_signo(CORE_START, "web", 0);
	stop = fx_order_signo(CORE_STOP, "web", 0);
	ck_assert_str_eq(fx_answer(start), "web: not started: another order stopped it");
	fx_exec_ok_slot(0);
	fx_settle();
	ck_assert_str_eq(fx_state("web"), "stopping");
	fx_die("web", SIGTERM);
	ck_assert_str_eq(fx_answer(stop), "");
}
END_TEST

START_TEST(unknown_names_are_refused_whole)
{
	struct fx_order *o;

	fx_add("web");
	fx_start_web();
	o = fx_order_new(CORE_STOP);
	strlist_add(&o->r.names, "web");
	strlist_add(&o->r.names, "wab");
	core_request(fx.core, &o->r);
	fx_settle();
	ck_assert_int_eq(o->r.error.code, ERROR_SUBSYSTEM_NOT_FOUND);
	ck_assert_str_eq(fx_answer(o), "unknown subsystem \"wab\"");
	fx_expect_quiet();
}
END_TEST

START_TEST(signal_goes_to_the_main_process_and_needs_one)
{
	policy_write(fx_add("web"))->restart = RESTART_NEVER;
	fx_start_web();
	ck_assert_str_eq(fx_answer(fx_order_signo(CORE_SIGNAL, "web", SIGUSR1)), "");
	ck_assert_str_eq(fx_answer(fx_order(CORE_RELOAD_SUBSYSTEM, "web")), "");
	ck_assert_str_eq(fx_signals(), "USR1/main HUP/main");
	fx_exit("web", 1);
	ck_assert_str_eq(fx_answer(fx_order_signo(CORE_SIGNAL, "web", SIGUSR1)),
			 "web: not sent SIGUSR1: it does not run");
}
END_TEST

START_TEST(reset_clears_gave_up_and_the_count)
{
	policy_write(fx_add("web"))->restart_max_attempts = 1;
	fx_start_web();
	fx_exit("web", 1);
	fx_advance_ms(100);
	fx_exit("web", 1);
	ck_assert(fx_board("web")->gave_up);
	ck_assert_str_eq(fx_answer(fx_order(CORE_RESET, NULL)), "");
	ck_assert(!fx_board("web")->gave_up);
	ck_assert_int_eq(fx_board("web")->attempt, 0);
	ck_assert_str_eq(fx_state("web"), "failed");
}
END_TEST

START_TEST(reset_ends_a_pending_backoff)
{
	policy_write(fx_add("web"))->restart_delay_ms = 20000;
	fx_start_web();
	fx_exit("web", 1);
	ck_assert_str_eq(fx_answer(fx_order(CORE_RESET, "web")), "");
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(a_start_after_giving_up_begins_anew)
{
	policy_write(fx_add("web"))->restart_max_attempts = 1;
	fx_start_web();
	fx_exit("web", 1);
	fx_advance_ms(100);
	fx_exit("web", 1);
	ck_assert_str_eq(fx_answer(fx_order(CORE_START, "web")), "");
	ck_assert(!fx_board("web")->gave_up);
	fx_skip_events();
	fx_exit("web", 1);
	fx_expect("web", "failed", "exit");
	ck_assert_int_eq(fx_int("next_restart_ms"), 100);
}
END_TEST

START_TEST(a_critical_one_that_gives_up_ends_procd_with_1)
{
	struct subsystem_options *o = fx_add("db");

	o->critical = true;
	policy_write(o)->restart_max_attempts = 1;
	fx_add("web");
	fx_start();
	fx_exit("db", 1);
	fx_advance_ms(100);
	ck_assert(!fx.finished);
	fx_exit("db", 1);
	fx_expect_type("shutdown_started");
	ck_assert_str_eq(fx_state("web"), "stopping");
	fx_die("web", SIGTERM);
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 1);
}
END_TEST

START_TEST(a_critical_one_without_restart_policy_ends_procd_at_its_failure)
{
	struct subsystem_options *o = fx_add("db");

	o->critical = true;
	policy_write(o)->restart = RESTART_NEVER;
	fx_start();
	fx_exit("db", 1);
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 1);
}
END_TEST

START_TEST(a_critical_one_that_is_stopped_is_no_failure)
{
	fx_add("db")->critical = true;
	fx_start();
	fx_order(CORE_STOP, "db");
	fx_exit("db", 1);
	ck_assert(!fx.finished);
}
END_TEST

START_TEST(readiness_comes_when_every_autostart_is_ready_or_failed)
{
	fx_add("web");
	policy_write(fx_add("bad"))->restart = RESTART_NEVER;
	fx.manual_exec = true;
	fx_start();
	ck_assert_int_eq(fx.state, DAEMON_STARTING);
	fx_exec_ok_slot(0);
	fx_settle();
	ck_assert_int_eq(fx.state, DAEMON_STARTING);
	fx_exec_fail_slot(1, STAGE_EXEC, ENOENT);
	fx_settle();
	ck_assert_int_eq(fx.state, DAEMON_RUNNING);
	ck_assert(fx.booted);
	ck_assert_str_eq(fx.status, "1 of 2 running, 1 failed");
	ck_assert_int_eq(board_daemon(fx.board)->state, DAEMON_RUNNING);
}
END_TEST

START_TEST(readiness_waits_as_long_as_the_longest_start_timeout)
{
	policy_write(fx_add("web"))->min_uptime_ms = 100000;
	policy_write(fx_add("db"))->start_timeout_ms = 45000;
	fx_start();
	fx_advance_ms(44999);
	ck_assert_int_eq(fx.state, DAEMON_STARTING);
	fx_advance_ms(1);
	ck_assert_int_eq(fx.state, DAEMON_RUNNING);
	ck_assert(fx.booted);
}
END_TEST

START_TEST(an_empty_configuration_is_ready_at_once)
{
	fx_start();
	ck_assert_int_eq(fx.state, DAEMON_RUNNING);
	ck_assert(fx.booted);
}
END_TEST

START_TEST(why_tells_state_goal_and_next_restart)
{
	json_t *why;
	char *text;

	fx_add("web");
	fx_start_web();
	fx_exit("web", 4);
	why = core_why(fx.board, fx_board("web"), fx.now);
	text = json_dumps(json_object_get(why, "why"), 0);
	ck_assert_ptr_nonnull(strstr(text, "restarting for 0s, because of: exit"));
	ck_assert_ptr_nonnull(strstr(text, "next restart (number 1 since the last reset) in "
					   "100ms"));
	ck_assert_ptr_nonnull(strstr(text, "last end: exited with code 4"));
	ck_assert_str_eq(json_string_value(json_object_get(why, "goal")), "up");
	ck_assert_ptr_null(core_why(fx.board, NULL, 0));
	free(text);
	json_decref(why);
}
END_TEST

START_TEST(the_exit_code_of_a_command_is_procds_own)
{
	struct subsystem_options *o = fx_add("run-1");

	policy_write(o)->restart = RESTART_NEVER;
	fx.main_name = "run-1";
	fx_start();
	fx_exit("run-1", 42);
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 42);
}
END_TEST

START_TEST(the_exit_code_of_a_stopped_command_is_its_own_too)
{
	policy_write(fx_add("run-1"))->restart = RESTART_NEVER;
	fx.main_name = "run-1";
	fx_start();
	core_signal(fx.core, SIGTERM);
	fx_settle();
	fx_die("run-1", SIGTERM);
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 128 + SIGTERM);
}
END_TEST

FX_MAIN("core: lifecycle",
	an_autostart_subsystem_is_started_and_told, autostart_false_stays_stopped,
	starting_lasts_until_min_uptime_has_passed, death_before_min_uptime_is_a_failed_start,
	an_end_after_min_uptime_counts_even_when_told_before_the_timer, never_does_not_restart,
	on_failure_restarts_after_a_failure_only, always_restarts_after_success_too,
	leaving_and_restarting_carry_the_same_delay,
	two_attempts_mean_two_restarts_three_starts_then_gave_up,
	exhausted_by_successes_is_failed_too, a_stable_run_resets_the_count,
	a_quiet_subsystem_needs_no_timer, a_oneshot_that_succeeds_is_stopped,
	a_listed_exit_code_is_success,
	a_failing_exec_tells_stage_and_errno_and_follows_the_policy,
	a_plan_that_does_not_fit_is_a_failed_start,
	stop_asks_the_tree_and_continues_it, kill_mode_process_asks_only_the_main_process,
	whom_a_stop_is_for_was_decided_at_the_start,
	stop_timeout_kills_the_tree_at_that_time,
	without_stop_timeout_the_three_deadlines_apply_to_one_stop,
	stopped_means_that_the_tree_is_empty,
	the_rest_of_a_crashed_tree_is_ended_before_the_restart,
	a_stop_waits_for_the_rest_of_a_crashed_tree,
	a_stop_that_a_start_overtakes_is_answered_when_the_tree_is_gone,
	a_start_waits_for_the_rest_of_a_failed_tree,
	gone_before_the_output_is_read_is_not_forgotten,
	the_end_of_who_printed_nothing_waits_for_nobody,
	an_end_whose_output_cannot_be_read_is_told_all_the_same,
	repeated_and_foreign_facts_change_nothing,
	a_manual_restart_counts_nowhere_and_resets_the_backoff,
	a_restart_ordered_while_a_restart_is_pending_comes_at_once,
	stop_while_a_restart_is_pending_cancels_it,
	start_and_stop_of_what_is_so_already_are_done_at_once,
	a_start_that_ends_failed_answers_with_the_reason,
	stop_then_start_are_both_done_one_after_the_other,
	start_then_stop_tells_the_starter_that_it_was_stopped,
	unknown_names_are_refused_whole, signal_goes_to_the_main_process_and_needs_one,
	reset_clears_gave_up_and_the_count, reset_ends_a_pending_backoff,
	a_start_after_giving_up_begins_anew, a_critical_one_that_gives_up_ends_procd_with_1,
	a_critical_one_without_restart_policy_ends_procd_at_its_failure,
	a_critical_one_that_is_stopped_is_no_failure,
	readiness_comes_when_every_autostart_is_ready_or_failed,
	readiness_waits_as_long_as_the_longest_start_timeout,
	an_empty_configuration_is_ready_at_once, why_tells_state_goal_and_next_restart,
	the_exit_code_of_a_command_is_procds_own,
	the_exit_code_of_a_stopped_command_is_its_own_too)
