/* Health: when it is asked, what several answers amount to, and what follows. */
#include "core_fixture.h"

#include "core/live.h"

#define GOOD(name) fx_probed((name), PROBE_PASSED, "connected")
#define BAD(name) fx_probed((name), PROBE_FAILED, "cannot connect")

static void set_health(struct subsystem_options *o, const char *text)
{
	auto_free(strbuf_fini) struct strbuf why = STRBUF_INIT;

	probe_option_free(o->policy->health);
	policy_write(o)->health = NULL;
	ck_assert_int_eq(probe_option_parse(text, PROBES_HEALTH, &policy_write(o)->health, &why), 0);
}

/* Asked every second, given half of one, ill after three bad answers. */
static struct subsystem_options *add_probed(const char *name)
{
	struct subsystem_options *o = fx_add(name);

	set_health(o, "tcp:127.0.0.1:80");
	policy_write(o)->health_interval_ms = 1000;
	policy_write(o)->health_timeout_ms = 500;
	policy_write(o)->restart = RESTART_ALWAYS;
	return o;
}

static struct subsystem_options *add_web(void)
{
	return add_probed("web");
}

static bool asked(const char *name)
{
	return fx_child(name)->probe_id != 0;
}

static enum health health_of(const char *name)
{
	return fx_board(name)->health;
}

static void expect_health(const char *name, const char *health, const char *detail)
{
	fx_expect_type("health_changed");
	ck_assert_str_eq(fx_str("name"), name);
	ck_assert_str_eq(fx_str("health"), health);
	ck_assert_str_eq(fx_str("detail"), detail);
}

static void expect_ready(const char *name, bool ready, const char *reason)
{
	fx_expect_type("ready_changed");
	ck_assert_str_eq(fx_str("name"), name);
	ck_assert_int_eq(fx_true("ready"), ready);
	ck_assert_str_eq(fx_str("reason"), reason);
}

/* So many bad answers, a second apart. The question is asked. */
static void fail_times(const char *name, int n)
{
	for (int i = 0; i < n; i++) {
		if (!asked(name))
			fx_advance_ms(1000);
		BAD(name);
	}
}

START_TEST(it_is_asked_as_soon_as_it_is_ready)
{
	policy_write(add_web())->min_uptime_ms = 300;
	fx_start();
	ck_assert(!asked("web"));
	fx_advance_ms(299);
	ck_assert(!asked("web"));
	fx_advance_ms(1);
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert(asked("web"));
	ck_assert_int_eq(fx_child("web")->probe_timeout_ns, 500 * NS_PER_MS);
	ck_assert_int_eq(fx_child("web")->probed->port, 80);
}
END_TEST

START_TEST(the_start_period_delays_the_first_question)
{
	policy_write(add_web())->health_start_period_ms = 2000;
	fx_start_web();
	fx_advance_ms(1999);
	ck_assert_int_eq(fx_child("web")->probes, 0);
	fx_advance_ms(1);
	ck_assert_int_eq(fx_child("web")->probes, 1);
}
END_TEST

START_TEST(one_without_a_probe_costs_nothing)
{
	fx_add("web");
	fx_start_web();
	fx_advance_ms(2000);	/* the service manager's line */
	ck_assert_int_eq(core_next_deadline(fx.core), TIMER_NEVER);
	ck_assert_int_eq(health_of("web"), HEALTH_UNKNOWN);
}
END_TEST

START_TEST(questions_are_an_interval_apart)
{
	int64_t before, gap;

	add_web();
	fx_start_web();
	before = fx_ms();
	GOOD("web");
	while (!asked("web"))
		fx_advance_ms(1);
	/* The second one moves away from those of others that became ready together. */
	gap = fx_ms() - before;
	ck_assert_int_ge(gap, 900);
	ck_assert_int_le(gap, 1000);
	for (int i = 0; i < 5; i++) {
		GOOD("web");
		fx_advance_ms(999);
		ck_assert(!asked("web"));
		fx_advance_ms(1);
		ck_assert(asked("web"));
	}
	ck_assert_int_eq(fx_child("web")->probes, 7);
}
END_TEST

