/* A process beside a subsystem's main one: its own slot, its own end. */
#include "core_fixture.h"

#include "core/live.h"

static struct task_result last;
static enum task_kind last_kind;
static int told;

static void on_done(struct subsystem *s, enum task_kind kind, const struct task_result *r)
{
	ck_assert_str_eq(s->name, "web");
	ck_assert(!task_running(s, kind));
	last = *r;
	last_kind = kind;
	told++;
}

static struct subsystem *web(void)
{
	return registry_find(&fx.core->registry, "web");
}

static void begin_with(struct subsystem *s, enum task_kind kind, int64_t timeout_ms, const char *env)
{
	struct strlist command = STRLIST_INIT, extra = STRLIST_INIT;

	strlist_add(&command, "/bin/echo");
	strlist_add(&command, "hi");
	if (env != NULL)
		strlist_add(&extra, env);
	task_start(s, kind, &command, env ? &extra : NULL, timeout_ms * NS_PER_MS, on_done);
	strlist_fini(&command);
	strlist_fini(&extra);
}

static void begin(enum task_kind kind, int64_t timeout_ms)
{
	begin_with(web(), kind, timeout_ms, NULL);
	fx_settle();
}

/* web in slot 0, its task in slot 1. */
static void start_web(void)
{
	told = 0;
	fx_add("web");
	fx_start_web();
}

static void end_slot(uint32_t slot, int status)
{
	fx_end_slot(slot, status, 0);
	fx_settle();
}

static void gone(uint32_t slot)
{
	fx.child[slot].rest = false;
	fx_set_record(slot, RECORD_GONE);
	core_keeper_gone(fx.core, slot, fx.child[slot].spawn_id);
	fx_settle();
}

START_TEST(it_runs_in_a_slot_of_its_own_and_its_end_is_told_once)
{
	start_web();
	begin(TASK_STOP, 1000);
	ck_assert(fx.child[1].alive);
	ck_assert_str_eq(plan_str(fx.child[1].plan, fx.child[1].plan->name), "web/stop");
	ck_assert(fx.child[1].plan->flags & PLAN_TREE);
	ck_assert_uint_eq(fx.child[1].plan->capture_of, 1);
	ck_assert(task_running(web(), TASK_STOP));
	ck_assert_int_eq(task_pid(web(), TASK_STOP), fx.child[1].pid);
	end_slot(1, W_EXITCODE(3, 0));
	ck_assert_int_eq(told, 1);
	ck_assert_int_eq(last_kind, TASK_STOP);
	ck_assert(last.started && last.status_known && !last.timed_out);
	ck_assert_int_eq(WEXITSTATUS(last.wait_status), 3);
	ck_assert(!task_succeeded(&last));
	fx_advance_ms(5000);
	ck_assert_int_eq(told, 1);
	ck_assert_str_eq(fx_signals(), "");
	fx_expect_quiet();
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert(atomic_load(&fx.records.slots[1].state) == RECORD_FREE);
}
END_TEST

START_TEST(it_knows_whose_it_is_what_it_is_and_the_main_process)
{
	char mainpid[32];

	start_web();
	begin_with(web(), TASK_RELOAD, 0, "PROCD_EXIT_CODE=1");
	fx_settle();
	snprintf(mainpid, sizeof(mainpid), "MAINPID=%d", fx_child("web")->pid);
	ck_assert(fx_has_env(1, "PROCD_SUBSYSTEM=web"));
	ck_assert(fx_has_env(1, "PROCD_TASK=reload_command"));
	ck_assert(fx_has_env(1, "PROCD_EXIT_CODE=1"));
	ck_assert(fx_has_env(1, mainpid));
}
END_TEST

START_TEST(without_a_main_process_there_is_no_mainpid)
{
	start_web();
	fx_order(CORE_STOP, "web");
	fx_exit("web", 0);
	ck_assert_str_eq(fx_state("web"), "stopped");
	begin(TASK_POST_STOP, 0);
	for (int pid = 100; pid < 110; pid++) {
		char item[32];

		snprintf(item, sizeof(item), "MAINPID=%d", pid);
		ck_assert(!fx_has_env(1, item));
	}
}
END_TEST

START_TEST(a_probe_is_mute)
{
	start_web();
	begin(TASK_PROBE, 0);
	ck_assert_uint_eq(fx.child[1].plan->stdio[1], PLAN_STDIO_NULL);
	ck_assert_uint_eq(fx.child[1].plan->stdio[2], PLAN_STDIO_NULL);
}
END_TEST

START_TEST(after_its_time_the_tree_is_killed)
{
	start_web();
	begin(TASK_STOP, 1000);
	fx_advance_ms(999);
	ck_assert_str_eq(fx_signals(), "");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	ck_assert_int_eq(told, 0);
	end_slot(1, SIGKILL);
	ck_assert_int_eq(told, 1);
	ck_assert(last.timed_out && last.started);
}
END_TEST

