/* Readiness and the watchdog, sentence by sentence (interface sections 2, 3 and 5). */
#include "core_fixture.h"
#include "core/notify.h"

static void say(const char *name, const char *text)
{
	struct notify_message m;

	ck_assert(notify_parse(text, strlen(text), &m));
	core_notify(fx.core, fx_slot(name), &m);
	fx_settle();
}

static struct subsystem_options *add(const char *name, const char *probe)
{
	struct subsystem_options *o = fx_add(name);
	auto_free(strbuf_fini) struct strbuf why = STRBUF_INIT;

	probe_option_free(o->policy->ready);
	ck_assert_int_eq(probe_option_parse(probe, PROBES_ALL, &policy_write(o)->ready, &why), 0);
	policy_write(o)->restart = RESTART_NEVER;
	return o;
}

static void setup(void)
{
	fx_setup();
	fx.memory_fd = memfd_create("memory", 0);
}

/* The supervisor is killed, and MS later there is another one. */
static void replace(int64_t ms)
{
	core_free(fx.core);
	board_free(fx.board);
	fx.core = NULL;
	fx.now += ms * NS_PER_MS;
	fx.board = board_new(FX_SLOTS * 4);
	fx.welcome.recovering = 1;
	fx_new_core(9);
}

START_TEST(it_starts_until_it_says_that_it_is_ready)
{
	add("web", "notify");
	fx_start();
	fx_advance_ms(29999);
	ck_assert_str_eq(fx_state("web"), "starting");
	ck_assert(!fx_board("web")->ready);
	ck_assert_str_eq(fx_board("web")->texts->awaits, "READY=1");
	ck_assert_int_eq(fx_board("web")->ready_by_mono_ns, fx.now + NS_PER_MS);
	fx_skip_events();
	say("web", "READY=1");
	fx_expect("web", "running", "start");
	fx_expect_type("ready_changed");
	ck_assert(fx_true("ready"));
	ck_assert_str_eq(fx_board("web")->texts->awaits, "");
	ck_assert_int_eq(fx_board("web")->ready_by_mono_ns, 0);
	fx_advance_ms(100000);
	fx_expect_quiet();
}
END_TEST

START_TEST(ready_before_its_exec_is_known_counts)
{
	add("web", "notify");
	fx.manual_exec = true;
	fx_start();
	say("web", "READY=1\nSTATUS=quick");
	ck_assert_str_eq(fx_state("web"), "starting");
	fx_exec_ok_slot(0);
	fx_settle();
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_str_eq(fx_board("web")->texts->status, "quick");
}
END_TEST

START_TEST(not_ready_in_time_is_ended_and_failed)
{
	policy_write(add("web", "notify"))->start_timeout_ms = 700;
	fx_start();
	fx_skip_events();
	fx_advance_ms(699);
	ck_assert_str_eq(fx_signals(), "");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	ck_assert_str_eq(fx_state("web"), "starting");
	say("web", "READY=1");			/* too late */
	ck_assert_str_eq(fx_state("web"), "starting");
	fx_die("web", SIGTERM);
	fx_expect("web", "failed", "start_timeout");
	ck_assert_str_eq(fx_str("prev"), "starting");
	ck_assert_str_eq(fx_board("web")->texts->last_error,
			 "was not ready in time (start_timeout, waited for READY=1); ended by SIGTERM");
	fx_expect_quiet();
}
END_TEST

START_TEST(whoever_ignores_that_is_killed_as_in_any_stop)
{
	struct subsystem_options *o = add("web", "notify");

	policy_write(o)->start_timeout_ms = 700;
	policy_write(o)->stop_timeout_ms = 2000;
	fx_start();
	fx_advance_ms(700);
	(void)fx_signals();
	fx_advance_ms(1999);
	ck_assert_str_eq(fx_signals(), "");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	fx_skip_events();
	fx_die("web", SIGKILL);
	fx_expect("web", "failed", "start_timeout");
	ck_assert(fx_true("killed"));
}
END_TEST

START_TEST(a_stop_of_one_that_expired_is_a_stop)
{
	policy_write(add("web", "notify"))->start_timeout_ms = 700;
	fx_start();
	fx_advance_ms(700);
	fx_skip_events();
	fx_order(CORE_STOP, "web");
	fx_expect("web", "stopping", "request");
	fx_die("web", SIGTERM);
	fx_expect("web", "stopped", "request");
}
END_TEST