START_TEST(there_is_one_question_at_a_time)
{
	add_web();
	fx_start_web();
	fx_advance_ms(3500);
	ck_assert_int_eq(fx_child("web")->probes, 1);
	GOOD("web");
	ck_assert_int_eq(fx_child("web")->probes, 2);	/* overdue, so at once */
	ck_assert(asked("web"));
}
END_TEST

START_TEST(the_interval_of_monitoring_is_the_default)
{
	policy_write(add_web())->health_interval_ms = TIMEOUT_UNSET;
	fx.draft->monitoring.health_check_interval_ms = 7000;
	fx_start_web();
	GOOD("web");
	fx_advance_ms(6299);
	ck_assert(!asked("web"));
	fx_advance_ms(701);
	ck_assert(asked("web"));
}
END_TEST

START_TEST(one_good_answer_makes_it_healthy)
{
	add_web();
	fx_start_web();
	ck_assert_int_eq(health_of("web"), HEALTH_UNKNOWN);
	GOOD("web");
	expect_health("web", "healthy", "connected");
	ck_assert_int_eq(health_of("web"), HEALTH_HEALTHY);
	ck_assert_str_eq(fx_board("web")->texts->health_detail, "connected");
	fx_advance_ms(1000);
	GOOD("web");
	ck_assert_ptr_null(fx_next_event());
}
END_TEST

START_TEST(a_few_bad_answers_change_nothing_but_are_shown)
{
	add_web();
	fx_start_web();
	GOOD("web");
	fx_skip_events();
	fail_times("web", 2);
	ck_assert_ptr_null(fx_next_event());
	ck_assert_int_eq(health_of("web"), HEALTH_HEALTHY);
	ck_assert(fx_board("web")->ready);
	ck_assert_uint_eq(fx_board("web")->health_failures, 2);
	ck_assert_str_eq(fx_board("web")->texts->health_detail, "cannot connect");
	/* A good one in between: it begins anew. */
	fx_advance_ms(1000);
	GOOD("web");
	ck_assert_uint_eq(fx_board("web")->health_failures, 0);
	fail_times("web", 2);
	ck_assert_ptr_null(fx_next_event());
	ck_assert_str_eq(fx_signals(), "");
}
END_TEST

START_TEST(an_unhealthy_one_is_ended_as_a_failure)
{
	add_web();
	fx_start_web();
	GOOD("web");
	fx_skip_events();
	fail_times("web", 3);
	expect_health("web", "unhealthy", "cannot connect");
	expect_ready("web", false, "health");
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert(!fx_board("web")->ready);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_advance_ms(3000);
	ck_assert(!asked("web"));
	ck_assert_str_eq(fx_signals(), "");
	fx_exit("web", 0);	/* however it ends then */
	fx_expect("web", "failed", "health");
	ck_assert_int_eq(fx_int("next_restart_ms"), 100);
	fx_expect("web", "restarting", "health");
	ck_assert_str_eq(fx_board("web")->texts->last_error, "was unhealthy; exited with code 0");
	ck_assert_int_eq(health_of("web"), HEALTH_UNKNOWN);
	ck_assert(!asked("web"));
	fx_advance_ms(100);
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_uint_eq(fx_board("web")->restart_count, 1);
	ck_assert(asked("web"));
}
END_TEST

START_TEST(one_that_does_not_go_is_killed)
{
	policy_write(add_web())->stop_timeout_ms = 2000;
	fx_start_web();
	fail_times("web", 3);
	fx_advance_ms(2000);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont KILL/tree");
	fx_die("web", SIGKILL);
	fx_expect("web", "failed", "health");
	ck_assert(fx_true("killed"));
}
END_TEST

