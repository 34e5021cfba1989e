/* What procd or the machine is short of is no crash of the subsystem: deferred, tried again with a
 * delay of its own, told as an event, counted nowhere. */
#include "core_fixture.h"

START_TEST(a_spawn_that_procd_cannot_make_is_deferred_and_no_attempt)
{
	static const int64_t delays[] = { 100, 200, 400, 800, 1600, 3200, 5000, 5000 };

	fx_add("web");
	fx.manual_exec = true;
	fx_start();
	for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
		fx_exec_fail_slot(0, i % 2 ? STAGE_OUTPUT : STAGE_SPAWN, EAGAIN);
		fx_settle();
		fx_expect_type("spawn_deferred");
		ck_assert_int_eq(fx_int("retry_ms"), delays[i]);
		ck_assert_str_eq(fx_str("errno"), "EAGAIN");
		ck_assert_str_eq(fx_state("web"), "starting");
		fx_advance_ms(delays[i] - 1);
		ck_assert(!fx_child("web")->asked);
		fx_advance_ms(1);
		ck_assert(fx_child("web")->asked);
	}
	fx_exec_ok_slot(0);
	fx_settle();
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(fx_board("web")->attempt, 0);
	ck_assert_int_eq(fx_board("web")->restart_count, 0);
}
END_TEST

START_TEST(a_deferred_start_can_be_stopped)
{
	fx_add("web");
	fx.manual_exec = true;
	fx_start();
	fx_exec_fail_slot(0, STAGE_SPAWN, EAGAIN);
	fx_settle();
	fx_skip_events();
	ck_assert_str_eq(fx_answer(fx_order(CORE_STOP, "web")), "");
	fx_expect("web", "stopping", "request");
	fx_expect("web", "stopped", "request");
	fx_advance_ms(10000);
	fx_expect_quiet();
	ck_assert_str_eq(fx_signals(), "");
}
END_TEST

/* {stage, errno, deferred}: shortages wherever they show, and procd's own places. */
static const struct {
	enum spawn_stage stage;
	int errnum;
	bool ours;
} troubles[] = {
	{ STAGE_SPAWN, EAGAIN, true }, { STAGE_SPAWN, ENOMEM, true },
	{ STAGE_SPAWN, EMFILE, true }, { STAGE_SPAWN, ENFILE, true },
	{ STAGE_SPAWN, EBUSY, true }, { STAGE_SPAWN, ECANCELED, true },
	{ STAGE_OUTPUT, ENOSPC, true }, { STAGE_OUTPUT, EROFS, true },
	{ STAGE_OUTPUT, EIO, true }, { STAGE_CGROUP, EAGAIN, true },
	{ STAGE_CGROUP, ENOENT, true }, { STAGE_STDIN, ENFILE, true },
	{ STAGE_STDOUT, EMFILE, true }, { STAGE_STDOUT, ENOENT, false },
	{ STAGE_STDERR, ENOENT, true }, { STAGE_STDERR, ENFILE, true },
	{ STAGE_OOM, EMFILE, true }, { STAGE_UID, EAGAIN, true },
	{ STAGE_EXEC, EAGAIN, true }, { STAGE_EXEC, ENOMEM, true },
	{ STAGE_EXEC, ENFILE, true }, { STAGE_EXEC, EACCES, false },
	{ STAGE_EXEC, E2BIG, false }, { STAGE_LIMITS, EPERM, false },
	{ STAGE_CHDIR, ENOENT, false }, { STAGE_CHDIR, ENOMEM, true },
	{ STAGE_PLAN, E2BIG, false }, { STAGE_PLAN, EINVAL, false },
};

/* stdout is a file of the user's, stderr is captured: procd's own. */
START_TEST(a_shortage_at_any_stage_is_nobodys_crash)
{
	bool ours = troubles[_i].ours;
	struct subsystem_options *o = fx_add("web");

	policy_write(o)->restart_max_attempts = 1;
	streams_write(o)->stdio[1].kind = STDIO_FILE;
	streams_write(o)->stdio[1].path = x_strdup("/tmp/out");
	streams_write(o)->stdio[2].kind = STDIO_LOG;
	fx.manual_exec = true;
	fx_start();
	fx_skip_events();
	fx_exec_fail_slot(0, troubles[_i].stage, troubles[_i].errnum);
	fx_settle();
	if (!ours) {
		fx_expect("web", "failed", "start");
		return;
	}
	fx_expect_type("spawn_deferred");
	ck_assert_str_eq(fx_str("name"), "web");
	ck_assert_str_eq(fx_str("stage"), enumtext_name(&spawn_stage_text,
							(int)troubles[_i].stage));
	ck_assert_str_eq(fx_str("errno"), errno_name(troubles[_i].errnum));
	ck_assert_ptr_nonnull(strstr(fx_board("web")->texts->last_error, "tried again"));
	ck_assert_ptr_nonnull(strstr(fx_board("web")->texts->last_error, strerror(troubles[_i].errnum)));
	for (int i = 0; i < 20; i++) {
		fx_advance_ms(5000);
		fx_exec_fail_slot(0, troubles[_i].stage, troubles[_i].errnum);
		fx_settle();
	}
	fx_advance_ms(5000);
	fx_exec_ok_slot(0);
	fx_settle();
	fx_expect("web", "running", "start");
	ck_assert_int_eq(fx_board("web")->attempt, 0);
	ck_assert_ptr_null(fx_board("web")->texts->last_error);
}
END_TEST

