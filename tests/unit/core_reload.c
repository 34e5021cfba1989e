/* A new configuration is published: who is touched, and who is not. */
#include "core_fixture.h"

static void cmd(struct subsystem_options *o, const char *command)
{
	free(o->command.items[0]);
	o->command.items[0] = x_strdup(command);
}

static json_t *summary;

static int apply(bool allow_empty)
{
	int r;

	json_decref(summary);
	r = core_apply(fx.core, fx_draft(), allow_empty, &summary);
	fx_settle();
	return r;
}

static const char *first(const char *key)
{
	const char *s = json_string_value(json_array_get(json_object_get(fx.event, key), 0));

	return s ? s : "";
}

static void teardown(void)
{
	json_decref(summary);
	summary = NULL;
	fx_teardown();
}

static void start_two(void)
{
	fx_add("a");
	fx_add("b");
	fx_start();
	fx_skip_events();
	fx_config();
}

START_TEST(the_same_content_does_nothing)
{
	start_two();
	fx_add("a");
	fx_add("b");
	ck_assert_int_eq(apply(false), -EALREADY);
	ck_assert_ptr_null(fx_next_event());
	ck_assert_uint_eq(config_current()->generation, 1);
}
END_TEST

START_TEST(an_added_one_is_started)
{
	start_two();
	fx_add("a");
	fx_add("new");
	fx_add("b");
	fx_add("lazy")->autostart = false;
	ck_assert_int_eq(apply(false), 0);
	fx_expect_type("config_reloaded");
	ck_assert_int_eq(fx_int("generation"), 2);
	ck_assert_str_eq(first("added"), "new");
	fx_expect_type("subsystem_added");
	ck_assert_str_eq(fx_str("name"), "new");
	fx_expect_type("subsystem_added");
	fx_expect("new", "starting", "reload");
	fx_expect("new", "running", "start");
	fx_expect_quiet();
	ck_assert_str_eq(fx_state("lazy"), "stopped");
	ck_assert_int_eq(fx_child("a")->spawns, 1);
	ck_assert_uint_eq(board_daemon(fx.board)->generation, 2);
	ck_assert_uint_eq(fx_board("a")->generation, 1);
	ck_assert_uint_eq(fx_board("new")->generation, 2);
}
END_TEST

START_TEST(a_removed_one_is_stopped_then_forgotten_and_its_slot_used_again)
{
	uint64_t id;

	start_two();
	id = fx_board("b")->id;
	fx_add("a");
	ck_assert_int_eq(apply(false), 0);
	fx_expect("b", "stopping", "reload");
	ck_assert_ptr_nonnull(fx_board("b"));
	fx_die("b", SIGTERM);
	fx_expect("b", "stopped", "reload");
	fx_expect_type("subsystem_removed");
	ck_assert_int_eq(fx_int("id"), (int64_t)id);
	ck_assert_ptr_null(fx_board("b"));
	fx_config();
	fx_add("a");
	fx_add("c");
	ck_assert_int_eq(apply(false), 0);
	ck_assert_uint_eq(fx_slot("c"), 1);
	ck_assert_uint_gt(fx_board("c")->id, id);
	ck_assert_int_eq(fx_child("a")->spawns, 1);
}
END_TEST

START_TEST(one_that_is_removed_while_it_waits_to_restart_just_goes)
{
	start_two();
	fx_exit("b", 1);
	fx_add("a");
	ck_assert_int_eq(apply(false), 0);
	ck_assert_ptr_null(fx_board("b"));
	fx_advance_ms(10000);
}
END_TEST

START_TEST(a_restart_key_restarts_that_one_only)
{
	start_two();
	fx_add("a");
	cmd(fx_add("b"), "/bin/false");
	ck_assert_int_eq(apply(false), 0);
	fx_expect_type("config_reloaded");
	ck_assert_str_eq(first("restarted"), "b");
	fx_expect("b", "stopping", "reload");
	fx_die("b", SIGTERM);
	fx_expect("b", "stopped", "reload");
	fx_expect("b", "starting", "reload");
	fx_expect("b", "running", "start");
	fx_expect_quiet();
	ck_assert_int_eq(fx_child("a")->spawns, 1);
	ck_assert_int_eq(fx_child("b")->spawns, 2);
	ck_assert_str_eq(plan_str(fx_child("b")->plan,
				  *(const uint32_t *)(const void *)
				   ((const char *)fx_child("b")->plan +
				    fx_child("b")->plan->argv)), "/bin/false");
	ck_assert_int_eq(fx_board("b")->restart_count, 0);
	ck_assert_uint_eq(fx_board("b")->generation, 2);
}
END_TEST

