/* Commands around the main process: before it, after it, to stop it, to make it read its
 * configuration again; and supervisors that die in the middle of each. */
#include "core_fixture.h"

#include "core/live.h"

static struct subsystem_options *opt;

static void command(struct strlist *list, const char *path)
{
	strlist_add(list, path);
}

/* web in the draft, with some of "basr": before it, after it, to stop it, to reload it. */
static struct subsystem_options *add_web(const char *which)
{
	struct subsystem_policy *policy;

	opt = fx_add("web");
	policy = policy_write(opt);
	policy->hook_timeout_ms = 30000;
	policy->restart_delay_ms = 100;
	policy->stop_timeout_ms = 5000;
	for (; *which != '\0'; which++)
		command(*which == 'b'	? &policy->pre_start
			: *which == 'a' ? &policy->post_stop
			: *which == 's' ? &policy->stop_command
					: &policy->reload_command, "/bin/hook");
	return opt;
}

static const char *doing(void)
{
	const struct board_record *r = fx_board("web");

	return r == NULL || r->texts->doing == NULL ? "" : r->texts->doing;
}

static const char *last_error(void)
{
	const struct board_record *r = fx_board("web");

	return r == NULL || r->texts->last_error == NULL ? "" : r->texts->last_error;
}

static bool runs(uint32_t slot, const char *name)
{
	return fx.child[slot].alive &&
	       strcmp(plan_str(fx.child[slot].plan, fx.child[slot].plan->name), name) == 0;
}

static void end_slot(uint32_t slot, int status)
{
	fx_end_slot(slot, status, 0);
	if (fx.core != NULL)
		fx_settle();
}

static int all_spawns(void)
{
	int n = 0;

	for (uint32_t i = 0; i < fx.nslots; i++)
		n += fx.child[i].spawns;
	return n;
}

/* Running, in slot 0; hooks come to slot 1. */
static void start_web(const char *which)
{
	bool pre = strchr(which, 'b') != NULL;

	add_web(which);
	fx_start();
	if (pre)
		end_slot(1, 0);
	ck_assert_str_eq(fx_state("web"), "running");
	fx_skip_events();
}

/* --- before ----------------------------------------------------------------------------------- */

START_TEST(pre_start_ends_before_the_main_process_begins)
{
	add_web("b");
	fx_start();
	ck_assert_str_eq(fx_state("web"), "starting");
	ck_assert_str_eq(doing(), "pre_start");
	ck_assert(runs(1, "web/pre"));
	ck_assert_int_eq(fx.child[0].spawns, 0);
	fx_advance_ms(29000);
	ck_assert_int_eq(fx.child[0].spawns, 0);
	end_slot(1, 0);
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_str_eq(doing(), "");
	ck_assert_int_eq(fx.child[1].spawns, 1);
	ck_assert(atomic_load(&fx.records.slots[1].state) == RECORD_FREE);
}
END_TEST

START_TEST(a_pre_start_that_fails_is_a_failed_start_with_that_reason)
{
	policy_write(add_web("b"))->restart = RESTART_ON_FAILURE;
	fx_start();
	fx_skip_events();
	end_slot(1, W_EXITCODE(3, 0));
	fx_expect("web", "failed", "hook");
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(fx.event, "error"),
							   "stage")), "pre_start");
	ck_assert_str_eq(last_error(), "pre_start exited with code 3");
	fx_expect("web", "restarting", "hook");
	ck_assert_int_eq(fx.child[0].spawns, 0);
	fx_advance_ms(100);
	ck_assert_str_eq(doing(), "pre_start");
	end_slot(1, 0);
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(the_last_words_of_a_pre_start_are_in_the_event)
{
	add_web("b");
	streams_write(opt)->stdio[1].kind = STDIO_LOG;
	streams_write(opt)->stdio[2].kind = STDIO_STDOUT;
	fx_start();
	fx_skip_events();
	end_slot(1, W_EXITCODE(3, 0));
	fx_expect_quiet();
	core_drained(fx.core, 0, fx.child[1].spawn_id, "bad line 7");
	fx_settle();
	fx_expect("web", "failed", "hook");
	ck_assert_str_eq(fx_str("stderr_tail"), "bad line 7");
	fx_advance_ms(100);
	end_slot(1, W_EXITCODE(3, 0));
	fx_expect("web", "restarting", "hook");
	fx_expect("web", "starting", "hook");
	fx_advance_ms(99);
	fx_expect_quiet();
	fx_advance_ms(1);		/* nobody reads: no longer than that */
	fx_expect("web", "failed", "hook");
	ck_assert_str_eq(fx_str("stderr_tail"), "");
}
END_TEST

