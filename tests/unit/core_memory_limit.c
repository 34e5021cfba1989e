/* What somebody saw of a process's memory: who is told, who is restarted. */
#include "core_fixture.h"

#define LIMIT 1000

static void setup(void)
{
	fx_setup();
	fx.memory_fd = memfd_create("memory", 0);
}

static struct subsystem_options *add(const char *name)
{
	struct subsystem_options *o = fx_add(name);

	policy_write(o)->memory_soft_limit = LIMIT;
	return o;
}

static void seen(const char *name, bool over, uint64_t value)
{
	core_memory_used(fx.core, fx_slot(name), fx_child(name)->spawn_id, over, value, LIMIT);
	fx_settle();
}

static int alerts(void)
{
	int n = 0;

	while (fx_next_of("resource_alert") != NULL)
		n++;
	return n;
}

START_TEST(the_alert_says_who_what_how_much_and_how_much_too_much)
{
	add("web");
	fx_start_web();
	seen("web", true, 1200);
	fx_expect_type("resource_alert");
	ck_assert_str_eq(fx_str("name"), "web");
	ck_assert_str_eq(fx_str("resource"), "memory");
	ck_assert_int_eq(fx_int("value"), 1200);
	ck_assert_int_eq(fx_int("limit"), LIMIT);
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(once_until_it_was_below)
{
	add("web");
	fx_start_web();
	seen("web", true, 1200);
	seen("web", true, 1300);
	ck_assert_int_eq(alerts(), 1);
	seen("web", false, 800);
	seen("web", false, 700);
	ck_assert_int_eq(alerts(), 0);
	seen("web", true, 1001);
	ck_assert_int_eq(alerts(), 1);
}
END_TEST

START_TEST(a_restart_has_the_reason_memory)
{
	policy_write(add("web"))->on_memory_limit = ON_MEMORY_RESTART;
	fx_start_web();
	seen("web", true, 1200);
	fx_expect("web", "stopping", "memory");
	seen("web", true, 1300);
	fx_die("web", SIGTERM);
	fx_expect("web", "stopped", "memory");
	fx_expect("web", "starting", "memory");
	fx_expect("web", "running", "start");
	ck_assert_uint_eq(fx_board("web")->restart_count, 0);
	seen("web", true, 1200);	/* another process, another alert */
	fx_expect("web", "stopping", "memory");
}
END_TEST

START_TEST(an_old_sample_says_nothing_of_a_new_process)
{
	uint64_t old;

	policy_write(add("web"))->on_memory_limit = ON_MEMORY_RESTART;
	fx_start_web();
	old = fx_child("web")->spawn_id;
	fx_order(CORE_RESTART, "web");
	fx_die("web", SIGTERM);
	fx_skip_events();
	core_memory_used(fx.core, fx_slot("web"), old, true, 1200, LIMIT);
	core_memory_used(fx.core, 4711, old, true, 1200, LIMIT);
	fx_settle();
	ck_assert_int_eq(alerts(), 0);
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(the_next_supervisor_knows_what_was_told)
{
	add("web");
	fx_start_web();
	seen("web", true, 1200);
	core_free(fx.core);
	board_free(fx.board);
	fx.board = board_new(FX_SLOTS * 4);
	fx.welcome.recovering = 1;
	fx_new_core(9);
	fx_settle();
	fx_skip_events();
	seen("web", true, 1200);
	ck_assert_int_eq(alerts(), 0);
	seen("web", false, 100);
	seen("web", true, 1200);
	ck_assert_int_eq(alerts(), 1);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		the_alert_says_who_what_how_much_and_how_much_too_much, once_until_it_was_below,
		a_restart_has_the_reason_memory, an_old_sample_says_nothing_of_a_new_process,
		the_next_supervisor_knows_what_was_told,
	};

	return unit_run_in("core: memory limit", setup, fx_teardown, tests, ARRAY_LEN(tests));
}