START_TEST(the_old_process_is_stopped_by_its_own_rules)
{
	struct subsystem_options *o;

	start_two();
	fx_add("a");
	o = fx_add("b");
	cmd(o, "/bin/false");
	policy_write(o)->stop_signal = SIGINT;
	ck_assert_int_eq(apply(false), 0);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_die("b", SIGTERM);
	fx_order(CORE_STOP, "b");
	ck_assert_str_eq(fx_signals(), "INT/tree+cont");
}
END_TEST

START_TEST(a_stopped_one_takes_a_restart_key_silently)
{
	struct fx_order *stop;

	start_two();
	stop = fx_order(CORE_STOP, "b");
	fx_die("b", SIGTERM);
	fx_answer(stop);
	fx_skip_events();
	fx_add("a");
	cmd(fx_add("b"), "/bin/false");
	ck_assert_int_eq(apply(false), 0);
	fx_expect_quiet();
	ck_assert_str_eq(fx_state("b"), "stopped");
}
END_TEST

START_TEST(a_pending_one_starts_at_once_with_the_new_options)
{
	start_two();
	fx_exit("b", 1);
	fx_add("a");
	cmd(fx_add("b"), "/bin/false");
	policy_write(fx.draft->subsystems[1])->restart_delay_ms = 9000;
	ck_assert_int_eq(apply(false), 0);
	ck_assert_str_eq(fx_state("b"), "running");
	ck_assert_uint_eq(fx_board("b")->generation, 2);
}
END_TEST

START_TEST(one_that_is_being_stopped_gets_it_at_its_next_start)
{
	struct fx_order *stop;

	start_two();
	stop = fx_order(CORE_STOP, "b");
	fx_add("a");
	cmd(fx_add("b"), "/bin/false");
	ck_assert_int_eq(apply(false), 0);
	fx_die("b", SIGTERM);
	fx_answer(stop);
	ck_assert_str_eq(fx_state("b"), "stopped");
	fx_answer(fx_order(CORE_START, "b"));
	ck_assert_uint_eq(fx_board("b")->generation, 2);
}
END_TEST

START_TEST(one_whose_start_is_under_way_is_started_again_with_it)
{
	fx_add("b");
	fx.manual_exec = true;
	fx_start();
	fx_config();
	cmd(fx_add("b"), "/bin/false");
	ck_assert_int_eq(apply(false), 0);
	fx_exec_ok_slot(0);
	fx_settle();
	fx_die("b", SIGTERM);
	fx_exec_ok_slot(0);
	fx_settle();
	ck_assert_str_eq(fx_state("b"), "running");
	ck_assert_uint_eq(fx_board("b")->generation, 2);
}
END_TEST

START_TEST(a_deferred_start_goes_on_with_the_new_options)
{
	fx_add("b");
	fx.manual_exec = true;
	fx_start();
	fx_exec_fail_slot(0, STAGE_SPAWN, EAGAIN);
	fx_settle();
	fx_config();
	cmd(fx_add("b"), "/bin/false");
	ck_assert_int_eq(apply(false), 0);
	fx_advance_ms(100);
	fx_exec_ok_slot(0);
	fx_settle();
	ck_assert_str_eq(fx_state("b"), "running");
	ck_assert_int_eq(fx_child("b")->spawns, 2);
	ck_assert_uint_eq(fx_board("b")->generation, 2);
}
END_TEST

START_TEST(live_keys_act_without_touching_the_child)
{
	struct subsystem_options *o;

	start_two();
	fx_add("a");
	o = fx_add("b");
	policy_write(o)->stop_signal = SIGINT;
	policy_write(o)->restart_delay_ms = 700;
	ck_assert_int_eq(apply(false), 0);
	fx_expect_type("config_reloaded");
	ck_assert_str_eq(first("updated"), "b");
	fx_expect_quiet();
	ck_assert_int_eq(fx_child("b")->spawns, 1);
	fx_exit("b", 1);
	fx_expect("b", "failed", "exit");
	ck_assert_int_eq(fx_int("next_restart_ms"), 700);
	fx_advance_ms(700);
	fx_order(CORE_STOP, "b");
	ck_assert_str_eq(fx_signals(), "INT/tree+cont");
}
END_TEST