START_TEST(an_end_in_time_counts_however_late_it_is_heard_of)
{
	struct km_exited m;

	start_web();
	begin(TASK_PROBE, 1000);
	fx_advance_ms(1500);
	m = (struct km_exited){
		.slot = 1, .spawn_id = fx.child[1].spawn_id, .pid = fx.child[1].pid,
		.at_mono_ns = fx.now - 501 * NS_PER_MS, .wait_status = 0,
	};
	fx.child[1].alive = false;
	fx.child[1].exited = true;
	core_keeper_exited(fx.core, &m);
	fx_settle();
	ck_assert_int_eq(told, 1);
	ck_assert(task_succeeded(&last));
}
END_TEST

START_TEST(what_it_leaves_is_killed_and_its_end_waits_for_that)
{
	start_web();
	begin(TASK_STOP, 1000);
	fx_end_slot(1, 0, 2);
	fx_settle();
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	fx_advance_ms(60000);
	ck_assert_int_eq(told, 0);
	gone(1);
	ck_assert_int_eq(told, 1);
	ck_assert(task_succeeded(&last));
}
END_TEST

START_TEST(a_start_that_fails_is_told_with_stage_and_errno)
{
	start_web();
	fx.manual_exec = true;
	begin(TASK_STOP, 1000);
	fx_exec_fail_slot(1, STAGE_EXEC, ENOENT);
	ck_assert_int_eq(told, 0);
	fx_settle();
	ck_assert_int_eq(told, 1);
	ck_assert(!last.started);
	ck_assert_int_eq(last.stage, STAGE_EXEC);
	ck_assert_int_eq(last.errnum, ENOENT);
	fx_advance_ms(5000);
	ck_assert_int_eq(told, 1);
}
END_TEST

START_TEST(a_plan_that_is_refused_is_told_later_not_at_once)
{
	start_web();
	fx.spawn_error = -E2BIG;
	begin_with(web(), TASK_STOP, 1000, NULL);
	ck_assert_int_eq(told, 0);
	ck_assert_int_eq(core_next_deadline(fx.core), fx.now);
	fx_settle();
	ck_assert_int_eq(told, 1);
	ck_assert_int_eq(last.stage, STAGE_PLAN);
	ck_assert_int_eq(last.errnum, E2BIG);
}
END_TEST

START_TEST(a_cancelled_one_is_killed_and_not_told)
{
	start_web();
	begin(TASK_PROBE, 1000);
	task_cancel(web(), TASK_PROBE);
	ck_assert(!task_running(web(), TASK_PROBE));
	ck_assert(task_present(web(), TASK_PROBE));
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	end_slot(1, SIGKILL);
	ck_assert(!task_present(web(), TASK_PROBE));
	fx_advance_ms(5000);
	ck_assert_int_eq(told, 0);
}
END_TEST

START_TEST(one_that_is_cancelled_before_it_exists_is_killed_when_it_does)
{
	start_web();
	fx.manual_exec = true;
	begin(TASK_PROBE, 1000);
	task_cancel(web(), TASK_PROBE);
	ck_assert_str_eq(fx_signals(), "");
	fx_exec_ok_slot(1);
	fx_settle();
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	end_slot(1, SIGKILL);
	ck_assert_int_eq(told, 0);
	ck_assert_uint_eq(fx.core->tasks.n, 0);
}
END_TEST

START_TEST(the_next_of_its_kind_waits_until_the_cancelled_one_is_gone)
{
	start_web();
	begin(TASK_PROBE, 1000);
	task_cancel(web(), TASK_PROBE);
	begin(TASK_PROBE, 1000);
	ck_assert_int_eq(fx.child[1].spawns, 1);
	ck_assert_int_eq(fx.child[2].spawns, 0);
	end_slot(1, SIGKILL);
	ck_assert_int_eq(fx.child[1].spawns, 2);
	ck_assert_int_eq(told, 0);
	end_slot(1, 0);
	ck_assert_int_eq(told, 1);
}
END_TEST

START_TEST(kinds_run_side_by_side)
{
	start_web();
	begin(TASK_PROBE, 0);
	begin(TASK_RELOAD, 0);
	ck_assert(fx.child[1].alive && fx.child[2].alive);
	end_slot(2, 0);
	ck_assert_int_eq(last_kind, TASK_RELOAD);
	ck_assert(task_running(web(), TASK_PROBE));
}
END_TEST

START_TEST(a_removed_subsystem_leaves_no_task)
{
	start_web();
	begin(TASK_PROBE, 0);
	fx_config();
	fx_add("other");
	ck_assert_int_eq(core_apply(fx.core, fx_draft(), false, NULL), 0);
	fx_settle();
	fx_exit("web", 0);
	ck_assert_str_eq(fx_state("web"), "unknown");
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont KILL/tree");
	end_slot(1, SIGKILL);
	ck_assert_int_eq(told, 0);
	ck_assert_uint_eq(fx.core->tasks.n, 0);
}
END_TEST