START_TEST(orders_come_before_an_end_that_is_under_way)
{
	add_web();
	fx_start_web();
	fail_times("web", 3);
	fx_signals();
	fx_skip_events();
	fx_order(CORE_RESTART, "web");
	fx_expect("web", "stopping", "request");
	ck_assert_str_eq(fx_signals(), "");	/* it was asked already */
	fx_exit("web", 0);
	fx_expect("web", "stopped", "request");
	fx_expect("web", "starting", "request");
	ck_assert_uint_eq(fx_board("web")->restart_count, 0);
	fx_expect("web", "running", "start");
	fail_times("web", 3);
	fx_skip_events();
	fx_order(CORE_STOP, "web");
	fx_expect("web", "stopping", "request");
	fx_exit("web", 0);
	fx_expect("web", "stopped", "request");
	fx_expect_quiet();
}
END_TEST

START_TEST(a_shutdown_ends_what_health_began_to_end)
{
	add_web();
	fx_start_web();
	fail_times("web", 3);
	fx_skip_events();
	fx_order(CORE_SHUTDOWN, NULL);
	fx_expect("web", "stopping", "shutdown");
	fx_exit("web", 0);
	fx_expect("web", "stopped", "shutdown");
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 0);
}
END_TEST

START_TEST(health_uses_up_the_attempts)
{
	struct subsystem_options *o = add_web();

	policy_write(o)->restart_max_attempts = 1;
	fx_start_web();
	fail_times("web", 3);
	fx_exit("web", 0);
	fx_advance_ms(100);
	fail_times("web", 3);
	fx_skip_events();
	fx_exit("web", 0);
	fx_expect("web", "failed", "health");
	ck_assert(fx_true("gave_up"));
	ck_assert_str_eq(fx_state("web"), "failed");
	fx_advance_ms(60000);
	fx_expect_quiet();
}
END_TEST

START_TEST(without_a_restart_policy_it_stays_failed)
{
	policy_write(add_web())->restart = RESTART_NEVER;
	fx_start_web();
	fail_times("web", 3);
	fx_exit("web", 0);
	ck_assert_str_eq(fx_state("web"), "failed");
	fx_advance_ms(60000);
	ck_assert_str_eq(fx_state("web"), "failed");
}
END_TEST

START_TEST(with_event_it_runs_on_and_may_recover)
{
	policy_write(add_web())->on_unhealthy = ON_UNHEALTHY_EVENT;
	fx_start_web();
	fail_times("web", 5);
	expect_health("web", "unhealthy", "cannot connect");
	expect_ready("web", false, "health");
	ck_assert_ptr_null(fx_next_event());
	ck_assert_str_eq(fx_signals(), "");
	ck_assert_str_eq(fx_state("web"), "running");
	fx_advance_ms(1000);
	GOOD("web");
	expect_health("web", "healthy", "connected");
	expect_ready("web", true, "health");
	ck_assert_ptr_null(fx_next_event());
}
END_TEST

START_TEST(with_stop_it_is_stopped_and_stays_so)
{
	policy_write(add_web())->on_unhealthy = ON_UNHEALTHY_STOP;
	fx_start_web();
	fail_times("web", 3);
	fx_expect("web", "stopping", "health");
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_exit("web", 0);
	fx_expect("web", "stopped", "health");
	ck_assert_str_eq(fx_board("web")->goal_why, "health");
	ck_assert(!fx_board("web")->goal_up);
	fx_advance_ms(60000);
	fx_expect_quiet();
	ck_assert_str_eq(fx_answer(fx_order(CORE_START, "web")), "");
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert(asked("web"));
	ck_assert_str_eq(fx_board("web")->goal_why, "operator");
	fail_times("web", 3);
	ck_assert_str_eq(fx_state("web"), "stopping");	/* stronger than that start */
}
END_TEST