START_TEST(a_pre_start_that_is_not_there_says_so)
{
	add_web("b");
	fx.manual_exec = true;
	fx_start();
	fx_skip_events();
	fx_exec_fail_slot(1, STAGE_EXEC, ENOENT);
	fx_settle();
	fx_expect("web", "failed", "hook");
	ck_assert_str_eq(last_error(),
			 "pre_start: cannot execute \"/bin/hook\": No such file or directory");
}
END_TEST

START_TEST(a_pre_start_that_hangs_is_killed_at_its_limit)
{
	add_web("b");
	fx_start();
	fx_skip_events();
	fx_advance_ms(30000);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	end_slot(1, SIGKILL);
	fx_expect("web", "failed", "hook");
	ck_assert_str_eq(last_error(), "pre_start did not end within 30s and was killed");
	ck_assert_int_eq(fx.child[0].spawns, 0);
}
END_TEST

START_TEST(a_shortage_defers_the_start_and_is_no_failure)
{
	add_web("b");
	fx.manual_exec = true;
	fx_start();
	fx_exec_fail_slot(1, STAGE_SPAWN, EAGAIN);
	fx_settle();
	ck_assert_str_eq(fx_state("web"), "starting");
	fx.manual_exec = false;
	fx_advance_ms(10000);
	ck_assert(runs(1, "web/pre"));
	end_slot(1, 0);
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(a_deferred_main_process_needs_no_second_pre_start)
{
	add_web("b");
	fx_start();
	fx.manual_exec = true;
	end_slot(1, 0);
	fx_exec_fail_slot(0, STAGE_SPAWN, EAGAIN);
	fx_settle();
	fx.manual_exec = false;
	fx_advance_ms(10000);
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(fx.child[1].spawns, 1);
}
END_TEST

START_TEST(a_stop_during_pre_start_asks_it_to_end_and_kills_it_at_the_deadline)
{
	struct fx_order *stop;

	add_web("ba");
	fx_start();
	fx_skip_events();
	stop = fx_order(CORE_STOP, "web");
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_expect("web", "stopping", "request");
	ck_assert_str_eq(doing(), "pre_start");
	ck_assert(!stop->done);
	fx_advance_ms(4999);
	ck_assert_str_eq(fx_signals(), "");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	end_slot(1, SIGKILL);
	fx_expect("web", "stopped", "request");
	ck_assert_str_eq(fx_answer(stop), "");
	fx_advance_ms(60000);
	fx_expect_quiet();
	ck_assert_int_eq(all_spawns(), 1);	/* nothing had begun that post_stop would follow */
}
END_TEST

START_TEST(a_start_that_is_stopped_before_it_has_a_process_tells_no_end_again)
{
	struct fx_order *stop;

	policy_write(add_web("b"))->restart = RESTART_ALWAYS;
	fx_start();
	end_slot(1, 0);
	fx_exit("web", 12);
	fx_advance_ms(100);
	ck_assert_str_eq(doing(), "pre_start");
	fx_skip_events();
	stop = fx_order(CORE_STOP, "web");
	end_slot(1, SIGTERM);
	ck_assert_str_eq(fx_answer(stop), "");
	fx_expect("web", "stopping", "request");
	fx_expect("web", "stopped", "request");
	ck_assert(json_is_null(json_object_get(fx.event, "pid")));
	ck_assert(json_is_null(json_object_get(fx.event, "exit_code")));
}
END_TEST

START_TEST(a_restart_during_pre_start_begins_anew_when_it_is_gone)
{
	add_web("b");
	fx_start();
	fx_order(CORE_RESTART, "web");
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	end_slot(1, SIGTERM);
	ck_assert_str_eq(fx_state("web"), "starting");
	ck_assert_int_eq(fx.child[1].spawns, 2);
	end_slot(1, 0);
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(many_pre_starts_do_not_use_up_the_starts_under_way)
{
	for (int i = 0; i < TURN_INFLIGHT_MAX + 10; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%d", i);
		command(&policy_write(fx_add(name))->pre_start, "/bin/hook");
	}
	fx_add("plain");
	fx_start();
	ck_assert_str_eq(fx_state("plain"), "running");
	ck_assert_uint_eq(fx.core->turns.inflight, 0);
}
END_TEST

/* --- after ------------------------------------------------------------------------------------ */

START_TEST(post_stop_follows_each_way_of_dying_once_and_is_told_how)
{
	start_web("a");
	policy_write(opt)->restart = RESTART_ALWAYS;
	fx_end_slot(0, W_EXITCODE(3, 0), 0);
	fx_settle();
	ck_assert(runs(1, "web/post"));
	ck_assert(fx_has_env(1, "PROCD_EXIT_CODE=3"));
	ck_assert(fx_has_env(1, "PROCD_EXIT_SIGNAL="));
	end_slot(1, 0);
	fx_advance_ms(100);
	ck_assert_str_eq(fx_state("web"), "running");
	fx_die("web", SIGSEGV);
	ck_assert_int_eq(fx.child[1].spawns, 2);
	ck_assert(fx_has_env(1, "PROCD_EXIT_CODE="));
	ck_assert(fx_has_env(1, "PROCD_EXIT_SIGNAL=SIGSEGV"));
	end_slot(1, 0);
	fx_advance_ms(100000);
	ck_assert_int_eq(fx.child[1].spawns, 2);
}
END_TEST

START_TEST(the_exit_is_told_at_once_and_the_next_start_waits_for_post_stop)
{
	start_web("a");
	fx_exit("web", 1);
	fx_expect("web", "failed", "exit");
	fx_expect("web", "restarting", "exit");
	ck_assert_str_eq(doing(), "post_stop");
	fx_advance_ms(1000);
	ck_assert_int_eq(fx.child[0].spawns, 1);
	end_slot(1, 0);
	fx_expect("web", "starting", "exit");
	ck_assert_int_eq(fx.child[0].spawns, 2);
}
END_TEST

START_TEST(stopped_is_told_after_post_stop)
{
	struct fx_order *stop;

	start_web("a");
	stop = fx_order(CORE_STOP, "web");
	fx_die("web", SIGTERM);
	ck_assert_str_eq(fx_state("web"), "stopping");
	ck_assert(fx_has_env(1, "PROCD_EXIT_SIGNAL=SIGTERM"));
	fx_advance_ms(20000);	/* its limit is its own, not the stop's */
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	ck_assert(!stop->done);
	end_slot(1, 0);
	ck_assert_str_eq(fx_state("web"), "stopped");
	ck_assert_str_eq(fx_answer(stop), "");
}
END_TEST

START_TEST(post_stop_waits_for_the_rest_of_the_tree)
{
	start_web("a");
	fx_exit_leaving("web", 0, 1);
	ck_assert_str_eq(doing(), "");
	fx_gone("web");
	ck_assert(runs(1, "web/post"));
	end_slot(1, 0);
	ck_assert(atomic_load(&fx.records.slots[0].state) == RECORD_FREE);
}
END_TEST

START_TEST(a_post_stop_that_fails_is_said_beside_the_end)
{
	start_web("a");
	policy_write(opt)->restart = RESTART_NEVER;
	fx_exit("web", 1);
	end_slot(1, W_EXITCODE(9, 0));
	ck_assert_str_eq(last_error(), "exited with code 1; post_stop exited with code 9");
	fx_order(CORE_START, "web");
	ck_assert_str_eq(last_error(), "exited with code 1");
}
END_TEST

START_TEST(a_shortage_delays_post_stop_and_does_not_lose_it)
{
	start_web("a");
	policy_write(opt)->restart = RESTART_NEVER;
	fx.manual_exec = true;
	fx_exit("web", 1);
	fx_exec_fail_slot(1, STAGE_SPAWN, EAGAIN);
	fx_settle();
	ck_assert_str_eq(last_error(), "exited with code 1");
	fx_advance_ms(99);
	ck_assert_int_eq(fx.child[1].spawns, 1);
	fx_advance_ms(1);
	ck_assert_int_eq(fx.child[1].spawns, 2);
	fx_exec_fail_slot(1, STAGE_SPAWN, EAGAIN);
	fx_settle();
	fx.manual_exec = false;
	fx_advance_ms(200);
	ck_assert(runs(1, "web/post"));
	end_slot(1, 0);
	fx_advance_ms(60000);
	ck_assert_int_eq(fx.child[1].spawns, 3);
	ck_assert(atomic_load(&fx.records.slots[0].state) == RECORD_FREE);
}
END_TEST

START_TEST(a_shortage_of_post_stop_does_not_outlast_the_kill_phase)
{
	start_web("a");
	core_signal(fx.core, SIGTERM);
	fx_settle();
	fx.spawn_error = -ENOMEM;
	fx_die("web", SIGTERM);
	fx_advance_ms(14900);
	ck_assert(!fx.finished);
	fx_advance_ms(100);
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 0);
}
END_TEST

START_TEST(a_shutdown_waits_for_post_stop_until_the_kill_phase)
{
	start_web("a");
	core_signal(fx.core, SIGTERM);
	fx_settle();
	fx_die("web", SIGTERM);
	fx_advance_ms(14000);
	ck_assert(!fx.finished);
	fx_signals();
	fx_advance_ms(1000);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	end_slot(1, SIGKILL);
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 3);
}
END_TEST