START_TEST(a_start_that_expired_is_tried_again_by_the_policy)
{
	struct subsystem_options *o = add("web", "notify");

	policy_write(o)->start_timeout_ms = 700;
	policy_write(o)->restart = RESTART_ON_FAILURE;
	fx_start();
	fx_advance_ms(700);
	fx_die("web", SIGTERM);
	ck_assert_str_eq(fx_state("web"), "restarting");
	fx_advance_ms(100);
	ck_assert_int_eq(fx_child("web")->spawns, 2);
	ck_assert_str_eq(fx_state("web"), "starting");
	say("web", "READY=1");
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(a_good_exit_after_the_deadline_is_no_success)
{
	policy_write(add("web", "notify"))->start_timeout_ms = 700;
	fx_start();
	fx_advance_ms(700);
	fx_skip_events();
	fx_exit("web", 0);
	fx_expect("web", "failed", "start_timeout");
}
END_TEST

START_TEST(extend_timeout_gives_more_time_never_less)
{
	policy_write(add("web", "notify"))->start_timeout_ms = 1000;
	fx_start();
	say("web", "EXTEND_TIMEOUT_USEC=1000");
	fx_advance_ms(900);
	say("web", "EXTEND_TIMEOUT_USEC=500000");
	fx_advance_ms(499);
	ck_assert_str_eq(fx_signals(), "");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
}
END_TEST

START_TEST(min_uptime_and_ready_must_both_be)
{
	policy_write(add("web", "notify"))->min_uptime_ms = 500;
	fx_start();
	say("web", "READY=1");
	ck_assert_str_eq(fx_board("web")->texts->awaits, "min_uptime to pass");
	fx_advance_ms(499);
	ck_assert_str_eq(fx_state("web"), "starting");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(with_another_probe_ready_says_nothing)
{
	struct subsystem_options *o = add("web", "exec");

	policy_write(o)->watchdog_ms = 1000;
	policy_write(o)->min_uptime_ms = 500;
	fx_start();
	say("web", "READY=1");
	fx_advance_ms(499);
	ck_assert_str_eq(fx_state("web"), "starting");
}
END_TEST

START_TEST(silence_is_ended_by_abort_and_failed)
{
	policy_write(add("web", "exec"))->watchdog_ms = 1000;
	fx_start_web();
	for (int i = 0; i < 5; i++) {
		fx_advance_ms(900);
		say("web", "WATCHDOG=1");
	}
	fx_advance_ms(999);
	ck_assert_str_eq(fx_signals(), "");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_signals(), "ABRT/tree+cont");
	fx_expect_type("ready_changed");
	ck_assert(!fx_true("ready"));
	ck_assert_str_eq(fx_str("reason"), "watchdog");
	fx_die("web", SIGABRT);
	fx_expect("web", "failed", "watchdog");
	ck_assert_str_eq(fx_str("prev"), "running");
}
END_TEST

START_TEST(one_that_says_that_it_is_ill_is_ended_at_once)
{
	policy_write(add("web", "notify"))->watchdog_ms = 1000;
	fx_start();
	say("web", "READY=1\nWATCHDOG=trigger");
	ck_assert_str_eq(fx_signals(), "ABRT/tree+cont");
	fx_die("web", SIGABRT);
	ck_assert_str_eq(fx_state("web"), "failed");
}
END_TEST

START_TEST(it_may_change_its_watchdog_and_end_it)
{
	policy_write(add("web", "exec"))->watchdog_ms = 1000;
	fx_start_web();
	say("web", "WATCHDOG_USEC=5000000");
	fx_advance_ms(4999);
	ck_assert_str_eq(fx_signals(), "");
	say("web", "WATCHDOG_USEC=infinity");
	fx_advance_ms(1000000);
	ck_assert_str_eq(fx_signals(), "");
	ck_assert_int_eq(core_next_deadline(fx.core), INT64_MAX);
}
END_TEST

START_TEST(who_is_stopping_is_not_watched)
{
	policy_write(add("web", "exec"))->watchdog_ms = 1000;
	fx_start_web();
	say("web", "STOPPING=1");
	ck_assert_str_eq(fx_board("web")->texts->status, "stopping");
	fx_advance_ms(100000);
	ck_assert_str_eq(fx_signals(), "");
	fx_exit("web", 0);
	ck_assert_str_eq(fx_state("web"), "stopped");
}
END_TEST

/* Frozen for 3 s, thawed, and then nothing: a second. Frozen for 200 ms: as long. */
START_TEST(who_stood_still_with_procd_has_a_moment)
{
	policy_write(add("web", "notify"))->watchdog_ms = 1000;
	fx_start();
	say("web", "READY=1");
	fx.now += 1200 * NS_PER_MS;
	core_settle(fx.core);
	fx_advance_ms(199);
	ck_assert_str_eq(fx_signals(), "");
	say("web", "WATCHDOG=1");
	fx_advance_ms(1);
	fx.now += 4000 * NS_PER_MS;
	core_settle(fx.core);
	fx_advance_ms(999);
	ck_assert_str_eq(fx_signals(), "");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_signals(), "ABRT/tree+cont");
}
END_TEST

