/* Dependencies: who may start, who must stop, in which order, and what is said meanwhile. */
#include "core_fixture.h"

/* NAME with the items of the NULL-terminated list in KIND's list. */
static struct subsystem_options *add_edges(const char *name, struct strlist *(*list)(
					   struct subsystem_options *), const char *const *items)
{
	struct subsystem_options *o = fx_add(name);

	for (; *items != NULL; items++)
		strlist_add(list(o), *items);
	return o;
}

static struct strlist *depends_on(struct subsystem_options *o)
{
	return &links_write(o)->depends_on;
}

static struct strlist *binds_to(struct subsystem_options *o)
{
	return &links_write(o)->binds_to;
}

static struct strlist *wants(struct subsystem_options *o)
{
	return &links_write(o)->wants;
}

static struct strlist *after(struct subsystem_options *o)
{
	return &links_write(o)->after;
}

static struct strlist *before(struct subsystem_options *o)
{
	return &links_write(o)->before;
}

#define ADD(name, list, ...)                                                                      \
	add_edges((name), (list), (const char *const[]){ __VA_ARGS__, NULL })

static void expect_state(const char *name, const char *state)
{
	ck_assert_msg(strcmp(fx_state(name), state) == 0, "%s is %s, not %s", name, fx_state(name),
		      state);
}

static void expect_waits(const char *name, const char *for_whom)
{
	ck_assert_str_eq(fx_board(name)->texts->waits_for, for_whom);
	ck_assert_int_eq(fx_board(name)->waiting, *for_whom != '\0');
}

static void exec_ok(const char *name)
{
	fx_exec_ok_slot(fx_slot(name));
	fx_settle();
}

static void oneshot(struct subsystem_options *o)
{
	o->type = TYPE_ONESHOT;
	policy_write(o)->restart = RESTART_NEVER;
}

static bool asked(const char *name)
{
	return fx_child(name)->asked;
}

/* What `why` says, as one text. */
static const char *why(const char *name)
{
	static char text[1024];
	json_t *j = core_why(fx.board, fx_board(name), fx.now), *line;
	size_t i, n = 0;

	json_array_foreach(json_object_get(j, "why"), i, line)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\n", json_string_value(line));
	json_decref(j);
	return text;
}

static void expect_why(const char *name, const char *words)
{
	ck_assert_msg(strstr(why(name), words) != NULL, "%s: \"%s\" is not in:\n%s", name, words,
		      why(name));
}

/* web needs db, both run. */
static void start_web_on_db(void)
{
	ADD("web", depends_on, "db");
	fx_add("db");
	fx_start();
	expect_state("web", "running");
	fx_skip_events();
}

/* The supervisor dies and comes back. */
static void revive(void)
{
	core_free(fx.core);
	fx.core = NULL;
	board_free(fx.board);
	fx.board = board_new(FX_SLOTS);
	fx.welcome.recovering = 1;
	for (uint32_t slot = 0; slot < fx.nslots; slot++)
		fx.child[slot].asked = false;	/* the keeper never got that far */
	fx_new_core(7);
}

/* --- starting --------------------------------------------------------------------------------- */

START_TEST(a_dependant_starts_when_its_dependency_is_ready)
{
	ADD("web", depends_on, "db");
	policy_write(fx_add("db"))->min_uptime_ms = 500;
	fx.manual_exec = true;
	fx_start();
	ck_assert(asked("db") && !asked("web"));
	expect_waits("web", "db");
	expect_why("web", "it waits for db, which is starting");
	exec_ok("db");
	ck_assert(!asked("web"));
	fx_advance_ms(500);
	expect_state("db", "running");
	ck_assert(asked("web"));
	exec_ok("web");
	expect_state("web", "running");
	expect_waits("web", "");
}
END_TEST

START_TEST(started_is_enough_for_who_says_so)
{
	ADD("web", depends_on, "db:started");
	policy_write(fx_add("db"))->min_uptime_ms = 500;
	fx_start();
	expect_state("db", "starting");
	expect_state("web", "running");
}
END_TEST

START_TEST(independent_ones_start_at_once)
{
	fx.manual_exec = true;
	ADD("a", depends_on, "x");
	fx_add("x");
	fx_add("b");
	fx_add("c");
	fx_start();
	ck_assert(asked("x") && asked("b") && asked("c") && !asked("a"));
}
END_TEST