START_TEST(that_procd_cannot_ask_says_nothing)
{
	add_web();
	fx_start_web();
	for (int i = 0; i < 10; i++) {
		fx_probed("web", PROBE_NOT_MADE, "no descriptors");
		fx_advance_ms(1000);
	}
	ck_assert_ptr_null(fx_next_event());
	ck_assert_int_eq(health_of("web"), HEALTH_UNKNOWN);
	ck_assert_uint_eq(fx_board("web")->health_failures, 0);
	ck_assert(asked("web"));
}
END_TEST

START_TEST(an_end_by_itself_ends_the_question)
{
	add_web();
	fx_start_web();
	ck_assert(asked("web"));
	fx_die("web", SIGSEGV);
	ck_assert(!asked("web"));
	fx_expect("web", "failed", "signal");
}
END_TEST

START_TEST(an_answer_while_its_last_output_is_read_does_not_count)
{
	struct subsystem_options *o = add_web();

	streams_write(o)->stdio[1].kind = STDIO_LOG;
	policy_write(o)->health_retries = 1;
	fx_start_web();
	fx.manual_drain = true;
	fx_end_slot(fx_slot("web"), SIGSEGV, 0);
	fx_settle();
	BAD("web");
	ck_assert_ptr_null(fx_next_event());
	fx.manual_drain = false;
	fx_settle();
	fx_expect("web", "failed", "signal");
}
END_TEST

START_TEST(a_late_answer_is_nobodys)
{
	uint64_t late;

	policy_write(add_web())->health_retries = 1;
	fx_start_web();
	late = fx_child("web")->probe_id;
	fx_exit("web", 0);
	fx_advance_ms(100);
	ck_assert(asked("web"));
	fx_skip_events();
	core_probed(fx.core, late, PROBE_FAILED, "too late");
	fx_settle();
	ck_assert_ptr_null(fx_next_event());
	ck_assert(asked("web"));
	GOOD("web");
	expect_health("web", "healthy", "connected");
}
END_TEST

START_TEST(a_command_is_a_task_with_its_own_time)
{
	struct subsystem_options *o = add_web();

	set_health(o, "command:/bin/test -e ok");
	fx_start_web();
	ck_assert(fx.child[1].alive);
	ck_assert_str_eq(plan_str(fx.child[1].plan, fx.child[1].plan->name), "web/probe");
	fx_end_slot(1, W_EXITCODE(0, 0), 0);
	fx_settle();
	expect_health("web", "healthy", "exited with code 0");
	while (!fx.child[1].alive)
		fx_advance_ms(1);
	fx_skip_events();
	fx_signals();
	fx_advance_ms(499);
	ck_assert_str_eq(fx_signals(), "");
	fx_advance_ms(1);
	ck_assert_str_eq(fx_signals(), "KILL/tree");
	fx_end_slot(1, SIGKILL, 0);
	fx_settle();
	ck_assert_uint_eq(fx_board("web")->health_failures, 1);
	ck_assert_str_eq(fx_board("web")->texts->health_detail, "did not end within 500ms and was killed");
}
END_TEST

START_TEST(one_that_is_to_go_down_anyway_is_only_told_of)
{
	struct subsystem_options *o;

	add_web();
	o = fx_add("user");
	strlist_add(&links_write(o)->depends_on, "web");
	fx_start();
	fx_order(CORE_STOP, "web");
	ck_assert_str_eq(fx_state("user"), "stopping");
	ck_assert_str_eq(fx_state("web"), "running");
	fx_signals();
	fail_times("web", 3);
	ck_assert_int_eq(health_of("web"), HEALTH_UNHEALTHY);
	ck_assert_str_eq(fx_signals(), "");
	fx_exit("user", 0);
	fx_exit("web", 0);
	ck_assert_str_eq(fx_state("web"), "stopped");
	ck_assert_str_eq(enumtext_name(&reason_text, (int)fx_board("web")->reason), "request");
}
END_TEST

/* --- dependants ------------------------------------------------------------------------------- */