START_TEST(a_removed_one_disappears_after_post_stop)
{
	start_web("a");
	fx_config();
	fx_add("other");
	ck_assert_int_eq(core_apply(fx.core, fx_draft(), false, NULL), 0);
	fx_settle();
	fx_die("web", SIGTERM);
	ck_assert_str_eq(fx_state("web"), "stopping");
	end_slot(2, 0);			/* "other" has slot 1 */
	ck_assert_str_eq(fx_state("web"), "unknown");
}
END_TEST

/* --- to stop it ------------------------------------------------------------------------------- */

START_TEST(stop_command_comes_instead_of_the_signal)
{
	struct fx_order *stop;

	start_web("s");
	stop = fx_order(CORE_STOP, "web");
	ck_assert(runs(1, "web/stop"));
	ck_assert_str_eq(doing(), "stop_command");
	ck_assert_str_eq(fx_signals(), "");
	fx_exit("web", 0);
	ck_assert(!stop->done);
	end_slot(1, 0);
	ck_assert_str_eq(fx_state("web"), "stopped");
	ck_assert_str_eq(fx_signals(), "");
	ck_assert_str_eq(fx_answer(stop), "");
}
END_TEST

START_TEST(after_stop_command_the_program_has_the_time_until_the_deadline)
{
	start_web("s");
	fx_order(CORE_STOP, "web");
	fx_advance_ms(1000);
	end_slot(1, 0);
	fx_advance_ms(3999);
	ck_assert_str_eq(fx_signals(), "");
	fx_advance_ms(1);		/* the deadline counts from the beginning of the stop */
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	fx_die("web", SIGKILL);
	ck_assert_str_eq(fx_state("web"), "stopped");
	ck_assert_int_eq(all_spawns(), 2);
}
END_TEST