START_TEST(a_oneshot_is_ready_when_it_has_succeeded)
{
	ADD("web", depends_on, "migrate");
	oneshot(fx_add("migrate"));
	fx_start();
	expect_state("migrate", "running");
	expect_state("web", "stopped");
	fx_exit("migrate", 0);
	expect_state("migrate", "stopped");
	expect_state("web", "running");
	ck_assert_int_eq(fx_child("migrate")->spawns, 1);
}
END_TEST

START_TEST(completed_does_not_ask_how_and_succeeded_does)
{
	ADD("any", depends_on, "job:completed");
	ADD("good", depends_on, "job:succeeded");
	oneshot(fx_add("job"));
	fx_start();
	fx_exit("job", 3);
	expect_state("job", "failed");
	expect_state("any", "running");
	expect_state("good", "stopped");
	expect_waits("good", "job:succeeded");
	expect_why("good", "it waits for job to have succeeded; that is failed");
	fx_order(CORE_START, "job");
	fx_exit("job", 0);
	expect_state("good", "running");
	expect_state("any", "running");
}
END_TEST

START_TEST(completed_waits_until_it_is_not_restarted_any_more)
{
	struct subsystem_options *o = fx_add("job");

	ADD("any", depends_on, "job:completed");
	oneshot(o);
	policy_write(o)->restart = RESTART_ON_FAILURE;
	policy_write(o)->restart_max_attempts = 1;
	fx_start();
	fx_exit("job", 1);
	expect_state("job", "restarting");
	expect_state("any", "stopped");
	fx_advance_ms(1000);
	fx_exit("job", 1);
	expect_state("job", "failed");
	expect_state("any", "running");
}
END_TEST

START_TEST(what_is_needed_is_started_though_it_is_no_autostart)
{
	ADD("web", depends_on, "db");
	ADD("db", wants, "backup");
	fx_add("disk")->autostart = false;
	fx_add("backup")->autostart = false;
	strlist_add(&links_write(fx.draft->subsystems[1])->depends_on, "disk");
	fx.draft->subsystems[1]->autostart = false;
	fx_start();
	expect_state("disk", "running");
	expect_state("db", "running");
	expect_state("web", "running");
	expect_state("backup", "running");
	ck_assert_str_eq(fx_board("disk")->goal_why, "dependency");
	/* and stays up when nobody needs it any more */
	fx_order(CORE_STOP, "web");
	expect_state("db", "running");
}
END_TEST

START_TEST(wants_waits_for_nothing_and_fails_with_nothing)
{
	ADD("web", wants, "cache");
	policy_write(fx_add("cache"))->restart = RESTART_NEVER;
	fx.manual_exec = true;
	fx_start();
	ck_assert(asked("web") && asked("cache"));
	fx_exec_fail_slot(fx_slot("cache"), STAGE_EXEC, ENOENT);
	exec_ok("web");
	expect_state("cache", "failed");
	expect_state("web", "running");
}
END_TEST

START_TEST(after_and_before_only_order)
{
	ADD("b", after, "a");
	ADD("z", before, "a");
	policy_write(fx_add("a"))->restart = RESTART_NEVER;
	ADD("idle", after, "off");
	fx_add("off")->autostart = false;
	fx.manual_exec = true;
	fx_start();
	ck_assert(asked("z") && !asked("a") && !asked("b") && asked("idle"));
	expect_waits("a", "z");
	expect_waits("b", "a");
	exec_ok("z");
	ck_assert(asked("a") && !asked("b"));
	/* that it failed is no reason to wait any longer */
	fx_exec_fail_slot(fx_slot("a"), STAGE_EXEC, ENOENT);
	fx_settle();
	ck_assert(asked("b"));
	expect_state("off", "stopped");
}
END_TEST

START_TEST(after_does_not_wait_for_what_cannot_come)
{
	ADD("c", after, "b");
	ADD("b", depends_on, "a");
	policy_write(fx_add("a"))->restart = RESTART_NEVER;
	fx.manual_exec = true;
	fx_start();
	ck_assert(!asked("c"));
	fx_exec_fail_slot(fx_slot("a"), STAGE_EXEC, ENOENT);
	fx_settle();
	expect_state("b", "stopped");
	ck_assert(asked("c"));
}
END_TEST

