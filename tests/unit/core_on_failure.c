/* core/on_failure: what is started when something has failed for good. */
#include "core_fixture.h"

/* NAME, which is started by nothing but the failure of another. */
static struct subsystem_options *add_handler(const char *name)
{
	struct subsystem_options *o = fx_add(name);

	o->autostart = false;
	o->type = TYPE_ONESHOT;
	policy_write(o)->restart = RESTART_NEVER;
	return o;
}

/* NAME, whose end is its failure, with HANDLER. */
static struct subsystem_options *add_failing(const char *name, const char *handler)
{
	struct subsystem_options *o = fx_add(name);

	policy_write(o)->restart = RESTART_NEVER;
	strlist_add(&links_write(o)->on_failure, handler);
	return o;
}

static void expect_state(const char *name, const char *state)
{
	ck_assert_msg(strcmp(fx_state(name), state) == 0, "%s is %s, not %s", name, fx_state(name),
		      state);
}

/* The event of the last fx_expect() tells of whom. */
static void expect_cause(const char *cause)
{
	ck_assert_str_eq(fx_str("cause"), cause);
}

static bool why_has(const char *name, const char *words)
{
	json_t *j = core_why(fx.board, fx_board(name), fx.now);
	auto_free(freep) char *text = json_dumps(j, 0);

	json_decref(j);
	return strstr(text, words) != NULL;
}

START_TEST(a_final_failure_starts_the_handler_with_the_reason)
{
	add_failing("web", "alert");
	add_handler("alert");
	fx_start();
	expect_state("alert", "stopped");
	fx_skip_events();
	fx_exit("web", 1);
	fx_expect("web", "failed", "exit");
	fx_expect("alert", "starting", "on_failure");
	expect_cause("web");
	fx_expect("alert", "running", "start");
	expect_cause("");
	ck_assert(why_has("alert", "it was started because web had failed for good (on_failure)"));
	fx_exit("alert", 0);
	expect_state("alert", "stopped");
	/* and the next time again */
	fx_order(CORE_START, "web");
	fx_exit("web", 1);
	expect_state("alert", "running");
	ck_assert_int_eq(fx_child("alert")->spawns, 2);
}
END_TEST

START_TEST(a_failure_that_a_restart_follows_starts_nothing)
{
	struct subsystem_options *o = add_failing("web", "alert");

	policy_write(o)->restart = RESTART_ALWAYS;
	policy_write(o)->restart_delay_ms = 100;
	policy_write(o)->restart_max_attempts = 1;
	add_handler("alert");
	fx_start();
	fx_exit("web", 1);
	expect_state("alert", "stopped");
	fx_advance_ms(100);
	expect_state("web", "running");
	fx_exit("web", 1);
	ck_assert(fx_board("web")->gave_up);
	expect_state("alert", "running");
}
END_TEST

START_TEST(success_and_orders_start_nothing)
{
	add_failing("web", "alert");
	add_handler("alert");
	fx_start();
	fx_exit("web", 0);
	expect_state("web", "stopped");
	fx_order(CORE_START, "web");
	fx_order(CORE_STOP, "web");
	fx_die("web", SIGTERM);
	expect_state("web", "stopped");
	ck_assert_int_eq(fx_child("alert")->spawns, 0);
}
END_TEST

START_TEST(a_start_that_fails_for_good_counts)
{
	add_failing("web", "alert");
	add_handler("alert");
	fx.manual_exec = true;
	fx_start();
	fx_exec_fail_slot(fx_slot("web"), STAGE_EXEC, ENOENT);
	fx_settle();
	expect_state("web", "failed");
	expect_state("alert", "starting");
}
END_TEST

START_TEST(circles_end_where_they_began)
{
	add_failing("a", "b");
	add_failing("b", "c")->autostart = false;
	add_failing("c", "a")->autostart = false;
	fx_start();
	fx_exit("a", 1);
	fx_exit("b", 1);
	expect_state("c", "running");
	ck_assert_int_eq(fx_child("a")->spawns, 1);
	fx_exit("c", 1);
	expect_state("a", "failed");
	ck_assert_int_eq(fx_child("a")->spawns, 1);
	/* by hand it begins anew */
	fx_order(CORE_START, "c");
	fx_exit("c", 1);
	expect_state("a", "running");
	ck_assert_int_eq(fx_child("a")->spawns, 2);
}
END_TEST

START_TEST(an_operators_stop_is_stronger)
{
	add_failing("web", "alert");
	add_handler("alert");
	fx_start();
	fx_order(CORE_STOP, "alert");
	fx_exit("web", 1);
	expect_state("alert", "stopped");
	ck_assert_int_eq(fx_child("alert")->spawns, 0);
}
END_TEST

START_TEST(what_is_up_stays_as_it_is)
{
	add_failing("web", "standby");
	add_failing("api", "standby");
	fx_add("standby")->autostart = false;
	fx_start();
	fx_exit("web", 1);
	fx_exit("api", 1);
	expect_state("standby", "running");
	ck_assert_int_eq(fx_child("standby")->spawns, 1);
	ck_assert(why_has("standby", "because web had failed"));
}
END_TEST

START_TEST(a_shutdown_starts_nothing)
{
	add_failing("web", "alert");
	add_handler("alert");
	fx_start();
	core_signal(fx.core, SIGTERM);
	fx_settle();
	fx_exit("web", 1);
	ck_assert_int_eq(fx_child("alert")->spawns, 0);
}
END_TEST

FX_MAIN("core: on_failure", a_final_failure_starts_the_handler_with_the_reason,
	a_failure_that_a_restart_follows_starts_nothing, success_and_orders_start_nothing,
	a_start_that_fails_for_good_counts, circles_end_where_they_began,
	an_operators_stop_is_stronger, what_is_up_stays_as_it_is, a_shutdown_starts_nothing)