START_TEST(what_the_main_process_leaves_after_stop_command_gets_the_signal)
{
	start_web("s");
	fx_order(CORE_STOP, "web");
	end_slot(1, 0);
	fx_exit_leaving("web", 0, 1);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_gone("web");
	ck_assert_str_eq(fx_state("web"), "stopped");
}
END_TEST

START_TEST(what_the_main_process_leaves_during_stop_command_gets_it_afterwards)
{
	start_web("s");
	fx_order(CORE_STOP, "web");
	fx_exit_leaving("web", 0, 1);
	ck_assert_str_eq(fx_signals(), "");
	end_slot(1, 0);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_gone("web");
	ck_assert_str_eq(fx_state("web"), "stopped");
}
END_TEST

START_TEST(a_stop_command_that_exits_badly_is_followed_by_the_signal)
{
	start_web("s");
	fx_order(CORE_STOP, "web");
	end_slot(1, W_EXITCODE(1, 0));
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_die("web", SIGTERM);
	ck_assert_str_eq(fx_state("web"), "stopped");
}
END_TEST

START_TEST(a_stop_command_that_cannot_begin_is_followed_by_the_signal)
{
	start_web("s");
	fx.manual_exec = true;
	fx_order(CORE_STOP, "web");
	fx_exec_fail_slot(1, STAGE_EXEC, EACCES);
	fx_settle();
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_die("web", SIGTERM);
	ck_assert_str_eq(fx_state("web"), "stopped");
}
END_TEST