START_TEST(S25_looks_like_a_cycle_but_is_none)
{
	ADD("a", wants, "b");
	ADD("b", depends_on, "a");
	fx_start();
	expect_state("a", "running");
	expect_state("b", "running");
}
END_TEST

/* --- failing ---------------------------------------------------------------------------------- */

START_TEST(a_dependant_of_a_failed_one_waits_says_so_and_starts_when_it_recovers)
{
	ADD("top", depends_on, "web");
	ADD("web", depends_on, "db");
	policy_write(fx_add("db"))->restart = RESTART_NEVER;
	fx.manual_exec = true;
	fx_start();
	fx_exec_fail_slot(fx_slot("db"), STAGE_EXEC, ENOENT);
	fx_settle();
	fx_advance_ms(60000);
	expect_state("web", "stopped");
	expect_state("top", "stopped");
	ck_assert(fx_board("web")->goal_up);
	expect_why("web", "it waits for db, which is failed: cannot execute");
	expect_why("top", "it waits for web, which is stopped, and waits, too");
	ck_assert_int_eq(core_next_deadline(fx.core), INT64_MAX);
	fx.manual_exec = false;
	ck_assert_str_eq(fx_answer(fx_order(CORE_START, "db")), "");
	expect_state("web", "running");
	expect_state("top", "running");
}
END_TEST

START_TEST(S24_a_crash_leaves_depends_on_running_and_stops_binds_to)
{
	ADD("soft", depends_on, "db");
	ADD("bound", binds_to, "db");
	fx_add("db");
	fx_start();
	fx_skip_events();
	fx_die("db", SIGSEGV);
	expect_state("soft", "running");
	expect_state("bound", "stopping");
	fx_die("bound", SIGTERM);
	expect_waits("bound", "db");
	fx_advance_ms(100);
	expect_state("db", "running");
	expect_state("bound", "running");
	fx_expect("db", "failed", "signal");
	fx_expect("db", "restarting", "signal");
	fx_expect("bound", "stopping", "dependency");
	fx_expect("bound", "stopped", "dependency");
	fx_expect("db", "starting", "signal");
	fx_expect("db", "running", "start");
	fx_expect("bound", "starting", "dependency");
	fx_expect("bound", "running", "start");
	fx_expect_quiet();
	ck_assert_int_eq(fx_child("soft")->spawns, 1);
	ck_assert_uint_eq(fx_board("bound")->restart_count, 0);
}
END_TEST

START_TEST(a_crashed_dependant_comes_back_after_its_dependency)
{
	ADD("web", depends_on, "db");
	policy_write(fx_add("db"))->restart_delay_ms = 5000;
	fx_start();
	fx_die("db", SIGSEGV);
	fx_die("web", SIGSEGV);
	fx_advance_ms(4000);
	expect_state("web", "restarting");
	expect_waits("web", "db");
	expect_why("web", "next restart: as soon as what it waits for is there");
	fx_advance_ms(1000);
	expect_state("web", "running");
	ck_assert_uint_eq(fx_board("web")->restart_count, 1);
}
END_TEST

START_TEST(S29_a_start_fails_with_the_name_and_reason_of_the_root)
{
	struct fx_order *o;

	ADD("top", depends_on, "web");
	ADD("web", depends_on, "db");
	policy_write(fx_add("db"))->restart = RESTART_NEVER;
	fx.manual_exec = true;
	fx_start();
	fx_exec_fail_slot(fx_slot("db"), STAGE_EXEC, ENOENT);
	fx_settle();
	o = fx_order(CORE_START, "top");
	ck_assert(!o->done);
	ck_assert(asked("db"));		/* it failed for good: tried again */
	fx_exec_fail_slot(fx_slot("db"), STAGE_EXEC, EACCES);
	fx_settle();
	ck_assert_str_eq(fx_answer(o), "top: not started: it waits for db, which is failed: cannot "
				       "execute \"/bin/true\": Permission denied");
	/* It still wants to start. */
	o = fx_order(CORE_START, "top");
	exec_ok("db");
	exec_ok("web");
	exec_ok("top");
	ck_assert_str_eq(fx_answer(o), "");
}
END_TEST