START_TEST(an_explicit_stop_survives_reloads)
{
	struct fx_order *stop;

	start_two();
	stop = fx_order(CORE_STOP, "b");
	fx_die("b", SIGTERM);
	fx_answer(stop);
	for (int i = 0; i < 3; i++) {
		fx_add("a");
		policy_write(fx_add("b"))->restart_delay_ms = 500 + i;
		ck_assert_int_eq(apply(false), 0);
		fx_config();
	}
	ck_assert_str_eq(fx_state("b"), "stopped");
}
END_TEST

START_TEST(autostart_that_becomes_true_starts_and_false_stops_nothing)
{
	fx_add("a")->autostart = false;
	fx_add("b");
	fx_start();
	fx_config();
	fx_add("a");
	fx_add("b")->autostart = false;
	ck_assert_int_eq(apply(false), 0);
	ck_assert_str_eq(fx_state("a"), "running");
	ck_assert_str_eq(fx_state("b"), "running");
	ck_assert_int_eq(fx_child("b")->spawns, 1);
}
END_TEST

START_TEST(autostart_and_a_restart_key_in_one_reload_restart_what_an_operator_had_started)
{
	fx_add("a")->autostart = false;
	fx_start();
	ck_assert_str_eq(fx_answer(fx_order(CORE_START, "a")), "");
	fx_config();
	cmd(fx_add("a"), "/bin/other");
	ck_assert_int_eq(apply(false), 0);
	ck_assert_str_eq(fx_state("a"), "stopping");
	fx_die("a", SIGTERM);
	ck_assert_str_eq(fx_state("a"), "running");
}
END_TEST

START_TEST(an_emptying_reload_must_be_allowed)
{
	start_two();
	ck_assert_int_eq(apply(false), -ENOENT);
	ck_assert_str_eq(fx_state("a"), "running");
	ck_assert_uint_eq(config_current()->generation, 1);
	fx_config();
	ck_assert_int_eq(apply(true), 0);
	fx_die("a", SIGTERM);
	fx_die("b", SIGTERM);
	ck_assert_ptr_null(fx_board("a"));
	ck_assert_ptr_null(fx_board("b"));
}
END_TEST

START_TEST(a_reload_during_a_shutdown_is_refused)
{
	start_two();
	core_signal(fx.core, SIGTERM);
	fx_settle();
	fx_add("a");
	ck_assert_int_eq(apply(false), -ESHUTDOWN);
	ck_assert_int_eq(fx.state, DAEMON_STOPPING);
}
END_TEST

START_TEST(one_that_comes_back_while_it_is_stopped_is_started_again)
{
	start_two();
	fx_add("a");
	ck_assert_int_eq(apply(false), 0);
	fx_config();
	fx_add("a");
	fx_add("b");
	ck_assert_int_eq(apply(false), 0);
	fx_die("b", SIGTERM);
	ck_assert_str_eq(fx_state("b"), "running");
	ck_assert_int_eq(fx_child("b")->spawns, 2);
}
END_TEST

START_TEST(orders_for_a_removed_one_are_answered)
{
	struct fx_order *stop, *restart;

	start_two();
	restart = fx_order(CORE_RESTART, "b");
	stop = fx_order(CORE_STOP, "a");
	ck_assert_int_eq(apply(true), 0);
	ck_assert_str_eq(fx_answer(restart),
			 "b: not started: it was removed from the configuration");
	fx_die("a", SIGTERM);
	ck_assert_str_eq(fx_answer(stop), "");
	fx_die("b", SIGTERM);
}
END_TEST

START_TEST(several_switch_with_one_publish)
{
	start_two();
	cmd(fx_add("a"), "/bin/x");
	cmd(fx_add("b"), "/bin/y");
	ck_assert_int_eq(apply(false), 0);
	ck_assert_uint_eq(config_current()->generation, 2);
	fx_expect_type("config_reloaded");
	ck_assert_uint_eq(json_array_size(json_object_get(fx.event, "restarted")), 2);
	fx_expect("a", "stopping", "reload");
	fx_expect("b", "stopping", "reload");
}
END_TEST