static void add_user(const char *item, bool bound)
{
	struct subsystem_options *o = fx_add("user");

	strlist_add(bound ? &links_write(o)->binds_to : &links_write(o)->depends_on, item);
}

START_TEST(a_dependant_can_wait_for_health)
{
	add_web();
	add_user("web:healthy", false);
	fx_start();
	ck_assert_str_eq(fx_state("user"), "stopped");
	ck_assert_str_eq(fx_board("user")->texts->waits_for, "web:healthy");
	GOOD("web");
	ck_assert_str_eq(fx_state("user"), "running");
}
END_TEST

START_TEST(where_nobody_is_asked_ready_is_healthy)
{
	fx.draft->monitoring.health_checks = false;
	add_web();
	add_user("web:healthy", false);
	fx_start();
	ck_assert(!asked("web"));
	ck_assert_str_eq(fx_state("user"), "running");
}
END_TEST

START_TEST(running_dependants_of_an_unhealthy_one_are_left_alone)
{
	policy_write(add_web())->on_unhealthy = ON_UNHEALTHY_EVENT;
	add_user("web:healthy", true);
	fx_start();
	GOOD("web");
	ck_assert_str_eq(fx_state("user"), "running");
	fail_times("web", 3);
	ck_assert_int_eq(health_of("web"), HEALTH_UNHEALTHY);
	ck_assert_str_eq(fx_state("user"), "running");
	/* But nothing new begins. */
	fx_exit("user", 1);
	fx_advance_ms(1000);
	ck_assert_str_eq(fx_state("user"), "restarting");
	ck_assert_str_eq(fx_board("user")->texts->waits_for, "web:healthy");
	GOOD("web");
	ck_assert_str_eq(fx_state("user"), "running");
}
END_TEST

START_TEST(what_is_not_healthy_is_not_ready)
{
	policy_write(add_web())->on_unhealthy = ON_UNHEALTHY_EVENT;
	add_user("web", false);
	fx_start();
	fx_order(CORE_STOP, "user");
	fx_exit("user", 0);
	fail_times("web", 3);
	fx_order(CORE_START, "user");
	ck_assert_str_eq(fx_state("user"), "stopped");
	ck_assert_str_eq(fx_board("user")->texts->waits_for, "web");
	fx_advance_ms(1000);
	GOOD("web");
	ck_assert_str_eq(fx_state("user"), "running");
}
END_TEST

START_TEST(what_is_bound_stops_when_an_unhealthy_one_is_ended)
{
	add_web();
	add_user("web", true);
	fx_start();
	fail_times("web", 3);
	ck_assert_str_eq(fx_state("user"), "stopping");
	fx_exit("user", 0);
	fx_exit("web", 0);
	fx_advance_ms(100);
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_str_eq(fx_state("user"), "running");
}
END_TEST

START_TEST(dependants_stop_before_one_that_is_stopped_for_its_health)
{
	policy_write(add_web())->on_unhealthy = ON_UNHEALTHY_STOP;
	add_user("web", false);
	fx_start();
	fail_times("web", 3);
	ck_assert_str_eq(fx_state("user"), "stopping");
	ck_assert_str_eq(fx_state("web"), "running");
	fx_exit("user", 0);
	ck_assert_str_eq(fx_state("web"), "stopping");
	fx_exit("web", 0);
	ck_assert_str_eq(fx_state("web"), "stopped");
	/* An order for the dependant is one for it, too. */
	fx_order(CORE_START, "user");
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_str_eq(fx_state("user"), "running");
}
END_TEST

/* --- reload ----------------------------------------------------------------------------------- */

static void reload(void)
{
	ck_assert_int_eq(core_apply(fx.core, fx_draft(), false, NULL), 0);
	fx_settle();
}

START_TEST(a_reload_brings_a_probe)
{
	policy_write(fx_add("web"))->restart = RESTART_ALWAYS;
	fx_start_web();
	fx_advance_ms(5000);
	fx_config();
	add_web();
	reload();
	ck_assert(asked("web"));
	ck_assert_int_eq(fx_child("web")->spawns, 1);
	GOOD("web");
	ck_assert_int_eq(health_of("web"), HEALTH_HEALTHY);
}
END_TEST