START_TEST(S29_a_start_does_not_wait_for_endless_restarts)
{
	struct fx_order *o;

	ADD("web", depends_on, "db");
	policy_write(fx_add("db"))->restart_delay_ms = 60000;
	fx.manual_exec = true;
	fx_start();
	fx_exec_fail_slot(fx_slot("db"), STAGE_EXEC, ENOENT);
	fx_settle();
	expect_state("db", "restarting");
	o = fx_order(CORE_START, "web");
	ck_assert(asked("db"));		/* at once, not after the delay */
	fx_exec_fail_slot(fx_slot("db"), STAGE_EXEC, ENOENT);
	fx_settle();
	ck_assert(strstr(fx_answer(o), "waits for db") != NULL);
}
END_TEST

START_TEST(S08_a_restart_of_what_waits_goes_on_waiting)
{
	struct fx_order *o;

	ADD("web", depends_on, "db");
	policy_write(fx_add("db"))->min_uptime_ms = 500;
	fx_start();
	expect_waits("web", "db");
	fx_skip_events();
	o = fx_order(CORE_RESTART, "web");
	ck_assert(!o->done);
	expect_state("web", "stopped");
	fx_advance_ms(500);
	ck_assert_str_eq(fx_answer(o), "");
	fx_expect("db", "running", "start");
	fx_expect("web", "starting", "request");
	fx_expect("web", "running", "start");
	ck_assert_int_eq(fx_child("web")->spawns, 1);
}
END_TEST

START_TEST(a_stop_of_what_waits_ends_the_waiting)
{
	struct fx_order *o;

	ADD("web", depends_on, "db");
	policy_write(fx_add("db"))->min_uptime_ms = 500;
	fx_start();
	o = fx_order(CORE_START, "web");
	ck_assert_str_eq(fx_answer(fx_order(CORE_STOP, "web")), "");
	ck_assert_str_eq(fx_answer(o), "web: not started: another order stopped it");
	fx_advance_ms(1000);
	expect_state("db", "running");
	expect_state("web", "stopped");
	expect_waits("web", "");
}
END_TEST

START_TEST(dense_edges_that_fall_over_like_dominoes_are_no_endless_loop)
{
	static char name[200][16];

	for (int i = 0; i < 200; i++) {
		struct subsystem_options *o;

		snprintf(name[i], sizeof(name[i]), "d%d", i);
		o = fx_add(name[i]);
		policy_write(o)->restart = RESTART_NEVER;
		for (int j = 0; j < i; j++)
			strlist_add(&links_write(o)->after, name[j]);
	}
	fx.spawn_error = -EINVAL;	/* each start fails at once, inside one settle */
	fx_start();
	ck_assert_int_eq(fx.state, DAEMON_RUNNING);
	expect_state("d199", "failed");
}
END_TEST

START_TEST(readiness_of_the_instance_does_not_wait_for_what_cannot_come)
{
	ADD("web", depends_on, "db");
	policy_write(fx_add("db"))->restart = RESTART_NEVER;
	fx.manual_exec = true;
	fx_start();
	ck_assert_int_eq(fx.state, DAEMON_STARTING);
	fx_exec_fail_slot(fx_slot("db"), STAGE_EXEC, ENOENT);
	fx_settle();
	ck_assert_int_eq(fx.state, DAEMON_RUNNING);
	ck_assert(fx.booted);
}
END_TEST

/* --- stopping --------------------------------------------------------------------------------- */

START_TEST(stopping_a_dependency_stops_its_dependants_first)
{
	struct fx_order *o;

	ADD("top", depends_on, "web");
	start_web_on_db();
	o = fx_order(CORE_STOP, "db");
	expect_state("db", "running");
	expect_state("web", "running");
	expect_state("top", "stopping");
	fx_die("top", SIGTERM);
	expect_state("web", "stopping");
	expect_state("db", "running");
	fx_die("web", SIGTERM);
	expect_state("db", "stopping");
	ck_assert(!o->done);
	fx_die("db", SIGTERM);
	ck_assert_str_eq(fx_answer(o), "");
	fx_expect("top", "stopping", "dependency");
	fx_expect("top", "stopped", "dependency");
	fx_expect("web", "stopping", "dependency");
	fx_expect("web", "stopped", "dependency");
	fx_expect("db", "stopping", "request");
	fx_expect("db", "stopped", "request");
	fx_expect_quiet();
	expect_why("web", "it waits for db, which is stopped, and meant to be down");
	/* and they come back with it */
	fx_order(CORE_START, "db");
	expect_state("top", "running");
}
END_TEST

