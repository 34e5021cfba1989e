/* Runs by the clock: when they come, that they never overlap, and what becomes of them when
 * somebody sets the clock, changes the configuration or kills the supervisor. */
#include "core_fixture.h"

#define MINUTE (INT64_C(60) * NS_PER_SEC)
#define HOUR (60 * MINUTE)
#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

static int64_t real_ahead;	/* the time of day is that much ahead of fx.now */

static int64_t real_now(void *ctx)
{
	(void)ctx;
	return fx.now + real_ahead;
}

/* The time of day becomes this, in UTC; nobody is told. */
static void set_clock(const char *text)
{
	struct tm tm = { 0 };

	ck_assert_ptr_nonnull(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
	real_ahead = (int64_t)timegm(&tm) * NS_PER_SEC - fx.now;
}

/* The machine sleeps for NS: for the fake clocks that is a time in which nothing runs. */
static void sleep_for(int64_t ns)
{
	fx.now += ns;
	fx_settle();
}

static void setup(void)
{
	fx_setup();
	fx.memory_fd = memfd_create("memory", 0);
	clock_set_fake_real(real_now, NULL);
	set_clock("2026-11-23 12:00:30");
}

static void teardown(void)
{
	fx_teardown();
	clock_set_fake_real(NULL, NULL);
}

/* Both clocks go on together; the loop turns when either says so. */
static void pass(int64_t ns)
{
	int64_t until = fx.now + ns;

	for (;;) {
		int64_t mono = core_next_deadline(fx.core), real = core_next_moment(fx.core);
		int64_t next = MIN(mono, real == INT64_MAX ? real : real - real_ahead);

		if (next > until)
			break;
		fx.now = MAX(next, fx.now);
		fx_settle();
	}
	fx.now = until;
	fx_settle();
}

static struct subsystem_options *add_cron(const char *name, const char *line, const char *zone)
{
	struct subsystem_options *o = fx_add(name);
	struct cron_error e;

	o->type = TYPE_ONESHOT;
	policy_write(o)->restart = RESTART_NEVER;
	policy_write(o)->schedule = x_strdup(line);
	free(o->policy->cron);
	policy_write(o)->cron = x_calloc(1, sizeof(*policy_write(o)->cron));
	ck_assert_msg(cron_parse(line, o->policy->cron, &e), "%s", e.message);
	policy_write(o)->zone = zone_parse("test", zone, strlen(zone));
	ck_assert_ptr_nonnull(o->policy->zone);
	return o;
}

static struct subsystem_options *add_every(const char *name, int64_t ms)
{
	struct subsystem_options *o = fx_add(name);

	o->type = TYPE_ONESHOT;
	policy_write(o)->restart = RESTART_NEVER;
	policy_write(o)->every_ms = ms;
	return o;
}

static int spawns(const char *name)
{
	return fx_child(name)->spawns;
}

/* When the next run of NAME is planned, as local time of day in UTC; "": not at all. */
static const char *planned(const char *name)
{
	static char text[64];
	struct strbuf at = STRBUF_INIT;
	const struct board_record *r = fx_board(name);

	text[0] = '\0';
	if (r->next_run_ns != 0)
		clock_format_rfc3339(r->next_run_ns + (r->next_run_real ? 0 : real_ahead), &at);
	if (at.len > 0)
		snprintf(text, sizeof(text), "%.10s %.8s", at.buf, at.buf + 11);
	strbuf_fini(&at);
	return text;
}

static void die(void)
{
	core_free(fx.core);
	fx.core = NULL;
	board_free(fx.board);
	fx.board = NULL;
}

static void come_back(bool same_keeper)
{
	fx.board = board_new(FX_SLOTS * 4);
	fx.welcome.recovering = same_keeper;
	fx_new_core(9);
}

static void apply(void)
{
	json_t *summary;

	ck_assert_int_eq(core_apply(fx.core, fx_draft(), false, &summary), 0);
	json_decref(summary);
	fx_settle();
}

/* --- the ordinary case ------------------------------------------------------------------------ */

START_TEST(a_scheduled_one_waits_for_its_minute_and_runs_with_the_reason_schedule)
{
	add_cron("job", "*/5 * * * *", "UTC0");
	fx_start();
	fx_expect_quiet();
	ck_assert_int_eq(fx.state, DAEMON_RUNNING);
	ck_assert_str_eq(planned("job"), "2026-11-23 12:05:00");
	pass(4 * MINUTE + 29 * NS_PER_SEC);
	ck_assert_int_eq(spawns("job"), 0);
	pass(NS_PER_SEC);
	fx_expect("job", "starting", "schedule");
	fx_expect("job", "running", "start");
	fx_exit("job", 0);
	fx_expect("job", "stopped", "exit");
	ck_assert_str_eq(planned("job"), "2026-11-23 12:10:00");
	pass(HOUR);
	ck_assert_int_eq(spawns("job"), 2);
}
END_TEST

START_TEST(nothing_wakes_up_before_the_next_run)
{
	add_cron("job", "0 3 1 1 *", "UTC0");
	fx_start();
	pass(MINUTE);
	ck_assert_int_eq(core_next_deadline(fx.core), INT64_MAX);
	ck_assert_str_eq(planned("job"), "2027-01-01 03:00:00");
	fx_order(CORE_STOP, "job");
	pass(MINUTE);
	ck_assert_int_eq(core_next_deadline(fx.core), INT64_MAX);
	ck_assert_int_eq(core_next_moment(fx.core), INT64_MAX);
}
END_TEST

START_TEST(a_period_counts_from_the_last_start_and_the_first_run_comes_at_once)
{
	add_every("job", 10000);
	fx_start();
	fx_expect("job", "starting", "start");
	pass(4 * NS_PER_SEC);
	fx_exit("job", 0);
	pass(5999 * NS_PER_MS);
	ck_assert_int_eq(spawns("job"), 1);
	pass(NS_PER_MS);
	ck_assert_int_eq(spawns("job"), 2);
	fx_exit("job", 0);
	pass(3 * NS_PER_SEC);
	fx_order(CORE_START, "job");
	ck_assert_int_eq(spawns("job"), 3);
	fx_exit("job", 0);
	pass(9999 * NS_PER_MS);
	ck_assert_int_eq(spawns("job"), 3);
	pass(NS_PER_MS);
	ck_assert_int_eq(spawns("job"), 4);
}
END_TEST

START_TEST(a_failed_run_is_failed_and_the_next_one_comes_all_the_same)
{
	add_cron("job", "* * * * *", "UTC0");
	fx_start();
	pass(MINUTE);
	fx_exit("job", 3);
	ck_assert_str_eq(fx_state("job"), "failed");
	pass(MINUTE);
	ck_assert_str_eq(fx_state("job"), "running");
	ck_assert_int_eq(spawns("job"), 2);
	ck_assert_uint_eq(fx_board("job")->restart_count, 0);
}
END_TEST

START_TEST(success_codes_decide_how_a_run_ended)
{
	struct subsystem_options *o = add_every("job", 10000);

	free(o->policy->success_exit_codes);
	policy_write(o)->success_exit_codes = x_calloc(1, sizeof(*policy_write(o)->success_exit_codes));
	o->policy->success_exit_codes[0] = 4;
	policy_write(o)->nsuccess_exit_codes = 1;
	fx_start();
	fx_exit("job", 4);
	ck_assert_str_eq(fx_state("job"), "stopped");
	pass(10 * NS_PER_SEC);
	fx_exit("job", 0);
	ck_assert_str_eq(fx_state("job"), "failed");
}
END_TEST

START_TEST(a_retry_by_the_restart_policy_moves_no_period)
{
	struct subsystem_options *o = add_every("job", 10000);

	policy_write(o)->restart = RESTART_ON_FAILURE;
	policy_write(o)->restart_delay_ms = 1000;
	fx_start();
	fx_exit("job", 1);
	pass(NS_PER_SEC);
	ck_assert_int_eq(spawns("job"), 2);
	fx_exit("job", 0);
	pass(8999 * NS_PER_MS);
	ck_assert_int_eq(spawns("job"), 2);
	pass(NS_PER_MS);
	ck_assert_int_eq(spawns("job"), 3);
}
END_TEST

/* --- overlap ---------------------------------------------------------------------------------- */

START_TEST(runs_do_not_overlap_and_a_skipped_one_is_told_once)
{
	add_cron("job", "* * * * *", "UTC0");
	fx_start();
	pass(MINUTE);
	fx_skip_events();
	pass(MINUTE);
	fx_expect_type("run_skipped");
	ck_assert_str_eq(fx_str("name"), "job");
	ck_assert_str_eq(fx_str("due_at"), "2026-11-23T12:02:00.000000000Z");
	pass(10 * MINUTE);
	ck_assert_ptr_null(fx_next_of("run_skipped"));
	ck_assert_int_eq(core_next_moment(fx.core), INT64_MAX);
	ck_assert_str_eq(planned("job"), "");
	fx_exit("job", 0);
	ck_assert_int_eq(spawns("job"), 1);
	ck_assert_str_eq(planned("job"), "2026-11-23 12:13:00");
	pass(MINUTE);
	ck_assert_int_eq(spawns("job"), 2);
}
END_TEST

START_TEST(a_run_that_is_longer_than_its_period_goes_on_in_step)
{
	add_every("job", 10000);
	fx_start();
	pass(25 * NS_PER_SEC);
	fx_exit("job", 0);
	pass(4999 * NS_PER_MS);
	ck_assert_int_eq(spawns("job"), 1);
	pass(NS_PER_MS);
	ck_assert_int_eq(spawns("job"), 2);
}
END_TEST

START_TEST(what_is_left_of_a_run_is_ended_before_the_next_one_begins)
{
	policy_write(add_every("job", 10000))->kill_mode = KILL_MODE_GROUP;
	fx_start();
	fx_exit_leaving("job", W_EXITCODE(0, 0), 1);
	ck_assert_str_eq(fx_state("job"), "stopped");
	pass(10 * NS_PER_SEC);
	ck_assert_int_eq(spawns("job"), 1);
	fx_gone("job");
	ck_assert_int_eq(spawns("job"), 2);
}
END_TEST

START_TEST(a_run_waits_for_what_it_depends_on_and_only_once)
{
	strlist_add(&links_write(add_every("job", 10000))->depends_on, "db");
	fx_add("db")->autostart = true;
	fx.manual_exec = true;
	fx_start();
	pass(35 * NS_PER_SEC);
	ck_assert_int_eq(spawns("job"), 0);
	fx.manual_exec = false;
	fx_settle();
	ck_assert_int_eq(spawns("job"), 1);
	fx_exit("job", 0);
	pass(9999 * NS_PER_MS);
	ck_assert_int_eq(spawns("job"), 1);
	pass(NS_PER_MS);
	ck_assert_int_eq(spawns("job"), 2);
}
END_TEST

START_TEST(who_needs_a_scheduled_one_that_never_ran_does_not_wait_until_tomorrow)
{
	add_cron("job", "0 3 * * *", "UTC0");
	strlist_add(&links_write(fx_add("web"))->depends_on, "job");
	fx_start();
	fx_expect("job", "starting", "dependency");
	ck_assert_str_eq(fx_state("web"), "stopped");
	fx_exit("job", 0);
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_str_eq(planned("job"), "2026-11-24 03:00:00");
	pass(15 * HOUR);
	ck_assert_str_eq(fx_state("job"), "running");
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(spawns("web"), 1);
}
END_TEST

/* --- orders ----------------------------------------------------------------------------------- */

START_TEST(an_operator_starts_it_now_and_its_time_comes_as_well)
{
	add_cron("job", "*/5 * * * *", "UTC0");
	fx_start();
	struct fx_order *order = fx_order(CORE_START, "job");

	fx_expect("job", "starting", "request");
	fx_exit("job", 0);
	ck_assert_str_eq(fx_answer(order), "");
	ck_assert_str_eq(planned("job"), "2026-11-23 12:05:00");
	pass(5 * MINUTE);
	ck_assert_int_eq(spawns("job"), 2);
}
END_TEST

START_TEST(a_stopped_one_has_no_next_run_until_it_is_started)
{
	add_cron("job", "* * * * *", "UTC0");
	fx_start();
	ck_assert_str_eq(fx_answer(fx_order(CORE_STOP, "job")), "");
	ck_assert_str_eq(planned("job"), "");
	pass(HOUR);
	ck_assert_int_eq(spawns("job"), 0);
	fx_order(CORE_START, "job");
	fx_exit("job", 0);
	pass(MINUTE);
	ck_assert_int_eq(spawns("job"), 2);
}
END_TEST

START_TEST(one_without_autostart_has_no_runs_until_it_is_started)
{
	add_cron("job", "* * * * *", "UTC0")->autostart = false;
	add_every("tick", 1000)->autostart = false;
	fx_start();
	pass(HOUR);
	ck_assert_int_eq(spawns("job") + spawns("tick"), 0);
	ck_assert_str_eq(planned("job"), "");
	fx_order(CORE_START, "job");
	fx_exit("job", 0);
	pass(MINUTE);
	ck_assert_int_eq(spawns("job"), 2);
}
END_TEST

START_TEST(a_shutdown_forgets_the_next_run)
{
	add_cron("job", "* * * * *", "UTC0");
	fx_add("web");
	fx_start();
	core_signal(fx.core, SIGTERM);
	fx_settle();
	ck_assert_int_eq(core_next_moment(fx.core), INT64_MAX);
	ck_assert_str_eq(planned("job"), "");
	fx_die("web", SIGTERM);
	ck_assert(fx.finished);
	ck_assert_int_eq(spawns("job"), 0);
}
END_TEST

/* --- random delay ----------------------------------------------------------------------------- */

START_TEST(a_random_delay_spreads_the_runs_within_its_bounds)
{
	int64_t first = INT64_MAX, most = 0, base;

	for (int i = 0; i < 50; i++) {
		auto_free(freep) char *name = x_asprintf("job%d", i);

		policy_write(add_cron(name, "0 13 * * *", "UTC0"))->random_delay_ms = 600000;
	}
	fx_start();
	base = real_now(NULL) + 59 * MINUTE + 30 * NS_PER_SEC;
	for (uint32_t slot = 0; slot < 50; slot++) {
		int64_t at = board_get(fx.board, slot)->next_run_ns;

		ck_assert_int_ge(at, base);
		ck_assert_int_le(at, base + 10 * MINUTE);
		first = MIN(first, at);
		most = MAX(most, at);
	}
	ck_assert_int_gt(most - first, 5 * MINUTE);
	pass(HOUR + 10 * MINUTE);
	for (uint32_t slot = 0; slot < 50; slot++)
		ck_assert_int_eq(fx.child[slot].spawns, 1);
}
END_TEST

START_TEST(a_run_that_waits_for_its_random_delay_survives_everything)
{
	struct subsystem_options *o = add_cron("job", "0 13 * * *", "UTC0");
	int64_t at;

	policy_write(o)->random_delay_ms = HOUR / NS_PER_MS;
	fx_start();
	pass(HOUR - 20 * NS_PER_SEC);	/* past the full hour */
	at = fx_board("job")->next_run_ns;
	ck_assert_int_gt(at, real_now(NULL) + MINUTE);
	ck_assert_int_lt(at, real_now(NULL) + HOUR);
	die();
	come_back(true);
	ck_assert_int_eq(fx_board("job")->next_run_ns, at);
	real_ahead -= 2 * NS_PER_SEC;
	fx_settle();
	ck_assert_int_eq(fx_board("job")->next_run_ns, at);
	fx_config();
	o = add_cron("job", "0 13 * * *", "UTC0");
	policy_write(o)->random_delay_ms = HOUR / NS_PER_MS;
	links_write(o)->description = x_strdup("another text");
	apply();
	ck_assert_int_eq(fx_board("job")->next_run_ns, at);
	pass(2 * HOUR);
	ck_assert_int_eq(spawns("job"), 1);
}
END_TEST

/* --- daylight saving time --------------------------------------------------------------------- */

START_TEST(F50_a_run_in_the_hour_that_is_left_out_comes_once_right_after_it)
{
	set_clock("2026-03-28 12:00:00");
	add_cron("job", "30 2 * * *", BERLIN);
	fx_start();
	ck_assert_str_eq(planned("job"), "2026-03-29 01:00:00");
	pass(24 * HOUR);
	ck_assert_int_eq(spawns("job"), 1);
	fx_exit("job", 0);
	ck_assert_str_eq(planned("job"), "2026-03-30 00:30:00");
}
END_TEST

START_TEST(F50_a_run_in_the_hour_that_comes_twice_comes_once)
{
	set_clock("2026-10-24 12:00:00");
	add_cron("job", "30 2 * * *", BERLIN);
	fx_start();
	ck_assert_str_eq(planned("job"), "2026-10-25 00:30:00");
	pass(13 * HOUR);
	ck_assert_int_eq(spawns("job"), 1);
	fx_exit("job", 0);
	ck_assert_str_eq(planned("job"), "2026-10-26 01:30:00");
}
END_TEST

START_TEST(F50_one_of_every_hour_is_not_touched_by_either_change)
{
	add_cron("job", "0 * * * *", BERLIN);
	set_clock("2026-10-24 23:30:00");
	fx_start();
	for (int i = 1; i <= 4; i++) {
		pass(HOUR);
		ck_assert_int_eq(spawns("job"), i);
		fx_exit("job", 0);
	}
	fx_order(CORE_STOP, "job");
	set_clock("2026-03-28 23:30:00");
	fx_order(CORE_START, "job");
	fx_exit("job", 0);
	for (int i = 6; i <= 9; i++) {
		pass(HOUR);
		ck_assert_int_eq(spawns("job"), i);
		fx_exit("job", 0);
	}
}
END_TEST

/* --- somebody sets the clock ------------------------------------------------------------------ */

START_TEST(F47_set_back_it_does_not_wait_for_the_old_time_and_does_not_run_twice)
{
	add_cron("five", "*/5 * * * *", "UTC0");
	add_cron("noon", "5 12 * * *", "UTC0");
	fx_start();
	pass(5 * MINUTE);
	fx_exit("five", 0);
	fx_exit("noon", 0);
	set_clock("2026-11-23 11:01:00");
	fx_settle();
	ck_assert_str_eq(planned("five"), "2026-11-23 11:05:00");
	ck_assert_str_eq(planned("noon"), "2026-11-24 12:05:00");
	pass(4 * MINUTE);
	ck_assert_int_eq(spawns("five"), 2);
	set_clock("2026-11-23 01:01:00");
	fx_settle();
	ck_assert_str_eq(planned("noon"), "2026-11-23 12:05:00");
}
END_TEST

START_TEST(F48_set_forward_what_is_jumped_over_runs_once)
{
	add_cron("five", "*/5 * * * *", "UTC0");
	add_cron("one", "0 13 * * *", "UTC0");
	fx_start();
	set_clock("2026-11-23 13:31:00");
	fx_settle();
	ck_assert_int_eq(spawns("five"), 1);
	ck_assert_int_eq(spawns("one"), 1);
	fx_exit("five", 0);
	fx_exit("one", 0);
	ck_assert_str_eq(planned("five"), "2026-11-23 13:35:00");
	ck_assert_str_eq(planned("one"), "2026-11-24 13:00:00");
}
END_TEST

START_TEST(F51_a_clock_that_was_wrong_by_years_runs_nothing_when_it_is_put_right)
{
	set_clock("1970-01-01 00:00:10");
	add_cron("job", "0 3 * * *", "UTC0");
	fx_start();
	ck_assert_str_eq(planned("job"), "1970-01-01 03:00:00");
	set_clock("2106-02-08 12:00:00");
	fx_settle();
	ck_assert_int_eq(spawns("job"), 0);
	ck_assert_str_eq(planned("job"), "2106-02-09 03:00:00");
	set_clock("2026-11-23 12:00:00");
	fx_settle();
	ck_assert_int_eq(spawns("job"), 0);
	ck_assert_str_eq(planned("job"), "2026-11-24 03:00:00");
}
END_TEST

START_TEST(F49_what_a_machine_sleeps_through_runs_once_when_it_wakes_up)
{
	add_cron("five", "*/5 * * * *", "UTC0");
	add_cron("night", "0 3 * * *", "UTC0");
	add_cron("noon", "0 13 25 * *", "UTC0");
	fx_start();
	sleep_for(16 * HOUR);
	ck_assert_int_eq(spawns("five"), 1);
	ck_assert_int_eq(spawns("night"), 1);
	ck_assert_int_eq(spawns("noon"), 0);
	fx_exit("five", 0);
	ck_assert_str_eq(planned("five"), "2026-11-24 04:05:00");
}
END_TEST

START_TEST(F47_setting_the_clock_moves_no_period)
{
	add_every("job", 10000);
	fx_start();
	fx_exit("job", 0);
	set_clock("2036-01-01 00:00:00");
	fx_settle();
	pass(9999 * NS_PER_MS);
	ck_assert_int_eq(spawns("job"), 1);
	set_clock("1980-01-01 00:00:00");
	pass(NS_PER_MS);
	ck_assert_int_eq(spawns("job"), 2);
}
END_TEST

/* --- reloads ---------------------------------------------------------------------------------- */

START_TEST(a_reload_changes_the_times_without_touching_what_runs)
{
	add_every("tick", 10000);
	add_cron("job", "0 13 * * *", "UTC0");
	fx_start();
	pass(5 * NS_PER_SEC);
	fx_config();
	add_every("tick", 7000);
	add_cron("job", "10 12 * * *", "UTC0");
	apply();
	ck_assert_int_eq(spawns("tick"), 1);
	ck_assert_str_eq(fx_state("tick"), "running");
	ck_assert_str_eq(planned("job"), "2026-11-23 12:10:00");
	fx_exit("tick", 0);
	pass(2 * NS_PER_SEC);
	ck_assert_int_eq(spawns("tick"), 2);
}
END_TEST

START_TEST(a_new_zone_of_the_same_name_counts_from_the_reload_on)
{
	add_cron("job", "0 13 * * *", "UTC0");
	fx_start();
	fx_config();
	add_cron("job", "0 13 * * *", "XXX-1");
	apply();
	ck_assert_str_eq(planned("job"), "2026-11-24 12:00:00");
}
END_TEST

START_TEST(a_service_that_becomes_a_job_ends_and_waits_for_its_time)
{
	fx_add("x");
	fx_start();
	fx_config();
	add_cron("x", "5 12 * * *", "UTC0");
	apply();
	ck_assert_str_eq(fx_state("x"), "stopping");
	fx_die("x", SIGTERM);
	ck_assert_str_eq(fx_state("x"), "stopped");
	ck_assert_int_eq(spawns("x"), 1);
	pass(5 * MINUTE);
	ck_assert_int_eq(spawns("x"), 2);
}
END_TEST

START_TEST(a_job_that_becomes_a_service_is_started)
{
	add_cron("x", "5 12 * * *", "UTC0");
	fx_start();
	fx_config();
	fx_add("x");
	apply();
	ck_assert_str_eq(fx_state("x"), "running");
	ck_assert_str_eq(planned("x"), "");
}
END_TEST

START_TEST(a_removed_one_never_runs_again)
{
	add_cron("job", "* * * * *", "UTC0");
	fx_add("web");
	fx_start();
	fx_config();
	fx_add("web");
	apply();
	ck_assert_ptr_null(fx_board("job"));
	ck_assert_int_eq(core_next_moment(fx.core), INT64_MAX);
}
END_TEST

/* --- the supervisor dies ---------------------------------------------------------------------- */

START_TEST(no_run_is_lost_while_the_supervisor_is_dead)
{
	add_cron("job", "0 13 * * *", "UTC0");
	add_every("tick", 10000);
	fx_start();
	fx_exit("tick", 0);
	die();
	fx.now += HOUR;
	come_back(true);
	ck_assert_int_eq(spawns("job"), 1);
	ck_assert_int_eq(spawns("tick"), 2);
	fx_exit("job", 0);
	ck_assert_str_eq(planned("job"), "2026-11-24 13:00:00");
}
END_TEST

START_TEST(no_run_is_doubled_by_the_death_of_the_supervisor)
{
	add_cron("job", "*/5 * * * *", "UTC0");
	add_every("tick", 10000);
	fx_start();
	fx_exit("tick", 0);
	pass(5 * MINUTE);
	ck_assert_int_eq(spawns("tick"), 2);
	die();
	come_back(true);
	ck_assert_str_eq(fx_state("job"), "running");
	fx_exit("job", 0);
	die();
	come_back(true);
	ck_assert_int_eq(spawns("job"), 1);
	ck_assert_str_eq(planned("job"), "2026-11-23 12:10:00");
	fx_exit("tick", 0);
	die();
	fx.now += NS_PER_SEC;
	come_back(true);
	pass(8999 * NS_PER_MS);
	ck_assert_int_eq(spawns("tick"), 2);
	pass(NS_PER_MS);
	ck_assert_int_eq(spawns("tick"), 3);
}
END_TEST

START_TEST(an_ordered_run_is_made_by_the_next_supervisor)
{
	add_cron("job", "*/5 * * * *", "UTC0");
	fx.manual_exec = true;
	fx_start();
	pass(5 * MINUTE);
	ck_assert(fx_child("job")->asked);
	die();
	fx.child[0].asked = false;	/* the keeper died of it, too: nothing was made */
	come_back(true);
	ck_assert(fx.child[0].asked);
	fx.manual_exec = false;
	fx_settle();
	ck_assert_str_eq(fx_state("job"), "running");
}
END_TEST

START_TEST(what_was_missed_while_there_was_no_procd_is_not_made_up_for)
{
	add_cron("job", "0 13 * * *", "UTC0");
	fx_add("web");
	fx_start();
	die();
	fx.now += 2 * HOUR;
	come_back(false);
	ck_assert_int_eq(spawns("job"), 0);
	ck_assert_str_eq(planned("job"), "2026-11-24 13:00:00");
}
END_TEST

START_TEST(a_stop_by_an_operator_holds_over_the_death)
{
	add_every("tick", 10000);
	fx_start();
	fx_exit("tick", 0);
	fx_order(CORE_STOP, "tick");
	die();
	fx.now += HOUR;
	come_back(true);
	ck_assert_int_eq(spawns("tick"), 1);
	ck_assert_str_eq(planned("tick"), "");
}
END_TEST

START_TEST(why_says_when_and_why_not)
{
	json_t *j;
	auto_free(freep) char *text = NULL;

	add_cron("job", "5 12 * * *", "UTC0");
	fx_start();
	j = core_why(fx.board, fx_board("job"), fx.now);
	text = json_dumps(j, 0);
	json_decref(j);
	ck_assert_msg(strstr(text, "next run in 4m30s, at 2026-11-23T12:05:00Z") != NULL, "%s",
		      text);
	pass(5 * MINUTE);
	pass(24 * HOUR);
	free(text);
	j = core_why(fx.board, fx_board("job"), fx.now);
	text = json_dumps(j, 0);
	json_decref(j);
	ck_assert_msg(strstr(text, "planned when this one is over") != NULL, "%s", text);
	fx_exit("job", 0);
	fx_order(CORE_STOP, "job");
	free(text);
	j = core_why(fx.board, fx_board("job"), fx.now);
	text = json_dumps(j, 0);
	json_decref(j);
	ck_assert_msg(strstr(text, "meant to be down: operator") != NULL &&
		      strstr(text, "next run") == NULL, "%s", text);
}
END_TEST

/* --- lives of chance -------------------------------------------------------------------------- */

#define JOBS 4

static const char *const job_names[JOBS] = { "j0", "j1", "j2", "j3" };

static uint32_t rnd(uint64_t *seed, uint32_t n)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33) % n;
}