START_TEST(a_reload_takes_the_probe_away)
{
	policy_write(add_web())->on_unhealthy = ON_UNHEALTHY_EVENT;
	fx_start_web();
	fail_times("web", 3);
	fx_advance_ms(1000);
	ck_assert(asked("web"));
	fx_skip_events();
	fx_config();
	policy_write(fx_add("web"))->restart = RESTART_ALWAYS;
	reload();
	ck_assert(!asked("web"));
	expect_health("web", "unknown", "not probed any more");
	expect_ready("web", true, "health");
	fx_advance_ms(2000);
	ck_assert_int_eq(core_next_deadline(fx.core), TIMER_NEVER);
	ck_assert_int_eq(fx_child("web")->spawns, 1);
}
END_TEST

START_TEST(another_probe_is_asked_at_once)
{
	struct subsystem_options *o;

	add_web();
	fx_start_web();
	GOOD("web");
	fx_skip_events();
	fx_config();
	o = add_web();
	set_health(o, "tcp:127.0.0.1:81");
	reload();
	ck_assert(asked("web"));
	ck_assert_int_eq(fx_child("web")->probed->port, 81);
	ck_assert_int_eq(health_of("web"), HEALTH_HEALTHY);	/* until it says otherwise */
	ck_assert_ptr_null(fx_next_of("health_changed"));
}
END_TEST

START_TEST(another_interval_counts_from_the_last_question)
{
	add_web();
	fx_start_web();
	GOOD("web");
	fx_advance_ms(500);
	fx_config();
	policy_write(add_web())->health_interval_ms = 600;
	reload();
	fx_advance_ms(99);
	ck_assert(!asked("web"));
	fx_advance_ms(1);
	ck_assert(asked("web"));
}
END_TEST

START_TEST(the_switch_of_monitoring_stops_and_begins_all)
{
	add_web();
	add_probed("other");
	fx_start();
	GOOD("web");
	fx_config();
	fx.draft->monitoring.health_checks = false;
	add_web();
	add_probed("other");
	reload();
	ck_assert(!asked("web"));
	ck_assert(!asked("other"));
	ck_assert_int_eq(health_of("web"), HEALTH_UNKNOWN);
	fx_config();
	add_web();
	add_probed("other");
	reload();
	ck_assert(asked("web"));
	ck_assert(asked("other"));
}
END_TEST

/* --- the death of the supervisor -------------------------------------------------------------- */

static void die_and_come_back(void)
{
	core_free(fx.core);
	fx.core = NULL;
	board_free(fx.board);
	fx.board = board_new(FX_SLOTS * 4);
	fx.welcome.recovering = 1;
	fx.welcome.deaths++;
	fx_new_core(9);
}

START_TEST(a_successor_knows_what_was_said)
{
	fx.memory_fd = memfd_create("memory", 0);
	policy_write(add_web())->on_unhealthy = ON_UNHEALTHY_EVENT;
	fx_start_web();
	fail_times("web", 3);
	fx_skip_events();
	die_and_come_back();
	ck_assert_int_eq(health_of("web"), HEALTH_UNHEALTHY);
	ck_assert(!fx_board("web")->ready);
	ck_assert(asked("web"));
	fail_times("web", 3);
	ck_assert_ptr_null(fx_next_of("health_changed"));
	fx_advance_ms(1000);
	GOOD("web");
	fx.cursor = 0;
	while (strcmp(fx_str("health"), "healthy") != 0)
		fx_expect_type("health_changed");
	expect_ready("web", true, "health");
}
END_TEST