START_TEST(starting_a_dependant_takes_the_stop_of_its_dependency_back)
{
	start_web_on_db();
	fx_order(CORE_STOP, "db");
	fx_die("web", SIGTERM);
	fx_die("db", SIGTERM);
	fx_order(CORE_STOP, "web");
	ck_assert_str_eq(fx_answer(fx_order(CORE_START, "web")), "");
	expect_state("db", "running");
}
END_TEST

START_TEST(a_stop_is_taken_back_before_its_turn_came)
{
	start_web_on_db();
	fx_order(CORE_STOP, "db");
	expect_state("web", "stopping");
	expect_state("db", "running");
	fx_order(CORE_START, "db");
	fx_die("web", SIGTERM);
	expect_state("web", "running");
	ck_assert_int_eq(fx_child("db")->spawns, 1);
}
END_TEST

START_TEST(a_restart_leaves_depends_on_and_takes_binds_to_along)
{
	ADD("soft", depends_on, "db");
	ADD("bound", binds_to, "db");
	fx_add("db");
	fx_start();
	fx_order(CORE_RESTART, "db");
	expect_state("bound", "stopping");
	expect_state("db", "running");
	fx_die("bound", SIGTERM);
	expect_state("db", "stopping");
	fx_die("db", SIGTERM);
	expect_state("db", "running");
	expect_state("bound", "running");
	ck_assert_int_eq(fx_child("soft")->spawns, 1);
	ck_assert_int_eq(fx_child("bound")->spawns, 2);
}
END_TEST

START_TEST(a_restart_of_everything_stops_in_reverse_order_and_starts_in_order)
{
	struct fx_order *o;

	ADD("late", after, "web");
	start_web_on_db();
	fx.manual_exec = true;
	o = fx_order(CORE_RESTART, "all");
	expect_state("late", "stopping");
	expect_state("web", "running");
	expect_state("db", "running");
	fx_die("late", SIGTERM);
	expect_state("web", "stopping");
	expect_state("db", "running");
	ck_assert_int_eq(fx_child("late")->spawns, 1);
	fx_die("web", SIGTERM);
	expect_state("db", "stopping");
	fx_die("db", SIGTERM);
	expect_state("db", "starting");
	ck_assert(!asked("web") && !asked("late"));
	exec_ok("db");
	ck_assert(asked("web") && !asked("late"));
	exec_ok("web");
	exec_ok("late");
	expect_state("late", "running");
	ck_assert_str_eq(fx_answer(o), "");
}
END_TEST

START_TEST(a_restart_of_what_others_are_leaving_waits_for_them)
{
	start_web_on_db();
	fx_order(CORE_STOP, "web");
	fx_order(CORE_RESTART, "db");
	expect_state("db", "running");
	fx_die("web", SIGTERM);
	expect_state("db", "stopping");
	fx_die("db", SIGTERM);
	expect_state("db", "running");
	expect_state("web", "stopped");
}
END_TEST

START_TEST(a_stop_of_everything_goes_in_reverse_order)
{
	ADD("a", before, "web");
	start_web_on_db();
	fx_order(CORE_STOP, "all");
	expect_state("web", "stopping");
	expect_state("db", "running");
	expect_state("a", "running");
	fx_die("web", SIGTERM);
	expect_state("db", "stopping");
	expect_state("a", "stopping");
}
END_TEST

START_TEST(S28_a_shutdown_stops_in_reverse_order)
{
	ADD("late", after, "web");
	start_web_on_db();
	core_signal(fx.core, SIGTERM);
	fx_settle();
	expect_state("late", "stopping");
	expect_state("web", "running");
	expect_state("db", "running");
	fx_die("late", SIGTERM);
	expect_state("web", "stopping");
	expect_state("db", "running");
	fx_die("web", SIGTERM);
	expect_state("db", "stopping");
	fx_die("db", SIGTERM);
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 0);
}
END_TEST

START_TEST(F111_the_order_is_dropped_at_the_deadline)
{
	start_web_on_db();
	core_signal(fx.core, SIGTERM);
	fx_settle();
	fx_advance_ms(4999);
	expect_state("db", "running");
	fx_advance_ms(1);
	expect_state("db", "stopping");
	fx_die("db", SIGTERM);
	fx_advance_ms(10000);
	ck_assert(!fx.finished);
	fx_die("web", SIGKILL);
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 3);
}
END_TEST