START_TEST(a_start_that_could_not_even_be_asked_for_is_deferred_by_a_shortage)
{
	fx_add("web");
	fx.spawn_error = -ENOMEM;
	fx_start();
	fx_expect("web", "starting", "start");
	fx_expect_type("spawn_deferred");
	ck_assert_str_eq(fx_str("errno"), "ENOMEM");
	fx.spawn_error = 0;
	fx_advance_ms(100);
	fx_expect("web", "running", "start");
}
END_TEST

START_TEST(why_says_what_is_missing)
{
	auto_free(json_decrefp) json_t *why = NULL;
	auto_free(freep) char *text = NULL;

	fx_add("web");
	fx.manual_exec = true;
	fx_start();
	fx_exec_fail_slot(0, STAGE_SPAWN, EMFILE);
	fx_settle();
	why = core_why(fx.board, fx_board("web"), fx.now);
	text = json_dumps(why, 0);
	ck_assert_ptr_nonnull(strstr(text, "cannot be started now (stage spawn)"));
	ck_assert_ptr_nonnull(strstr(text, "Too many open files"));
	ck_assert_ptr_null(strstr(text, "last end"));
}
END_TEST

START_TEST(a_restart_that_is_deferred_counts_once)
{
	policy_write(fx_add("web"))->restart_max_attempts = 1;
	fx.manual_exec = true;
	fx_start();
	fx_exec_ok_slot(0);
	fx_settle();
	fx_die("web", SIGSEGV);
	fx_advance_ms(100);
	for (int i = 0; i < 5; i++) {
		fx_exec_fail_slot(0, STAGE_SPAWN, ENFILE);
		fx_settle();
		fx_advance_ms(5000);
	}
	fx_exec_ok_slot(0);
	fx_settle();
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(fx_board("web")->attempt, 1);
	ck_assert_int_eq(fx_board("web")->restart_count, 1);
}
END_TEST

START_TEST(a_shutdown_does_not_wait_for_what_is_deferred)
{
	fx_add("web");
	fx.manual_exec = true;
	fx_start();
	fx_exec_fail_slot(0, STAGE_SPAWN, ENOMEM);
	fx_settle();
	core_signal(fx.core, SIGTERM);
	fx_settle();
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 0);
}
END_TEST

START_TEST(the_next_supervisor_takes_a_deferred_start_up_at_once)
{
	fx.memory_fd = memfd_create("memory", 0);
	fx_add("web");
	fx.manual_exec = true;
	fx_start();
	fx_exec_fail_slot(0, STAGE_SPAWN, ENOMEM);
	fx_settle();
	core_free(fx.core);
	board_free(fx.board);
	fx.board = board_new(FX_SLOTS * 4);
	fx.welcome.recovering = 1;
	fx_new_core(7);
	ck_assert(fx.child[0].asked);
	fx_exec_ok_slot(0);
	fx_settle();
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(fx_board("web")->attempt, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core: shortage");
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, fx_setup, fx_teardown);
	tcase_add_loop_test(tcase, a_shortage_at_any_stage_is_nobodys_crash, 0,
			    ARRAY_LEN(troubles));
	tcase_add_test(tcase, a_spawn_that_procd_cannot_make_is_deferred_and_no_attempt);
	tcase_add_test(tcase, a_deferred_start_can_be_stopped);
	tcase_add_test(tcase, a_start_that_could_not_even_be_asked_for_is_deferred_by_a_shortage);
	tcase_add_test(tcase, why_says_what_is_missing);
	tcase_add_test(tcase, a_restart_that_is_deferred_counts_once);
	tcase_add_test(tcase, a_shutdown_does_not_wait_for_what_is_deferred);
	tcase_add_test(tcase, the_next_supervisor_takes_a_deferred_start_up_at_once);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