START_TEST(a_successor_ends_what_its_predecessor_began_to_end)
{
	fx.memory_fd = memfd_create("memory", 0);
	add_web();
	fx_start_web();
	fail_times("web", 3);
	ck_assert_str_eq(fx_signals(), "TERM/tree+cont");
	fx_skip_events();
	die_and_come_back();
	ck_assert(!asked("web"));
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert(!fx_board("web")->ready);
	fx_exit("web", 0);
	fx_expect("web", "failed", "health");
}
END_TEST

START_TEST(a_successor_leaves_down_what_was_stopped_for_its_health)
{
	fx.memory_fd = memfd_create("memory", 0);
	policy_write(add_web())->on_unhealthy = ON_UNHEALTHY_STOP;
	fx_start_web();
	fail_times("web", 3);
	fx_exit("web", 0);
	die_and_come_back();
	ck_assert_str_eq(fx_state("web"), "stopped");
	ck_assert_str_eq(fx_board("web")->goal_why, "health");
}
END_TEST

/* --- whatever comes --------------------------------------------------------------------------- */

#define N 4
#define NAME(i) ((char[]){ 's', (char)('0' + (i)), '\0' })

static unsigned int seed;
static struct {
	bool running, ready;	/* as the events say */
	const char *health;
} told[N];

static int rnd(int n)
{
	return rand_r(&seed) % n;
}

static void draft_of_chance(void)
{
	static const char *const probes[] = { "tcp:127.0.0.1:80", "http://127.0.0.1/", "unix:/s" };

	if (fx.draft == NULL)
		fx_config();
	fx.draft->monitoring.health_checks = rnd(8) > 0;
	for (int i = 0; i < N; i++) {
		struct subsystem_options *o = fx_add(NAME(i));

		policy_write(o)->restart = rnd(4) ? RESTART_ALWAYS : RESTART_NEVER;
		policy_write(o)->on_unhealthy = (enum on_unhealthy)rnd(3);
		policy_write(o)->health_retries = 1 + rnd(3);
		policy_write(o)->health_interval_ms = 100 * (1 + rnd(9));
		policy_write(o)->health_start_period_ms = rnd(3) * 300;
		policy_write(o)->stop_timeout_ms = 2000;
		if (i == 0 || rnd(4) > 0)
			set_health(o, probes[rnd(3)]);
		if (i > 0 && fx.draft->subsystems[0]->policy->health != NULL)
			strlist_add(i == 1 ? &links_write(o)->depends_on :
					     &links_write(o)->binds_to, "s0:healthy");
	}
}

static void hear(void)
{
	while (fx_next_event() != NULL) {
		int i = fx_str("name")[0] == 's' ? fx_str("name")[1] - '0' : -1;

		if (i < 0)
			continue;
		if (strcmp(fx_str("type"), "state_changed") == 0) {
			told[i].running = strcmp(fx_str("state"), "running") == 0;
			told[i].health = "unknown";
		} else if (strcmp(fx_str("type"), "ready_changed") == 0) {
			fx_insist(told[i].ready != fx_true("ready"), "ready is told twice");
			told[i].ready = fx_true("ready");
		} else if (strcmp(fx_str("type"), "health_changed") == 0) {
			fx_insist(strcmp(told[i].health, fx_str("health")) != 0,
				  "health is told twice");
			told[i].health = enumtext_name(&health_text, enumtext_find(
						       &health_text, fx_str("health")));
		}
	}
}

/* What was told is what is shown, and only what runs is asked. */
static void inspect(void)
{
	hear();
	for (int i = 0; i < N; i++) {
		const struct board_record *r = fx_board(NAME(i));

		fx_insist(strcmp(told[i].health, enumtext_name(&health_text, (int)r->health)) == 0,
			  "seed %u: %s was told to be %s", seed, r->name, told[i].health);
		fx_insist(told[i].ready == r->ready, "seed %u: %s is ready?", seed, r->name);
		fx_insist(told[i].running == (r->state == STATE_RUNNING), "%s runs?", r->name);
		fx_insist(!r->ready || (told[i].running && r->health != HEALTH_UNHEALTHY),
			  "%s cannot be ready", r->name);
		fx_insist(!asked(r->name) || told[i].running, "%s is asked", r->name);
	}
}