START_TEST(a_rest_of_a_dependants_tree_holds_the_stop_up)
{
	start_web_on_db();
	fx_order(CORE_STOP, "db");
	fx_exit_leaving("web", SIGTERM, 1);
	expect_state("db", "running");
	fx_gone("web");
	expect_state("db", "stopping");
}
END_TEST

/* --- reload ----------------------------------------------------------------------------------- */

static void apply(void)
{
	ck_assert_int_eq(core_apply(fx.core, fx_draft(), true, NULL), 0);
	fx_settle();
}

START_TEST(a_reload_changes_edges_without_touching_children)
{
	start_web_on_db();
	fx_config();
	fx_add("web");
	ADD("db", depends_on, "web");
	apply();
	expect_state("web", "running");
	expect_state("db", "running");
	ck_assert_int_eq(fx_child("web")->spawns + fx_child("db")->spawns, 2);
	fx_order(CORE_STOP, "web");
	expect_state("db", "stopping");
	expect_state("web", "running");
}
END_TEST

START_TEST(a_reload_sets_free_what_waited)
{
	ADD("web", depends_on, "db");
	policy_write(fx_add("db"))->restart = RESTART_NEVER;
	fx.manual_exec = true;
	fx_start();
	fx_exec_fail_slot(fx_slot("db"), STAGE_EXEC, ENOENT);
	fx_settle();
	expect_waits("web", "db");
	fx_config();
	fx_add("web");
	policy_write(fx_add("db"))->restart = RESTART_NEVER;
	apply();
	ck_assert(asked("web"));
}
END_TEST

START_TEST(a_new_edge_to_what_is_down_starts_it)
{
	fx_add("web");
	fx_add("db")->autostart = false;
	fx_start();
	expect_state("db", "stopped");
	fx_config();
	ADD("web", binds_to, "db");
	fx_add("db")->autostart = false;
	apply();
	expect_state("web", "stopping");
	fx_die("web", SIGTERM);
	expect_state("db", "running");
	expect_state("web", "running");
}
END_TEST

START_TEST(removed_together_they_stop_in_order)
{
	start_web_on_db();
	fx_config();
	fx_add("other");
	apply();
	expect_state("web", "stopping");
	expect_state("db", "running");
	fx_die("web", SIGTERM);
	expect_state("web", "unknown");
	expect_state("db", "stopping");
	fx_die("db", SIGTERM);
	expect_state("db", "unknown");
}
END_TEST

/* --- deaths ----------------------------------------------------------------------------------- */

START_TEST(a_start_chain_goes_on_after_the_supervisors_death)
{
	fx.memory_fd = memfd_create("memory", MFD_CLOEXEC);
	ADD("top", depends_on, "web");
	ADD("web", depends_on, "db");
	fx_add("db")->autostart = false;
	fx.manual_exec = true;
	fx_start();
	ck_assert(asked("db"));
	fx_exec_ok_slot(fx_slot("db"));		/* nobody heard it */
	revive();
	expect_state("db", "running");
	ck_assert(asked("web") && !asked("top"));
	exec_ok("web");
	revive();
	exec_ok("top");
	expect_state("top", "running");
	ck_assert_str_eq(fx_board("db")->goal_why, "dependency");
	ck_assert_int_eq(fx_child("db")->spawns, 1);
}
END_TEST

START_TEST(what_a_oneshot_did_is_known_after_the_supervisors_death)
{
	fx.memory_fd = memfd_create("memory", MFD_CLOEXEC);
	ADD("web", depends_on, "migrate");
	oneshot(fx_add("migrate"));
	fx_start();
	fx_exit("migrate", 0);
	expect_state("web", "running");
	revive();
	fx_order(CORE_RESTART, "web");
	fx_die("web", SIGTERM);
	expect_state("web", "running");
	ck_assert_int_eq(fx_child("migrate")->spawns, 1);
}
END_TEST

START_TEST(an_ordered_stop_goes_on_after_the_supervisors_death)
{
	fx.memory_fd = memfd_create("memory", MFD_CLOEXEC);
	start_web_on_db();
	fx_order(CORE_STOP, "db");
	expect_state("web", "stopping");
	revive();
	expect_state("web", "stopping");
	expect_state("db", "running");
	fx_die("web", SIGTERM);
	expect_state("db", "stopping");
	fx_die("db", SIGTERM);
	expect_state("db", "stopped");
	expect_waits("web", "db");
}
END_TEST