START_TEST(a_late_timer_leaves_another_turn_to_read)
{
	policy_write(add("web", "notify"))->start_timeout_ms = 1000;
	fx_start();
	fx.now += 5000 * NS_PER_MS;		/* procd stood still */
	core_settle(fx.core);
	ck_assert_str_eq(fx_signals(), "");
	say("web", "READY=1");
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(the_next_supervisor_keeps_the_deadline)
{
	policy_write(add("web", "notify"))->start_timeout_ms = 1000;
	fx_start();
	say("web", "STATUS=x");
	replace(400);
	ck_assert_str_eq(fx_state("web"), "starting");
	fx_advance_ms(599);
	ck_assert_str_eq(fx_signals(), "");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	replace(100);
	fx_skip_events();
	fx_die("web", SIGTERM);
	fx_expect("web", "failed", "start_timeout");
}
END_TEST

START_TEST(the_next_supervisor_hears_what_was_said_when_time_was_up)
{
	policy_write(add("web", "notify"))->start_timeout_ms = 1000;
	fx_start();
	core_free(fx.core);
	board_free(fx.board);
	fx.core = NULL;
	fx.now += 3000 * NS_PER_MS;
	fx.board = board_new(FX_SLOTS * 4);
	fx.welcome.recovering = 1;
	fx_new_core(9);
	/* fx_settle() stands still in time */
	ck_assert_str_eq(fx_signals(), "");
	say("web", "READY=1");
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(the_next_supervisor_knows_that_it_was_ready)
{
	struct subsystem_options *o = add("web", "notify");

	policy_write(o)->min_uptime_ms = 1000;
	policy_write(o)->watchdog_ms = 2000;
	fx_start();
	say("web", "READY=1\nWATCHDOG_USEC=3000000");
	replace(1200);
	fx_advance_ms(0);
	ck_assert_str_eq(fx_state("web"), "running");
	replace(100);
	fx_skip_events();
	fx_advance_ms(2999);
	ck_assert_str_eq(fx_signals(), "");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_signals(), "ABRT/tree+cont");
	fx_die("web", SIGABRT);
	fx_expect("web", "failed", "watchdog");
}
END_TEST

START_TEST(a_new_start_knows_nothing_of_the_last)
{
	add("web", "notify");
	fx_start();
	say("web", "READY=1\nSTATUS=old\nERRNO=5");
	fx_die("web", SIGKILL);
	say("web", "READY=1");			/* nobody is there */
	fx_order(CORE_START, "web");
	ck_assert_str_eq(fx_state("web"), "starting");
	ck_assert_str_eq(fx_board("web")->texts->status, "");
}
END_TEST

START_TEST(procd_is_ready_when_the_slowest_had_its_time)
{
	struct subsystem_options *o = add("web", "notify");

	policy_write(o)->start_timeout_ms = 0;
	fx_start();
	fx_advance_ms(1000000);
	ck_assert(!fx.booted);
	say("web", "READY=1");
	fx_advance_ms(1000);
	ck_assert(fx.booted);
}
END_TEST

START_TEST(one_that_listens_is_asked_again_and_again_with_longer_pauses)
{
	add("web", "tcp:127.0.0.1:80");
	fx_start();
	for (int i = 1; i < 20; i++) {
		ck_assert_int_eq(fx_child("web")->probes, i);
		fx_probed("web", PROBE_FAILED, "connection refused");
		fx_advance_ms(i == 1 ? 20 : i == 2 ? 40 : 1000);
	}
	ck_assert_str_eq(fx_board("web")->texts->awaits, "tcp:127.0.0.1:80 (connection refused)");
	fx_probed("web", PROBE_PASSED, "connected");
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(core_next_deadline(fx.core), INT64_MAX);
}
END_TEST

START_TEST(no_question_outlives_the_start)
{
	policy_write(add("web", "unix:/run/x"))->start_timeout_ms = 3000;
	fx_start();
	ck_assert_int_eq(fx_child("web")->probe_timeout_ns, 3000 * NS_PER_MS);
	fx_advance_ms(3000);
	ck_assert_int_eq(fx_child("web")->probe_id, 0);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_die("web", SIGTERM);
	ck_assert_str_eq(fx_state("web"), "failed");
	fx_order(CORE_START, "web");
	ck_assert_int_eq(fx_child("web")->probes, 2);
	fx_order(CORE_STOP, "web");
	ck_assert_int_eq(fx_child("web")->probe_id, 0);
	fx_die("web", SIGTERM);
}
END_TEST

START_TEST(what_could_not_be_asked_is_asked_later)
{
	add("web", "http://localhost:80/");
	fx_start();
	fx_probed("web", PROBE_NOT_MADE, "no descriptors");
	fx_advance_ms(20);
	fx_probed("web", PROBE_PASSED, "200");
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(an_end_ends_the_questions)
{
	add("web", "tcp:127.0.0.1:80");
	fx_start();
	fx_die("web", SIGKILL);
	ck_assert_int_eq(fx_child("web")->probe_id, 0);
	ck_assert_str_eq(fx_state("web"), "failed");
	ck_assert_int_eq(core_next_deadline(fx.core), INT64_MAX);
}
END_TEST

START_TEST(the_next_supervisor_asks_on)
{
	add("web", "tcp:127.0.0.1:80");
	fx_start();
	core_free(fx.core);
	board_free(fx.board);
	fx.core = NULL;
	fx.board = board_new(FX_SLOTS * 4);
	fx.welcome.recovering = 1;
	fx_new_core(9);
	fx_probed("web", PROBE_PASSED, "connected");
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(a_line_of_its_output_says_that_it_is_ready)
{
	struct subsystem_options *o = add("web", "log:^up$");

	streams_write(o)->stdio[1].kind = STDIO_LOG;
	fx_start();
	ck_assert_uint_eq(fx_child("web")->watched, fx_child("web")->spawn_id);
	ck_assert_str_eq(fx_state("web"), "starting");
	core_line_matched(fx.core, 0, fx_child("web")->spawn_id - 1);	/* of one before */
	core_line_matched(fx.core, 77, 1);
	fx_settle();
	ck_assert_str_eq(fx_state("web"), "starting");
	fx_child("web")->watched = 0;
	replace(100);
	ck_assert_uint_eq(fx_child("web")->watched, fx_child("web")->spawn_id);
	core_line_matched(fx.core, 0, fx_child("web")->spawn_id);
	fx_settle();
	ck_assert_str_eq(fx_state("web"), "running");
	fx_child("web")->watched = 0;
	replace(100);
	ck_assert_uint_eq(fx_child("web")->watched, 0);
}
END_TEST

START_TEST(a_line_that_is_read_after_the_end_counts)
{
	streams_write(add("web", "log:^up$"))->stdio[1].kind = STDIO_LOG;
	fx_start();
	fx_skip_events();
	fx.manual_drain = true;
	fx_exit("web", 0);
	core_line_matched(fx.core, 0, fx_child("web")->spawn_id);
	fx.manual_drain = false;
	fx_settle();
	fx_expect("web", "running", "start");
	fx_expect("web", "stopped", "exit");
}
END_TEST

/* --- MAINPID ------------------------------------------------------------------------------------ */

static void start_in_background(int *pid)
{
	add("web", "notify");
	fx.manual_follow = true;
	fx_start();
	*pid = fx_child("web")->pid;
	say("web", "READY=1\nMAINPID=4711");
	ck_assert_int_eq(fx_child("web")->follow, 4711);
	ck_assert_int_eq(fx_board("web")->pid, *pid);
}

START_TEST(the_process_that_it_names_is_the_main_one_once_the_keeper_agrees)
{
	int pid;

	start_in_background(&pid);
	fx_answer_follow(fx_slot("web"), true);
	fx_settle();
	ck_assert_int_eq(fx_board("web")->pid, 4711);
	fx_skip_events();
	fx_exit("web", 3);
	fx_expect("web", "failed", "exit");
	ck_assert_int_eq(fx_int("pid"), 4711);
	ck_assert_int_eq(fx_int("exit_code"), 3);
}
END_TEST

START_TEST(the_end_of_the_first_process_waits_for_the_answer)
{
	int pid;

	start_in_background(&pid);
	fx_skip_events();
	fx_exit_leaving("web", 0, 1);
	fx_expect_quiet();
	fx_answer_follow(fx_slot("web"), true);
	fx_settle();
	fx_expect_quiet();
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(fx_board("web")->pid, 4711);
	fx_die("web", SIGSEGV);
	fx_expect("web", "failed", "signal");
}
END_TEST

START_TEST(and_is_told_when_the_answer_is_no)
{
	int pid;

	start_in_background(&pid);
	fx_skip_events();
	fx_exit_leaving("web", 0, 1);
	fx_gone("web");
	fx_expect_quiet();
	fx_answer_follow(fx_slot("web"), false);
	fx_settle();
	fx_expect("web", "stopped", "exit");
	ck_assert_int_eq(fx_int("pid"), pid);
	ck_assert_int_eq(fx_int("exit_code"), 0);
}
END_TEST

START_TEST(a_word_that_is_read_while_its_output_is_drained_counts)
{
	streams_write(add("web", "notify"))->stdio[1].kind = STDIO_LOG;
	fx.manual_follow = fx.manual_drain = true;
	fx_start();
	say("web", "READY=1");
	fx_skip_events();
	fx_exit_leaving("web", 0, 1);
	say("web", "MAINPID=4711");
	fx_answer_follow(fx_slot("web"), true);
	core_drained(fx.core, fx_slot("web"), fx_child("web")->spawn_id, NULL);
	fx_advance_ms(100000);
	fx_expect_quiet();
	ck_assert_int_eq(fx_board("web")->pid, 4711);
}
END_TEST

START_TEST(named_before_its_exec_is_known_counts_and_the_last_one_wins)
{
	add("web", "notify");
	fx.manual_follow = fx.manual_exec = true;
	fx_start();
	say("web", "READY=1\nMAINPID=4711");
	ck_assert_int_eq(fx_child("web")->follow, 0);
	fx_exec_ok_slot(fx_slot("web"));
	fx_settle();
	ck_assert_int_eq(fx_child("web")->follow, 4711);
	say("web", "MAINPID=4712");
	fx_answer_follow(fx_slot("web"), true);
	ck_assert_int_eq(fx_child("web")->follow, 4712);
	fx_answer_follow(fx_slot("web"), false);
	fx_settle();
	ck_assert_int_eq(fx_board("web")->pid, 4711);
	say("web", "MAINPID=4711");
	ck_assert_int_eq(fx_child("web")->follow, 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		the_process_that_it_names_is_the_main_one_once_the_keeper_agrees,
		the_end_of_the_first_process_waits_for_the_answer,
		and_is_told_when_the_answer_is_no,
		a_word_that_is_read_while_its_output_is_drained_counts,
		named_before_its_exec_is_known_counts_and_the_last_one_wins,
		it_starts_until_it_says_that_it_is_ready, ready_before_its_exec_is_known_counts,
		not_ready_in_time_is_ended_and_failed, whoever_ignores_that_is_killed_as_in_any_stop,
		a_stop_of_one_that_expired_is_a_stop,
		a_start_that_expired_is_tried_again_by_the_policy,
		a_good_exit_after_the_deadline_is_no_success,
		extend_timeout_gives_more_time_never_less, min_uptime_and_ready_must_both_be,
		with_another_probe_ready_says_nothing, silence_is_ended_by_abort_and_failed,
		one_that_says_that_it_is_ill_is_ended_at_once,
		it_may_change_its_watchdog_and_end_it, who_is_stopping_is_not_watched,
		who_stood_still_with_procd_has_a_moment,
		a_late_timer_leaves_another_turn_to_read, the_next_supervisor_keeps_the_deadline,
		the_next_supervisor_hears_what_was_said_when_time_was_up,
		the_next_supervisor_knows_that_it_was_ready, a_new_start_knows_nothing_of_the_last,
		procd_is_ready_when_the_slowest_had_its_time,
		one_that_listens_is_asked_again_and_again_with_longer_pauses,
		no_question_outlives_the_start, what_could_not_be_asked_is_asked_later,
		an_end_ends_the_questions, the_next_supervisor_asks_on,
		a_line_of_its_output_says_that_it_is_ready,
		a_line_that_is_read_after_the_end_counts,
	};

	return unit_run_in("core: readiness", setup, fx_teardown, tests,
			   sizeof(tests) / sizeof(tests[0]));
}