static void add_jobs(uint64_t *seed)
{
	static const char *const lines[] = {
		"* * * * *", "*/7 * * * *", "30 2 * * *", "5 */2 * * *",
	};
	static const char *const zones[] = { "UTC0", BERLIN, "LHST-10:30LHDT-11,M10.1.0,M4.1.0" };

	for (int i = 0; i < JOBS; i++) {
		struct subsystem_options *o = i < 2 ?
			add_cron(job_names[i], lines[rnd(seed, 4)], zones[rnd(seed, 3)]) :
			add_every(job_names[i], 1000 * (1 + rnd(seed, 90)));

		policy_write(o)->random_delay_ms = rnd(seed, 3) == 0 ? rnd(seed, 60000) : 0;
		policy_write(o)->restart = rnd(seed, 3) == 0 ? RESTART_ON_FAILURE : RESTART_NEVER;
	}
}

/* What is meant to run, and does not, has a next run; and the loop wakes up for it. */
static void check_plans(void)
{
	for (int i = 0; i < JOBS; i++) {
		const struct board_record *r = fx_board(job_names[i]);
		bool idle = r->state == STATE_STOPPED || r->state == STATE_FAILED;
		bool planned_run = r->next_run_ns != 0;
		int64_t next = r->next_run_real ? core_next_moment(fx.core)
						: core_next_deadline(fx.core);
		int64_t last = r->next_run_real ? real_now(NULL) + 28 * HOUR
						: fx.now + 151 * NS_PER_SEC;

		fx_insist(r->goal_up || !planned_run, "%s is down and planned", r->name);
		fx_insist(!idle || !r->goal_up || planned_run, "%s has no next run", r->name);
		fx_insist(!planned_run || next <= r->next_run_ns, "nobody wakes up for %s", r->name);
		fx_insist(!planned_run || r->next_run_ns <= last, "%s runs too late", r->name);
	}
}