START_TEST(a_shutdown_keeps_its_order_after_the_supervisors_death)
{
	fx.memory_fd = memfd_create("memory", MFD_CLOEXEC);
	ADD("late", after, "web");
	start_web_on_db();
	core_signal(fx.core, SIGTERM);
	fx_settle();
	expect_state("late", "stopping");
	revive();
	expect_state("web", "running");
	fx_die("late", SIGTERM);
	expect_state("web", "stopping");
	revive();
	expect_state("db", "running");
	fx_die("web", SIGTERM);
	expect_state("db", "stopping");
	fx_die("db", SIGTERM);
	ck_assert(fx.finished);
}
END_TEST

START_TEST(adopted_ones_stay_bound_and_are_not_stopped_meanwhile)
{
	fx.memory_fd = memfd_create("memory", MFD_CLOEXEC);
	ADD("bound", binds_to, "db");
	fx_add("db")->autostart = false;
	fx_start();
	expect_state("bound", "running");
	core_free(fx.core);
	fx.core = NULL;
	board_free(fx.board);
	fx.board = board_new(FX_SLOTS);
	fx.welcome.recovering = 0;	/* the keeper died, too */
	fx_new_core(7);
	expect_state("bound", "running");
	expect_state("db", "running");
	ck_assert_int_eq(fx_child("bound")->spawns, 1);
	fx_die("db", SIGKILL);
	expect_state("bound", "stopping");
}
END_TEST

START_TEST(adopted_without_any_memory_they_stay_up)
{
	ADD("bound", binds_to, "db");
	fx_add("db")->autostart = false;
	fx_start();
	core_free(fx.core);
	fx.core = NULL;
	board_free(fx.board);
	fx.board = board_new(FX_SLOTS);
	fx_new_core(7);
	expect_state("bound", "running");
	expect_state("db", "running");
}
END_TEST

FX_MAIN("core: dependencies", a_dependant_starts_when_its_dependency_is_ready,
	started_is_enough_for_who_says_so, independent_ones_start_at_once,
	a_oneshot_is_ready_when_it_has_succeeded,
	completed_does_not_ask_how_and_succeeded_does,
	completed_waits_until_it_is_not_restarted_any_more,
	what_is_needed_is_started_though_it_is_no_autostart,
	wants_waits_for_nothing_and_fails_with_nothing, after_and_before_only_order,
	after_does_not_wait_for_what_cannot_come, S25_looks_like_a_cycle_but_is_none,
	a_dependant_of_a_failed_one_waits_says_so_and_starts_when_it_recovers,
	S24_a_crash_leaves_depends_on_running_and_stops_binds_to,
	a_crashed_dependant_comes_back_after_its_dependency,
	S29_a_start_fails_with_the_name_and_reason_of_the_root,
	S29_a_start_does_not_wait_for_endless_restarts,
	S08_a_restart_of_what_waits_goes_on_waiting, a_stop_of_what_waits_ends_the_waiting,
	dense_edges_that_fall_over_like_dominoes_are_no_endless_loop,
	readiness_of_the_instance_does_not_wait_for_what_cannot_come,
	stopping_a_dependency_stops_its_dependants_first,
	starting_a_dependant_takes_the_stop_of_its_dependency_back,
	a_stop_is_taken_back_before_its_turn_came,
	a_restart_leaves_depends_on_and_takes_binds_to_along,
	a_restart_of_everything_stops_in_reverse_order_and_starts_in_order,
	a_restart_of_what_others_are_leaving_waits_for_them,
	a_stop_of_everything_goes_in_reverse_order, S28_a_shutdown_stops_in_reverse_order,
	F111_the_order_is_dropped_at_the_deadline, a_rest_of_a_dependants_tree_holds_the_stop_up,
	a_reload_changes_edges_without_touching_children, a_reload_sets_free_what_waited,
	a_new_edge_to_what_is_down_starts_it, removed_together_they_stop_in_order,
	a_start_chain_goes_on_after_the_supervisors_death,
	what_a_oneshot_did_is_known_after_the_supervisors_death,
	an_ordered_stop_goes_on_after_the_supervisors_death,
	a_shutdown_keeps_its_order_after_the_supervisors_death,
	adopted_ones_stay_bound_and_are_not_stopped_meanwhile,
	adopted_without_any_memory_they_stay_up)
