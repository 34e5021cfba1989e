/* core/scale: another number of instances by order, seen from the core. */
#include "core/scale.h"
#include "core_fixture.h"

static struct scales wanted;

static void fresh(void)
{
	fx_setup();
	wanted = (struct scales)SCALES_INIT;
}

static void over(void)
{
	scales_fini(&wanted);
	fx_teardown();
}

/* web, and N workers on which "web" depends and to which "bound" is bound. */
static void farm(uint32_t n)
{
	strlist_add(&links_write(fx_add("web"))->depends_on, "worker");
	strlist_add(&links_write(fx_add("bound"))->binds_to, "worker");
	fx_add_instances("worker", n);
}

static void start_farm(uint32_t n)
{
	farm(n);
	fx_start();
	ck_assert_str_eq(fx_state("bound"), "running");
	fx_skip_events();
	fx_config();
}

static struct fx_order *scale(uint32_t n)
{
	struct fx_order *o = fx_order_new(CORE_SCALE);

	farm(n);
	core_scale(fx.core, fx_draft(), &o->r);
	fx_config();
	fx_settle();
	return o;
}

/* What the first half says; "" when it is content. */
static const char *ask(const char *name)
{
	static char text[256];
	struct fx_order *o = fx_order_new(CORE_SCALE);
	bool good;

	o->r.instances = 5;
	strlist_add(&o->r.names, name);
	good = core_scale_wanted(fx.core, &o->r, &wanted);
	snprintf(text, sizeof(text), "%s", o->r.error.message ? o->r.error.message : "");
	ck_assert(good == (*text == '\0'));
	fx_order_free(o);
	return text;
}

START_TEST(names_are_turned_into_families_once)
{
	start_farm(3);
	ck_assert_str_eq(ask("worker"), "");
	ck_assert_uint_eq(wanted.n, 1);
	ck_assert_str_eq(wanted.items[0].name, "worker");
	ck_assert_uint_eq(wanted.items[0].declared, 3);
	ck_assert_uint_eq(wanted.items[0].n, 5);
	ck_assert_str_eq(ask("worker@*"), "");
	ck_assert_str_eq(ask("web"), "web: it declares no instances");
	ck_assert_str_eq(ask("worker@1"), "worker@1: it is one instance; scale worker");
	ck_assert_str_eq(ask("nobody"), "unknown subsystem \"nobody\"");
	ck_assert_str_eq(ask("all"), "web: it declares no instances");
}
END_TEST

START_TEST(new_ones_are_started_and_nobody_else_is_touched)
{
	start_farm(1);
	ck_assert_str_eq(fx_answer(scale(3)), "");
	fx_expect_type("config_reloaded");
	fx_expect("worker@1", "starting", "request");
	fx_expect("worker@2", "starting", "request");
	fx_expect("worker@1", "running", "start");
	fx_expect("worker@2", "running", "start");
	fx_expect_quiet();
	ck_assert_str_eq(fx_signals(), "");
	ck_assert_uint_eq(config_current()->generation, 2);
}
END_TEST

START_TEST(those_with_the_highest_numbers_go_and_the_order_waits_for_their_end)
{
	struct fx_order *o;

	start_farm(3);
	o = scale(1);
	fx_expect("worker@2", "stopping", "request");
	fx_expect("worker@1", "stopping", "request");
	fx_expect_quiet();
	ck_assert_uint_eq(o->r.affected.n, 2);
	fx_die("worker@2", SIGTERM);
	ck_assert(!o->done);
	fx_die("worker@1", SIGTERM);
	ck_assert_str_eq(fx_answer(o), "");
	ck_assert_ptr_null(fx_board("worker@1"));
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_str_eq(fx_state("bound"), "running");
}
END_TEST

START_TEST(the_same_number_is_no_news)
{
	start_farm(2);
	ck_assert_str_eq(fx_answer(scale(2)), "");
	ck_assert_ptr_null(fx_next_event());
	ck_assert_uint_eq(config_current()->generation, 1);
}
END_TEST

START_TEST(one_that_goes_and_comes_back_does_not_stop_what_is_bound_to_it)
{
	struct fx_order *down, *up;

	start_farm(2);
	down = scale(1);
	fx_expect("worker@1", "stopping", "request");
	up = scale(2);
	fx_expect_quiet();
	ck_assert(!up->done);
	fx_die("worker@1", SIGTERM);
	fx_expect("worker@1", "stopped", "request");
	fx_expect("worker@1", "starting", "request");
	fx_expect("worker@1", "running", "start");
	fx_expect_quiet();
	ck_assert_str_eq(fx_answer(down), "");
	ck_assert_str_eq(fx_answer(up), "");
	/* from now on it counts */
	fx_die("worker@1", SIGKILL);
	fx_expect("worker@1", "failed", "signal");
	fx_expect("worker@1", "restarting", "signal");
	fx_expect("bound", "stopping", "dependency");
}
END_TEST

START_TEST(one_that_cannot_start_is_told_and_stays)
{
	struct fx_order *o;

	start_farm(1);
	fx.manual_exec = true;
	o = scale(2);
	ck_assert(!o->done);
	fx_exec_fail_slot(fx_slot("worker@1"), STAGE_EXEC, ENOENT);
	fx_settle();
	ck_assert_ptr_nonnull(strstr(fx_answer(o), "worker@1: start failed"));
	ck_assert_ptr_nonnull(fx_board("worker@1"));
	ck_assert_str_eq(fx_state("worker@0"), "running");
}
END_TEST

START_TEST(no_wait_is_done_at_once)
{
	struct fx_order *o;

	start_farm(2);
	o = fx_order_new(CORE_SCALE);
	o->r.no_wait = true;
	farm(1);
	core_scale(fx.core, fx_draft(), &o->r);
	fx_config();
	ck_assert_str_eq(fx_answer(o), "");
	fx_settle();
	fx_expect("worker@1", "stopping", "request");
}
END_TEST

START_TEST(a_shutdown_refuses_both_halves)
{
	start_farm(2);
	core_signal(fx.core, SIGTERM);
	fx_settle();
	ck_assert_str_eq(ask("worker"), "procd shuts down");
	ck_assert_str_eq(fx_answer(scale(3)), "procd shuts down");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		names_are_turned_into_families_once,
		new_ones_are_started_and_nobody_else_is_touched,
		those_with_the_highest_numbers_go_and_the_order_waits_for_their_end,
		the_same_number_is_no_news,
		one_that_goes_and_comes_back_does_not_stop_what_is_bound_to_it,
		one_that_cannot_start_is_told_and_stays, no_wait_is_done_at_once,
		a_shutdown_refuses_both_halves,
	};

	return unit_run_in("core: scale", fresh, over, tests, ARRAY_LEN(tests));
}