static void live(uint64_t *seed)
{
	const char *name = job_names[rnd(seed, JOBS)];
	struct fx_child *k = fx_child(name);

	switch (rnd(seed, 12)) {
	case 0:
		fx_order(CORE_START, name);
		break;
	case 1:
		fx_order(CORE_STOP, name);
		break;
	case 2:
		die();
		fx.now += rnd(seed, 4) == 0 ? MINUTE * rnd(seed, 200) : 0;
		come_back(true);
		break;
	case 3:
		real_ahead += (int64_t)(rnd(seed, 600) * MINUTE) - 300 * MINUTE;
		fx_settle();
		break;
	case 4:
		sleep_for(MINUTE * rnd(seed, 600));
		break;
	case 5:
		fx_config();
		add_jobs(seed);
		apply();
		break;
	case 6:
	case 7:
		pass(NS_PER_SEC * rnd(seed, 200));
		break;
	default:
		if (k->alive)
			fx_exit(name, (int)rnd(seed, 2));
		pass(MINUTE * rnd(seed, 30));
		break;
	}
	check_plans();
}

START_TEST(whatever_happens_the_next_run_is_planned)
{
	for (uint64_t life = 1; life <= 40; life++) {
		uint64_t seed = life;

		if (life > 1) {
			teardown();
			setup();
		}
		add_jobs(&seed);
		fx_start();
		for (int i = 0; i < 150; i++)
			live(&seed);
		/* Everybody is well again: each has its run within what its line says. */
		for (int i = 0; i < JOBS; i++) {
			fx_order(CORE_START, job_names[i]);
			if (fx_child(job_names[i])->alive)
				fx_exit(job_names[i], 0);
		}
		for (int i = 0; i < JOBS; i++) {
			int before = spawns(job_names[i]);

			if (fx_child(job_names[i])->alive)
				fx_exit(job_names[i], 0);
			pass(28 * HOUR);
			fx_insist(spawns(job_names[i]) > before, "life %d: %s did not run",
				  (int)life, job_names[i]);
		}
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		a_scheduled_one_waits_for_its_minute_and_runs_with_the_reason_schedule,
		nothing_wakes_up_before_the_next_run,
		a_period_counts_from_the_last_start_and_the_first_run_comes_at_once,
		a_failed_run_is_failed_and_the_next_one_comes_all_the_same,
		success_codes_decide_how_a_run_ended, a_retry_by_the_restart_policy_moves_no_period,
		runs_do_not_overlap_and_a_skipped_one_is_told_once,
		a_run_that_is_longer_than_its_period_goes_on_in_step,
		what_is_left_of_a_run_is_ended_before_the_next_one_begins,
		a_run_waits_for_what_it_depends_on_and_only_once,
		who_needs_a_scheduled_one_that_never_ran_does_not_wait_until_tomorrow,
		an_operator_starts_it_now_and_its_time_comes_as_well,
		a_stopped_one_has_no_next_run_until_it_is_started,
		one_without_autostart_has_no_runs_until_it_is_started,
		a_shutdown_forgets_the_next_run,
		a_random_delay_spreads_the_runs_within_its_bounds,
		a_run_that_waits_for_its_random_delay_survives_everything,
		F50_a_run_in_the_hour_that_is_left_out_comes_once_right_after_it,
		F50_a_run_in_the_hour_that_comes_twice_comes_once,
		F50_one_of_every_hour_is_not_touched_by_either_change,
		F47_set_back_it_does_not_wait_for_the_old_time_and_does_not_run_twice,
		F48_set_forward_what_is_jumped_over_runs_once,
		F51_a_clock_that_was_wrong_by_years_runs_nothing_when_it_is_put_right,
		F49_what_a_machine_sleeps_through_runs_once_when_it_wakes_up,
		F47_setting_the_clock_moves_no_period,
		a_reload_changes_the_times_without_touching_what_runs,
		a_new_zone_of_the_same_name_counts_from_the_reload_on,
		a_service_that_becomes_a_job_ends_and_waits_for_its_time,
		a_job_that_becomes_a_service_is_started, a_removed_one_never_runs_again,
		no_run_is_lost_while_the_supervisor_is_dead,
		no_run_is_doubled_by_the_death_of_the_supervisor,
		an_ordered_run_is_made_by_the_next_supervisor,
		what_was_missed_while_there_was_no_procd_is_not_made_up_for,
		a_stop_by_an_operator_holds_over_the_death, why_says_when_and_why_not,
		whatever_happens_the_next_run_is_planned,
	};

	return unit_run_in("core: schedule", setup, teardown, tests, ARRAY_LEN(tests));
}