START_TEST(a_stop_command_that_hangs_ends_at_the_deadline_of_the_stop)
{
	start_web("s");
	fx_order(CORE_STOP, "web");
	fx_advance_ms(5000);
	ck_assert_str_eq(fx_signals(), "KILL/tree KILL/tree");
	end_slot(1, SIGKILL);
	fx_die("web", SIGKILL);
	ck_assert_str_eq(fx_state("web"), "stopped");
}
END_TEST

START_TEST(a_stop_command_that_hangs_after_the_end_of_the_program_is_killed_too)
{
	start_web("s");
	fx_order(CORE_STOP, "web");
	fx_exit("web", 0);
	ck_assert_str_eq(fx_state("web"), "stopping");
	fx_advance_ms(5000);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	end_slot(1, SIGKILL);
	ck_assert_str_eq(fx_state("web"), "stopped");
}
END_TEST

START_TEST(without_stop_timeout_the_signal_comes_at_the_first_deadline)
{
	start_web("s");
	policy_write(opt)->stop_timeout_ms = TIMEOUT_UNSET;
	fx_order(CORE_STOP, "web");
	fx_advance_ms(5000);
	ck_assert_str_eq(fx_signals(), "KILL/tree TERM/tree+cont");
	end_slot(1, SIGKILL);
	ck_assert_str_eq(fx_signals(), "");
	fx_die("web", SIGTERM);
	ck_assert_str_eq(fx_state("web"), "stopped");
}
END_TEST

START_TEST(who_ends_by_itself_needs_no_stop_command)
{
	start_web("s");
	fx_exit_leaving("web", 1, 1);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_gone("web");
	ck_assert_int_eq(fx.child[1].spawns, 0);
}
END_TEST

START_TEST(a_shutdown_uses_stop_command_and_then_post_stop)
{
	start_web("sa");
	core_signal(fx.core, SIGTERM);
	fx_settle();
	ck_assert(runs(1, "web/stop"));
	fx_exit("web", 0);
	end_slot(1, 0);
	ck_assert(runs(1, "web/post"));
	end_slot(1, 0);
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 0);
}
END_TEST

/* --- to make it read its configuration -------------------------------------------------------- */

