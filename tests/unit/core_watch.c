/* A watched file has changed: who is restarted, and who is not. */
#include "core_fixture.h"

/* What the core let be watched for each slot. */
static struct {
	uint64_t id;
	uint32_t known;
	char file[64];		/* the first one; "": nothing */
	int calls;
} watched[16];

static void watch_files(void *ctx, uint32_t slot, uint64_t id, const struct subsystem_options *o,
			uint32_t known)
{
	(void)ctx;
	watched[slot].id = id;
	watched[slot].known = known;
	watched[slot].calls++;
	snprintf(watched[slot].file, sizeof(watched[slot].file), "%s",
		 o != NULL ? o->policy->watch.items[0] : "");
}

static void setup(void)
{
	fx_setup();
	memset(watched, 0, sizeof(watched));
	fx_ops_watch_files = watch_files;
	fx.memory_fd = memfd_create("memory", 0);
}

static struct subsystem_options *add(const char *name, const char *file)
{
	struct subsystem_options *o = fx_add(name);

	strlist_add(&policy_write(o)->watch, file);
	return o;
}

static void changed(const char *name, uint32_t print)
{
	core_files_changed(fx.core, fx_slot(name), fx_board(name)->id, print, "/etc/x");
	fx_settle();
}

static void apply(void)
{
	json_t *summary;

	ck_assert_int_eq(core_apply(fx.core, fx_draft(), false, &summary), 0);
	json_decref(summary);
	rcu_barrier();		/* only the watcher may still hold what was replaced */
	fx_settle();
}

static void die_and_come_back(void)
{
	core_free(fx.core);
	board_free(fx.board);
	fx.board = board_new(FX_SLOTS * 4);
	fx.welcome.recovering = 1;
	fx_new_core(9);
}

START_TEST(a_changed_file_restarts_what_runs_with_the_reason_watch)
{
	add("web", "/etc/x");
	fx_start_web();
	ck_assert_str_eq(watched[0].file, "/etc/x");
	ck_assert_uint_eq(watched[0].known, 0);
	changed("web", 7);
	fx_expect("web", "stopping", "watch");
	fx_die("web", SIGTERM);
	fx_expect("web", "stopped", "watch");
	fx_expect("web", "starting", "watch");
	fx_expect("web", "running", "start");
	ck_assert_int_eq(fx_child("web")->spawns, 2);
	ck_assert_uint_eq(fx_board("web")->restart_count, 0);
	ck_assert_int_eq(watched[0].calls, 1);
}
END_TEST

START_TEST(how_files_were_found_restarts_nothing)
{
	add("web", "/etc/x");
	fx_start_web();
	core_files_changed(fx.core, 0, fx_board("web")->id, 5, NULL);
	fx_settle();
	fx_expect_quiet();
}
END_TEST

START_TEST(what_has_ended_or_failed_is_tried_again_and_what_was_stopped_is_not)
{
	policy_write(add("failed", "/etc/x"))->restart = RESTART_NEVER;
	policy_write(add("done", "/etc/x"))->restart = RESTART_NEVER;
	add("off", "/etc/x");
	policy_write(add("later", "/etc/x"))->restart_delay_ms = 5000;
	fx_start();
	fx_exit("failed", 1);
	fx_exit("done", 0);
	fx_order(CORE_STOP, "off");
	fx_die("off", SIGTERM);
	fx_exit("later", 1);
	ck_assert_str_eq(fx_state("later"), "restarting");
	changed("failed", 2);
	changed("done", 2);
	changed("off", 2);
	changed("later", 2);
	ck_assert_str_eq(fx_state("failed"), "running");
	ck_assert_str_eq(fx_state("done"), "running");
	ck_assert_str_eq(fx_state("off"), "stopped");
	ck_assert_str_eq(fx_state("later"), "running");
}
END_TEST

START_TEST(a_reload_watches_other_files_without_touching_the_process)
{
	add("web", "/etc/x");
	fx_add("other");
	fx_start();
	core_files_changed(fx.core, 0, fx_board("web")->id, 5, NULL);
	fx_config();
	add("web", "/etc/y");
	links_write(fx_add("other"))->description = x_strdup("text");
	apply();
	ck_assert_str_eq(watched[0].file, "/etc/y");
	ck_assert_uint_eq(watched[0].known, 0);
	ck_assert_int_eq(watched[0].calls, 2);
	ck_assert_int_eq(watched[1].calls, 0);
	ck_assert_int_eq(fx_child("web")->spawns, 1);
	fx_config();
	links_write(add("web", "/etc/y"))->description = x_strdup("text");
	fx_add("other");
	apply();
	ck_assert_int_eq(watched[0].calls, 2);
	fx_config();
	fx_add("web");
	fx_add("other");
	apply();
	ck_assert_str_eq(watched[0].file, "");
	changed("web", 9);
	ck_assert_int_eq(fx_child("web")->spawns, 1);
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(a_second_reload_before_the_restart_of_the_first_is_over)
{
	add("web", "/etc/x");
	fx_start_web();
	for (int i = 1; i <= 4; i++) {
		fx_config();
		rights_write(add("web", i < 4 ? "/etc/x" : "/etc/y"))->nice = i;
		apply();
		ck_assert_str_eq(fx_state("web"), "stopping");
		ck_assert_int_eq(watched[0].calls, i < 4 ? 1 : 2);
	}
	fx_die("web", SIGTERM);
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_str_eq(watched[0].file, "/etc/y");
}
END_TEST

START_TEST(nobody_watches_for_a_removed_one)
{
	uint64_t id;

	add("web", "/etc/x");
	fx_add("other");
	fx_start();
	id = fx_board("web")->id;
	fx_config();
	fx_add("other");
	apply();
	fx_end_slot(0, SIGTERM, 0);
	fx_settle();
	ck_assert_str_eq(watched[0].file, "");
	core_files_changed(fx.core, 0, id, 4, "/etc/x");
	core_files_changed(fx.core, 4711, id, 4, "/etc/x");
	fx_settle();
	ck_assert_ptr_null(fx_board("web"));
}
END_TEST

START_TEST(the_next_supervisor_knows_what_the_files_were)
{
	add("web", "/etc/x");
	fx_start_web();
	core_files_changed(fx.core, 0, fx_board("web")->id, 5, NULL);
	die_and_come_back();
	ck_assert_str_eq(watched[0].file, "/etc/x");
	ck_assert_uint_eq(watched[0].known, 5);
	changed("web", 6);
	ck_assert_str_eq(fx_state("web"), "stopping");
	die_and_come_back();
	ck_assert_uint_eq(watched[0].known, 6);
	fx_die("web", SIGTERM);
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(fx_child("web")->spawns, 2);
}
END_TEST

START_TEST(nothing_is_started_in_a_shutdown)
{
	add("web", "/etc/x");
	fx_start_web();
	core_signal(fx.core, SIGTERM);
	fx_settle();
	changed("web", 5);
	fx_die("web", SIGTERM);
	ck_assert(fx.finished);
	ck_assert_int_eq(fx_child("web")->spawns, 1);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		a_changed_file_restarts_what_runs_with_the_reason_watch,
		how_files_were_found_restarts_nothing,
		what_has_ended_or_failed_is_tried_again_and_what_was_stopped_is_not,
		a_reload_watches_other_files_without_touching_the_process,
		a_second_reload_before_the_restart_of_the_first_is_over,
		nobody_watches_for_a_removed_one, the_next_supervisor_knows_what_the_files_were,
		nothing_is_started_in_a_shutdown,
	};

	return unit_run_in("core: watch", setup, fx_teardown, tests, ARRAY_LEN(tests));
}