START_TEST(a_slot_is_never_given_to_two)
{
	start_web();
	begin(TASK_PROBE, 0);
	fx_config();
	fx_add("web");
	fx_add("other");
	ck_assert_int_eq(core_apply(fx.core, fx_draft(), false, NULL), 0);
	fx_settle();
	ck_assert_uint_eq(fx_slot("other"), 2);
}
END_TEST

START_TEST(a_shutdown_ends_when_its_tasks_are_gone)
{
	start_web();
	begin(TASK_PROBE, 0);
	core_signal(fx.core, SIGTERM);
	fx_settle();
	fx_exit("web", 0);
	ck_assert(!fx.finished);
	end_slot(1, 0);
	ck_assert(fx.finished);
}
END_TEST

START_TEST(the_kill_phase_kills_tasks)
{
	start_web();
	begin(TASK_PROBE, 0);
	core_signal(fx.core, SIGQUIT);
	fx_settle();
	ck_assert_str_eq(fx_signals(), "KILL/tree KILL/tree");
	fx_die("web", SIGKILL);
	ck_assert(!fx.finished);
	end_slot(1, SIGKILL);
	ck_assert(fx.finished);
}
END_TEST

START_TEST(no_more_are_asked_for_at_once_than_starts)
{
	char name[16];

	fx.manual_exec = false;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		fx_add(name);
	}
	fx_start();
	fx.manual_exec = true;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		begin_with(registry_find(&fx.core->registry, name), TASK_PROBE, 0, NULL);
	}
	ck_assert_uint_eq(fx.core->tasks.asked, TURN_INFLIGHT_MAX);
	fx_exec_ok_slot(100);
	ck_assert_uint_eq(fx.core->tasks.asked, TURN_INFLIGHT_MAX);
	ck_assert_uint_eq(fx.core->tasks.n, TURN_INFLIGHT_MAX + 1);
}
END_TEST

/* --- after a death of the supervisor ---------------------------------------------------------- */

static void die(void)
{
	core_free(fx.core);
	fx.core = NULL;
	fx.welcome.recovering = 1;
}

START_TEST(a_successor_kills_the_tasks_that_it_finds_and_counts_them_as_nothing)
{
	fx.memory_fd = memfd_create("memory", MFD_CLOEXEC);
	start_web();
	begin(TASK_PROBE, 0);
	die();
	fx_new_core(8);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert(task_present(web(), TASK_PROBE));
	fx_expect_type("supervisor_recovered");
	ck_assert_uint_eq(json_array_size(json_object_get(fx.event, "adopted")), 1);
	ck_assert_uint_eq(json_array_size(json_object_get(fx.event, "lost")), 0);
	begin(TASK_PROBE, 0);
	ck_assert_int_eq(fx.child[1].spawns, 1);
	end_slot(1, SIGKILL);
	ck_assert_int_eq(fx.child[1].spawns, 2);
	end_slot(1, 0);
	ck_assert_int_eq(told, 1);
}
END_TEST

START_TEST(a_task_that_ended_meanwhile_is_released)
{
	fx.memory_fd = memfd_create("memory", MFD_CLOEXEC);
	start_web();
	begin(TASK_PROBE, 0);
	die();
	fx_end_slot(1, 0, 0);
	fx_new_core(8);
	ck_assert(atomic_load(&fx.records.slots[1].state) == RECORD_FREE);
	ck_assert(!task_present(web(), TASK_PROBE));
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(without_memory_a_task_is_not_mistaken_for_its_owner)
{
	start_web();
	begin(TASK_PROBE, 0);
	die();
	fx_new_core(8);
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_uint_eq(fx_slot("web"), 0);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	ck_assert_uint_eq(fx.core->registry.n, 1);
}
END_TEST

FX_MAIN("core/task",
	it_runs_in_a_slot_of_its_own_and_its_end_is_told_once,
	it_knows_whose_it_is_what_it_is_and_the_main_process,
	without_a_main_process_there_is_no_mainpid,
	a_probe_is_mute,
	after_its_time_the_tree_is_killed,
	an_end_in_time_counts_however_late_it_is_heard_of,
	what_it_leaves_is_killed_and_its_end_waits_for_that,
	a_start_that_fails_is_told_with_stage_and_errno,
	a_plan_that_is_refused_is_told_later_not_at_once,
	a_cancelled_one_is_killed_and_not_told,
	one_that_is_cancelled_before_it_exists_is_killed_when_it_does,
	the_next_of_its_kind_waits_until_the_cancelled_one_is_gone,
	kinds_run_side_by_side,
	a_removed_subsystem_leaves_no_task,
	a_slot_is_never_given_to_two,
	a_shutdown_ends_when_its_tasks_are_gone,
	the_kill_phase_kills_tasks,
	no_more_are_asked_for_at_once_than_starts,
	a_successor_kills_the_tasks_that_it_finds_and_counts_them_as_nothing,
	a_task_that_ended_meanwhile_is_released,
	without_memory_a_task_is_not_mistaken_for_its_owner)