START_TEST(reload_runs_its_command_and_answers_when_that_ended)
{
	struct fx_order *o;

	start_web("r");
	o = fx_order(CORE_RELOAD_SUBSYSTEM, "web");
	ck_assert(runs(1, "web/reload"));
	ck_assert_str_eq(doing(), "reload_command");
	ck_assert(!o->done);
	end_slot(1, 0);
	ck_assert_str_eq(fx_answer(o), "");
	ck_assert_str_eq(fx_signals(), "");
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(a_reload_that_fails_is_told_to_whoever_asked)
{
	struct fx_order *o;

	start_web("r");
	o = fx_order(CORE_RELOAD_SUBSYSTEM, "web");
	end_slot(1, W_EXITCODE(4, 0));
	ck_assert_str_eq(fx_answer(o), "web: not reloaded: reload_command exited with code 4");
	ck_assert_str_eq(fx_state("web"), "running");
	o = fx_order(CORE_RELOAD_SUBSYSTEM, "web");
	fx_advance_ms(30000);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	end_slot(1, SIGKILL);
	ck_assert_str_eq(fx_answer(o), "web: not reloaded: reload_command did not end within 30s "
				       "and was killed");
}
END_TEST

START_TEST(reloads_asked_for_meanwhile_are_one_more_run)
{
	struct fx_order *first, *second, *third;

	start_web("r");
	first = fx_order(CORE_RELOAD_SUBSYSTEM, "web");
	second = fx_order(CORE_RELOAD_SUBSYSTEM, "web");
	third = fx_order(CORE_RELOAD_SUBSYSTEM, "web");
	end_slot(1, 0);
	ck_assert_str_eq(fx_answer(first), "");
	ck_assert(!second->done && !third->done);
	ck_assert_int_eq(fx.child[1].spawns + fx.child[2].spawns, 2);
	end_slot(fx.child[1].alive ? 1 : 2, 0);
	ck_assert_str_eq(fx_answer(second), "");
	ck_assert_str_eq(fx_answer(third), "");
	ck_assert_int_eq(fx.child[1].spawns + fx.child[2].spawns, 2);
}
END_TEST

START_TEST(without_a_command_reload_is_a_signal_to_the_main_process)
{
	start_web("");
	policy_write(opt)->reload_signal = SIGUSR1;
	ck_assert_str_eq(fx_answer(fx_order(CORE_RELOAD_SUBSYSTEM, "web")), "");
	ck_assert_str_eq(fx_signals(), "USR1/main");
}
END_TEST

START_TEST(what_does_not_run_or_is_being_stopped_is_not_reloaded)
{
	start_web("r");
	fx_order(CORE_STOP, "web");
	ck_assert_str_eq(fx_answer(fx_order(CORE_RELOAD_SUBSYSTEM, "web")),
			 "web: not reloaded: it is being stopped");
	fx_die("web", SIGTERM);
	ck_assert_str_eq(fx_answer(fx_order(CORE_RELOAD_SUBSYSTEM, "web")),
			 "web: not reloaded: it does not run");
	ck_assert_int_eq(fx.child[1].spawns, 0);
}
END_TEST

START_TEST(an_end_in_the_middle_of_a_reload_ends_that_too)
{
	struct fx_order *o;

	start_web("r");
	o = fx_order(CORE_RELOAD_SUBSYSTEM, "web");
	fx_exit("web", 1);
	ck_assert_str_eq(fx_answer(o), "web: not reloaded: it ended, or was told to, before it was "
				       "reloaded");
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	fx_advance_ms(1000);
	ck_assert_int_eq(fx.child[0].spawns, 1);	/* the next one waits until it is gone */
	end_slot(1, SIGKILL);
	ck_assert_int_eq(fx.child[0].spawns, 2);
}
END_TEST

/* --- supervisors that die --------------------------------------------------------------------- */

static void die(void)
{
	core_free(fx.core);
	fx.core = NULL;
	fx.welcome.recovering = 1;
}

static void come_back(void)
{
	fx_new_core(8);
}

static void keep_memory(void)
{
	fx.memory_fd = memfd_create("memory", MFD_CLOEXEC);
}

START_TEST(a_pre_start_goes_on_over_a_death)
{
	keep_memory();
	add_web("b");
	fx_start();
	die();
	come_back();
	ck_assert_str_eq(fx_signals(), "");
	ck_assert_str_eq(doing(), "pre_start");
	ck_assert_str_eq(fx_state("web"), "starting");
	end_slot(1, 0);
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(fx.child[1].spawns, 1);
	ck_assert_int_eq(fx.child[0].spawns, 1);
}
END_TEST

START_TEST(a_pre_start_keeps_its_limit_over_a_death)
{
	keep_memory();
	add_web("b");
	fx_start();
	fx_advance_ms(20000);
	die();
	come_back();
	fx_advance_ms(9999);
	ck_assert_str_eq(fx_signals(), "");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	end_slot(1, SIGKILL);
	ck_assert_str_eq(last_error(), "pre_start did not end within 30s and was killed");
}
END_TEST

START_TEST(a_pre_start_that_ended_meanwhile_counts_as_it_ended)
{
	keep_memory();
	policy_write(add_web("b"))->restart = RESTART_NEVER;
	fx_start();
	die();
	end_slot(1, W_EXITCODE(5, 0));
	come_back();
	ck_assert_str_eq(fx_state("web"), "failed");
	ck_assert_str_eq(last_error(), "pre_start exited with code 5");
	ck_assert_int_eq(all_spawns(), 1);
	die();
	come_back();
	ck_assert_str_eq(last_error(), "pre_start exited with code 5");
	ck_assert_int_eq(all_spawns(), 1);
}
END_TEST

START_TEST(a_stop_during_pre_start_goes_on_over_a_death)
{
	keep_memory();
	add_web("b");
	fx_start();
	fx_order(CORE_STOP, "web")->done = true;
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_advance_ms(3000);
	die();
	come_back();
	ck_assert_str_eq(fx_state("web"), "stopping");
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_advance_ms(2000);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	end_slot(1, SIGKILL);
	ck_assert_str_eq(fx_state("web"), "stopped");
	ck_assert_int_eq(all_spawns(), 1);
}
END_TEST

/* Whoever was killed had begun the second one, and the keeper had not been asked yet to forget the
 * first. Slots 1 and 2, in either order. */
static void die_between_two_pre_starts(uint32_t first, uint32_t second)
{
	keep_memory();
	add_web("b");
	fx_start();
	die();
	fx.child[2] = fx.child[1];
	fx.child[2].plan = NULL;
	fx.records.slots[2] = fx.records.slots[1];
	fx.records.slots[2].slot = 2;
	fx.nslots = 3;
	atomic_store(&fx.records.header->nslots, fx.nslots);
	fx.records.slots[second].spawn_id = ++fx.child[second].spawn_id;
	end_slot(first, WAIT_STATUS_UNKNOWN);
	come_back();
	ck_assert_str_eq(doing(), "pre_start");
	ck_assert_str_eq(fx_signals(), "");
	ck_assert(atomic_load(&fx.records.slots[first].state) == RECORD_FREE);
	end_slot(second, 0);
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(fx.child[0].spawns, 1);
}

START_TEST(of_two_pre_starts_on_record_the_younger_goes_on)
{
	die_between_two_pre_starts(1, 2);
}
END_TEST

START_TEST(the_younger_pre_start_may_be_in_the_lower_slot)
{
	die_between_two_pre_starts(2, 1);
}
END_TEST

START_TEST(a_post_stop_runs_once_wherever_the_supervisor_dies)
{
	keep_memory();
	start_web("a");
	policy_write(opt)->restart = RESTART_NEVER;
	die();
	end_slot(0, W_EXITCODE(2, 0));		/* before anybody knew of the end */
	come_back();
	ck_assert_str_eq(fx_state("web"), "failed");
	ck_assert(runs(1, "web/post"));
	ck_assert(fx_has_env(1, "PROCD_EXIT_CODE=2"));
	die();					/* in the middle of it */
	come_back();
	ck_assert_str_eq(doing(), "post_stop");
	die();
	end_slot(1, W_EXITCODE(9, 0));		/* before anybody knew of its end */
	come_back();
	ck_assert_str_eq(last_error(), "exited with code 2; post_stop exited with code 9");
	ck_assert(atomic_load(&fx.records.slots[0].state) == RECORD_FREE);
	die();					/* after it */
	come_back();
	ck_assert_str_eq(last_error(), "exited with code 2; post_stop exited with code 9");
	ck_assert_str_eq(fx_signals(), "");
	ck_assert_int_eq(fx.child[1].spawns, 1);
	ck_assert_int_eq(fx.child[0].spawns, 1);
}
END_TEST

START_TEST(a_stop_command_goes_on_over_a_death)
{
	keep_memory();
	start_web("s");
	fx_order(CORE_STOP, "web")->done = true;
	fx_advance_ms(1000);
	die();
	come_back();
	ck_assert_str_eq(doing(), "stop_command");
	ck_assert_str_eq(fx_signals(), "");
	fx_exit("web", 0);
	end_slot(1, 0);
	ck_assert_str_eq(fx_state("web"), "stopped");
	ck_assert_int_eq(fx.child[1].spawns, 1);
	ck_assert_str_eq(fx_signals(), "");
}
END_TEST

START_TEST(a_stop_command_that_ended_is_not_repeated_by_a_successor)
{
	keep_memory();
	start_web("s");
	fx_order(CORE_STOP, "web")->done = true;
	end_slot(1, 0);
	die();
	come_back();
	ck_assert_int_eq(fx.child[1].spawns, 1);
	ck_assert_str_eq(fx_signals(), "");
	die();
	end_slot(0, 0);
	fx.child[0].rest = true;
	fx_set_record(0, RECORD_EXITED);
	come_back();
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_gone("web");
	ck_assert_str_eq(fx_state("web"), "stopped");
}
END_TEST

START_TEST(a_stop_command_whose_program_ended_meanwhile_keeps_its_deadline)
{
	keep_memory();
	start_web("s");
	fx_order(CORE_STOP, "web")->done = true;
	die();
	end_slot(0, 0);
	come_back();
	ck_assert_str_eq(fx_state("web"), "stopping");
	fx_advance_ms(5000);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	end_slot(1, SIGKILL);
	ck_assert_str_eq(fx_state("web"), "stopped");
	ck_assert_int_eq(fx.child[1].spawns, 1);
}
END_TEST

START_TEST(a_reload_goes_on_over_a_death_and_is_not_repeated)
{
	keep_memory();
	start_web("r");
	fx_order(CORE_RELOAD_SUBSYSTEM, "web")->done = true;
	die();
	come_back();
	ck_assert_str_eq(doing(), "reload_command");
	end_slot(1, 0);
	ck_assert_str_eq(doing(), "");
	ck_assert_int_eq(fx.child[1].spawns, 1);
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

FX_MAIN("core/hooks",
	pre_start_ends_before_the_main_process_begins,
	a_pre_start_that_fails_is_a_failed_start_with_that_reason,
	the_last_words_of_a_pre_start_are_in_the_event,
	a_pre_start_that_is_not_there_says_so,
	a_pre_start_that_hangs_is_killed_at_its_limit,
	a_shortage_defers_the_start_and_is_no_failure,
	a_deferred_main_process_needs_no_second_pre_start,
	a_stop_during_pre_start_asks_it_to_end_and_kills_it_at_the_deadline,
	a_start_that_is_stopped_before_it_has_a_process_tells_no_end_again,
	a_restart_during_pre_start_begins_anew_when_it_is_gone,
	many_pre_starts_do_not_use_up_the_starts_under_way,
	post_stop_follows_each_way_of_dying_once_and_is_told_how,
	the_exit_is_told_at_once_and_the_next_start_waits_for_post_stop,
	stopped_is_told_after_post_stop,
	post_stop_waits_for_the_rest_of_the_tree,
	a_post_stop_that_fails_is_said_beside_the_end,
	a_shortage_delays_post_stop_and_does_not_lose_it,
	a_shortage_of_post_stop_does_not_outlast_the_kill_phase,
	a_shutdown_waits_for_post_stop_until_the_kill_phase,
	a_removed_one_disappears_after_post_stop,
	stop_command_comes_instead_of_the_signal,
	after_stop_command_the_program_has_the_time_until_the_deadline,
	what_the_main_process_leaves_after_stop_command_gets_the_signal,
	what_the_main_process_leaves_during_stop_command_gets_it_afterwards,
	a_stop_command_that_exits_badly_is_followed_by_the_signal,
	a_stop_command_that_cannot_begin_is_followed_by_the_signal,
	a_stop_command_that_hangs_ends_at_the_deadline_of_the_stop,
	a_stop_command_that_hangs_after_the_end_of_the_program_is_killed_too,
	without_stop_timeout_the_signal_comes_at_the_first_deadline,
	who_ends_by_itself_needs_no_stop_command,
	a_shutdown_uses_stop_command_and_then_post_stop,
	reload_runs_its_command_and_answers_when_that_ended,
	a_reload_that_fails_is_told_to_whoever_asked,
	reloads_asked_for_meanwhile_are_one_more_run,
	without_a_command_reload_is_a_signal_to_the_main_process,
	what_does_not_run_or_is_being_stopped_is_not_reloaded,
	an_end_in_the_middle_of_a_reload_ends_that_too,
	a_pre_start_goes_on_over_a_death,
	a_pre_start_keeps_its_limit_over_a_death,
	a_pre_start_that_ended_meanwhile_counts_as_it_ended,
	a_stop_during_pre_start_goes_on_over_a_death,
	of_two_pre_starts_on_record_the_younger_goes_on,
	the_younger_pre_start_may_be_in_the_lower_slot,
	a_post_stop_runs_once_wherever_the_supervisor_dies,
	a_stop_command_goes_on_over_a_death,
	a_stop_command_that_ended_is_not_repeated_by_a_successor,
	a_stop_command_whose_program_ended_meanwhile_keeps_its_deadline,
	a_reload_goes_on_over_a_death_and_is_not_repeated)
