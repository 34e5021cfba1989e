/* core/roll: restarts one after the other. */
#include "core_fixture.h"

static struct fx_order *roll(const char *name, bool no_wait)
{
	struct fx_order *o = fx_order_new(CORE_RESTART);

	o->r.rolling = true;
	o->r.no_wait = no_wait;
	strlist_add(&o->r.names, name);
	core_request(fx.core, &o->r);
	fx_settle();
	return o;
}

/* "web" depends on three workers; all run. */
static void start_farm(void)
{
	strlist_add(&links_write(fx_add("web"))->depends_on, "worker");
	fx_add_instances("worker", 3);
	fx_start();
	ck_assert_str_eq(fx_state("web"), "running");
	fx_skip_events();
	fx_config();
}

/* The one that is being stopped ends and comes back. */
static void step(const char *name)
{
	fx_expect(name, "stopping", "request");
	fx_expect_quiet();
	fx_die(name, SIGTERM);
	fx_expect(name, "stopped", "request");
	fx_expect(name, "starting", "request");
	fx_expect(name, "running", "start");
}

START_TEST(the_next_one_is_stopped_when_the_one_before_is_ready)
{
	struct fx_order *o;

	start_farm();
	o = roll("worker", false);
	step("worker@0");
	step("worker@1");
	ck_assert(!o->done);
	step("worker@2");
	fx_expect_quiet();
	ck_assert_uint_eq(o->r.affected.n, 3);
	ck_assert_str_eq(o->r.affected.items[2], "worker@2");
	ck_assert_str_eq(fx_answer(o), "");
	ck_assert_int_eq(fx_child("web")->spawns, 1);
}
END_TEST

START_TEST(one_that_is_not_ready_yet_holds_the_next_one_back)
{
	struct fx_order *o;

	for (uint32_t i = 0; i < 2; i++) {
		auto_free(freep) char *name = x_asprintf("w%u", i);

		policy_write(fx_add(name))->min_uptime_ms = 1000;
	}
	fx_start();
	fx_advance_ms(1000);
	fx_skip_events();
	o = roll("w*", false);
	fx_expect("w0", "stopping", "request");
	fx_die("w0", SIGTERM);
	fx_advance_ms(999);
	ck_assert_str_eq(fx_state("w0"), "starting");
	ck_assert_str_eq(fx_state("w1"), "running");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_state("w1"), "stopping");
	fx_die("w1", SIGTERM);
	fx_advance_ms(1000);
	ck_assert_str_eq(fx_answer(o), "");
}
END_TEST

START_TEST(the_first_failure_ends_it)
{
	struct fx_order *o;

	start_farm();
	o = roll("worker", false);
	step("worker@0");
	fx.manual_exec = true;
	fx_expect("worker@1", "stopping", "request");
	fx_die("worker@1", SIGTERM);
	fx_exec_fail_slot(fx_slot("worker@1"), STAGE_EXEC, EACCES);
	fx_settle();
	ck_assert_ptr_nonnull(strstr(o->r.error.message, "worker@1: start failed"));
	ck_assert_ptr_nonnull(strstr(o->r.error.message, "(1 more was not restarted)"));
	ck_assert_uint_eq(json_array_size(o->r.failures), 1);
	ck_assert_int_eq(fx_child("worker@2")->spawns, 1);
	ck_assert(*fx_answer(o) != '\0');
}
END_TEST

START_TEST(they_follow_the_configuration_not_the_slots)
{
	struct fx_order *o;

	fx_add("b");
	fx_start();
	fx_config();
	fx_add("a");
	fx_add("b");
	ck_assert_int_eq(core_apply(fx.core, fx_draft(), false, NULL), 0);
	fx_settle();
	ck_assert_uint_gt(fx_slot("a"), fx_slot("b"));
	o = roll("all", false);
	ck_assert_str_eq(o->r.affected.items[0], "a");
	ck_assert_str_eq(fx_state("b"), "running");
	ck_assert_str_eq(fx_state("a"), "stopping");
}
END_TEST

START_TEST(one_that_is_removed_meanwhile_is_passed_over)
{
	struct fx_order *o;

	start_farm();
	o = roll("worker", false);
	strlist_add(&links_write(fx_add("web"))->depends_on, "worker");
	fx_add_instances("worker", 1);
	ck_assert_int_eq(core_apply(fx.core, fx_draft(), false, NULL), 0);
	fx_config();
	fx_settle();
	fx_die("worker@2", SIGTERM);
	fx_die("worker@1", SIGTERM);
	ck_assert_ptr_null(fx_board("worker@1"));
	ck_assert(!o->done);
	fx_die("worker@0", SIGTERM);
	ck_assert_str_eq(fx_answer(o), "");
}
END_TEST

START_TEST(without_waiting_it_goes_on_by_itself)
{
	struct fx_order *o;

	start_farm();
	o = roll("worker", true);
	ck_assert_uint_eq(o->r.affected.n, 3);
	ck_assert_str_eq(fx_answer(o), "");
	step("worker@0");
	step("worker@1");
	step("worker@2");
}
END_TEST

START_TEST(a_shutdown_ends_it)
{
	struct fx_order *o;

	start_farm();
	o = roll("worker", false);
	core_signal(fx.core, SIGTERM);
	fx_settle();
	ck_assert(o->done);
	ck_assert_ptr_nonnull(strstr(o->r.error.message, "procd shuts down"));
	ck_assert_str_eq(fx_answer(roll("worker@1", false)), "worker@1: procd shuts down");
}
END_TEST

START_TEST(unknown_names_and_nobody_are_answered_at_once)
{
	start_farm();
	ck_assert_str_eq(fx_answer(roll("nobody", false)), "unknown subsystem \"nobody\"");
	ck_assert_ptr_null(fx_next_event());
}
END_TEST

START_TEST(notes_of_all_steps_are_told)
{
	struct fx_order *o;

	start_farm();
	o = roll("worker", false);
	step("worker@0");
	fx_advance_ms(20000);
	fx_die("worker@1", SIGKILL);
	fx_die("worker@2", SIGTERM);
	ck_assert_uint_eq(json_array_size(o->r.notes), 1);
	ck_assert_str_eq(json_string_value(json_array_get(o->r.notes, 0)), "worker@1: needed SIGKILL");
	ck_assert_str_eq(fx_answer(o), "");
}
END_TEST

START_TEST(one_under_way_when_the_core_goes_is_nobodys)
{
	start_farm();
	ck_assert(!roll("worker", false)->done);
	ck_assert(roll("web", true)->done);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		the_next_one_is_stopped_when_the_one_before_is_ready,
		one_that_is_not_ready_yet_holds_the_next_one_back, the_first_failure_ends_it,
		they_follow_the_configuration_not_the_slots,
		one_that_is_removed_meanwhile_is_passed_over, without_waiting_it_goes_on_by_itself,
		a_shutdown_ends_it, unknown_names_and_nobody_are_answered_at_once,
		notes_of_all_steps_are_told, one_under_way_when_the_core_goes_is_nobodys,
	};

	return unit_run_in("core: roll", fx_setup, fx_teardown, tests, ARRAY_LEN(tests));
}