static void act(int i)
{
	static const enum core_verb verbs[] = { CORE_START, CORE_STOP, CORE_RESTART };
	const char *name = NAME(i);

	switch (rnd(16)) {
	case 0:
		if (fx_child(name)->alive)
			fx_exit(name, rnd(2));
		break;
	case 1:
		fx_order(verbs[rnd(3)], name);
		break;
	case 2:
		if (rnd(4) == 0) {
			draft_of_chance();
			core_apply(fx.core, fx_draft(), false, NULL);
			fx_settle();
		}
		break;
	case 3:
		if (rnd(4) == 0) {
			die_and_come_back();
		}
		break;
	case 4:
	case 5:
	case 6:
		fx_advance_ms(rnd(1000));
		break;
	default:
		if (asked(name))
			fx_probed(name, rnd(9) == 0 ? PROBE_NOT_MADE : rnd(2) ? PROBE_PASSED :
				  PROBE_FAILED, "so");
		else
			fx_advance_ms(rnd(200));
	}
	/* What was asked to go goes, sooner or later. */
	for (int k = 0; k < N; k++)
		if (fx_child(NAME(k))->alive && !fx_board(NAME(k))->ready && rnd(3) == 0)
			fx_die(NAME(k), SIGTERM);
}

static void live(void)
{
	fx.memory_fd = memfd_create("memory", 0);
	for (int i = 0; i < N; i++) {
		told[i].running = told[i].ready = false;
		told[i].health = "unknown";
	}
	draft_of_chance();
	fx_start();
	for (int n = 0; n < 1000; n++) {
		inspect();
		act(rnd(N));
	}
	inspect();
}

START_TEST(whatever_comes_what_is_told_is_what_is)
{
	for (unsigned int life = 1; life <= 50; life++) {
		seed = life;
		live();
		fx_teardown();
		fx_setup();
	}
}
END_TEST

FX_MAIN("core/health", it_is_asked_as_soon_as_it_is_ready,
	the_start_period_delays_the_first_question,
	one_without_a_probe_costs_nothing, questions_are_an_interval_apart,
	there_is_one_question_at_a_time, the_interval_of_monitoring_is_the_default,
	one_good_answer_makes_it_healthy, a_few_bad_answers_change_nothing_but_are_shown,
	an_unhealthy_one_is_ended_as_a_failure, one_that_does_not_go_is_killed,
	orders_come_before_an_end_that_is_under_way, a_shutdown_ends_what_health_began_to_end,
	health_uses_up_the_attempts, without_a_restart_policy_it_stays_failed,
	with_event_it_runs_on_and_may_recover, with_stop_it_is_stopped_and_stays_so,
	that_procd_cannot_ask_says_nothing, an_end_by_itself_ends_the_question,
	an_answer_while_its_last_output_is_read_does_not_count,
	a_late_answer_is_nobodys, a_command_is_a_task_with_its_own_time,
	one_that_is_to_go_down_anyway_is_only_told_of,
	a_dependant_can_wait_for_health, where_nobody_is_asked_ready_is_healthy,
	running_dependants_of_an_unhealthy_one_are_left_alone, what_is_not_healthy_is_not_ready,
	what_is_bound_stops_when_an_unhealthy_one_is_ended,
	dependants_stop_before_one_that_is_stopped_for_its_health, a_reload_brings_a_probe,
	a_reload_takes_the_probe_away, another_probe_is_asked_at_once,
	another_interval_counts_from_the_last_question,
	the_switch_of_monitoring_stops_and_begins_all, a_successor_knows_what_was_said,
	a_successor_ends_what_its_predecessor_began_to_end,
	a_successor_leaves_down_what_was_stopped_for_its_health,
	whatever_comes_what_is_told_is_what_is)