START_TEST(a_rejected_load_is_told_and_changes_nothing)
{
	struct config_diag diag = CONFIG_DIAG_INIT;

	start_two();
	core_reject(fx.core, &diag);
	fx_expect_type("config_rejected");
	ck_assert(json_is_array(json_object_get(fx.event, "errors")));
	ck_assert_str_eq(fx_state("a"), "running");
}
END_TEST

START_TEST(live_keys_of_captured_output_reach_the_output_side)
{
	streams_write(fx_add("b"))->stdio[1].kind = STDIO_LOG;
	fx_start();
	ck_assert(fx.child[0].attached);
	fx.child[0].attached = false;
	fx_config();
	streams_write(fx_add("b"))->stdio[1].kind = STDIO_LOG;
	policy_write(fx.draft->subsystems[0])->log_max_files = 9;
	ck_assert_int_eq(apply(false), 0);
	ck_assert(fx.child[0].attached);
	fx_config();
	ck_assert_int_eq(apply(true), 0);
	fx_die("b", SIGTERM);
	ck_assert(!fx.child[0].attached);
}
END_TEST

/* The loader compares while something else may be on its way to be published. */
START_TEST(what_was_compared_with_another_configuration_is_compared_again)
{
	struct config *early;

	start_two();
	fx_add("a");
	fx_add("b");
	fx_add("c");
	early = fx_draft();
	config_compare(config_current(), early);
	ck_assert_uint_eq(early->change->diff.added.n, 1);
	fx_config();
	fx_add("a");
	fx_add("c");
	cmd(fx.draft->subsystems[0], "/bin/other");
	ck_assert_int_eq(apply(false), 0);
	json_decref(summary);
	ck_assert_int_eq(core_apply(fx.core, early, false, &summary), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(summary, "added")), 1);
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(summary, "added"), 0)), "b");
	ck_assert_uint_eq(json_array_size(json_object_get(summary, "restarted")), 1);
	ck_assert_uint_eq(config_current()->generation, 3);
	ck_assert_uint_eq(config_find(config_current(), "c")->generation, 2);
	ck_assert_uint_eq(config_find(config_current(), "b")->generation, 1);	/* the first that had it */
	ck_assert_ptr_null(config_current()->change);
}
END_TEST

START_TEST(the_instance_is_reloading_then_running_again)
{
	start_two();
	fx_add("a");
	ck_assert_int_eq(core_apply(fx.core, fx_draft(), false, NULL), 0);
	ck_assert_int_eq(fx.state, DAEMON_RELOADING);
	fx_settle();
	ck_assert_int_eq(fx.state, DAEMON_RUNNING);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		the_same_content_does_nothing, an_added_one_is_started,
		a_removed_one_is_stopped_then_forgotten_and_its_slot_used_again,
		one_that_is_removed_while_it_waits_to_restart_just_goes,
		a_restart_key_restarts_that_one_only, the_old_process_is_stopped_by_its_own_rules,
		a_stopped_one_takes_a_restart_key_silently,
		a_pending_one_starts_at_once_with_the_new_options,
		one_that_is_being_stopped_gets_it_at_its_next_start,
		one_whose_start_is_under_way_is_started_again_with_it,
		a_deferred_start_goes_on_with_the_new_options,
		live_keys_act_without_touching_the_child, an_explicit_stop_survives_reloads,
		autostart_that_becomes_true_starts_and_false_stops_nothing,
		an_emptying_reload_must_be_allowed,
		autostart_and_a_restart_key_in_one_reload_restart_what_an_operator_had_started,
		a_reload_during_a_shutdown_is_refused,
		one_that_comes_back_while_it_is_stopped_is_started_again,
		orders_for_a_removed_one_are_answered, several_switch_with_one_publish,
		a_rejected_load_is_told_and_changes_nothing,
		live_keys_of_captured_output_reach_the_output_side,
		the_instance_is_reloading_then_running_again,
		what_was_compared_with_another_configuration_is_compared_again,
	};

	return unit_run_in("core: reload", fx_setup, teardown, tests, ARRAY_LEN(tests));
}
