/* Starts that read files first: nothing reaches the keeper before they are there, a start that is
 * given up meanwhile stays given up, and a disk that hangs holds up nobody else. */
#include "core_fixture.h"

static struct start_files *asked[8];
static size_t nasked;
static int refusal;

static int read_files(void *ctx, struct subsystem_options *options, uint32_t slot,
		      uint64_t spawn_id)
{
	(void)ctx;
	if (refusal != 0)
		return refusal;
	fx_insist(nasked < ARRAY_LEN(asked), "too many questions");
	asked[nasked++] = start_files_new(options, slot, spawn_id);
	return 0;
}

static struct subsystem_options *add(const char *name)
{
	struct subsystem_options *o = fx_add(name);

	strlist_add(&rights_write(o)->env_file, "/etc/web.env");
	return o;
}

static void start(void)
{
	nasked = 0;
	refusal = 0;
	fx_ops_read_files = read_files;
	fx_start();
}

/* The answer to the I-th question. */
static void answer(size_t i, const char *variable)
{
	if (variable != NULL)
		strlist_add(&asked[i]->environment, variable);
	core_files_read(fx.core, asked[i]);
	fx_settle();
}

static void answer_failed(size_t i, int errnum, const char *why)
{
	asked[i]->failed = START_FILES_ENV;
	asked[i]->errnum = errnum;
	asked[i]->why = x_strdup(why);
	answer(i, NULL);
}

static bool plan_has(const char *name, const char *variable)
{
	return fx_has_env(fx_slot(name), variable);
}

START_TEST(the_keeper_is_asked_when_the_files_are_there)
{
	add("web");
	start();
	ck_assert_uint_eq(nasked, 1);
	ck_assert_int_eq(fx_child("web")->spawns, 0);
	ck_assert_str_eq(fx_state("web"), "starting");
	answer(0, "PASSWORD=x");
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert(plan_has("web", "PASSWORD=x"));
}
END_TEST

START_TEST(a_credential_that_is_not_there_is_its_own_stage)
{
	struct subsystem_options *o = fx_add("web");

	strlist_add(&rights_write(o)->credentials, "db=/etc/db");
	start();
	ck_assert_uint_eq(nasked, 1);
	asked[0]->failed = START_FILES_CREDENTIALS;
	asked[0]->errnum = ENOENT;
	asked[0]->why = x_strdup("/etc/db: not there");
	answer(0, NULL);
	ck_assert_int_eq(fx_child("web")->spawns, 0);
	ck_assert_ptr_nonnull(strstr(fx_board("web")->texts->last_error, "credentials"));
}
END_TEST

START_TEST(a_file_wins_over_the_configuration_and_is_read_at_each_start)
{
	struct subsystem_options *o = add("web");

	strlist_add(&o->environment, "A=config");
	strlist_add(&o->environment, "B=config");
	start();
	answer(0, "A=file");
	ck_assert(plan_has("web", "A=file"));
	ck_assert(plan_has("web", "B=config"));
	fx_exit("web", 1);
	fx_advance_ms(100);
	ck_assert_uint_eq(nasked, 2);
	answer(1, "A=new");
	ck_assert(plan_has("web", "A=new"));
}
END_TEST

START_TEST(what_cannot_be_read_is_a_failed_start_with_its_step)
{
	struct subsystem_options *o = add("web");

	policy_write(o)->restart = RESTART_NEVER;
	start();
	fx_skip_events();
	answer_failed(0, ENOENT, "/etc/web.env: No such file or directory");
	fx_expect("web", "failed", "start");
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(fx.event, "error"),
							   "stage")), "env_file");
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(fx.event, "error"),
							   "errno")), "ENOENT");
	ck_assert_str_eq(fx_board("web")->texts->last_error, "start failed at stage env_file: "
			 "/etc/web.env: No such file or directory");
	ck_assert_int_eq(fx_child("web")->spawns, 0);
}
END_TEST

START_TEST(it_follows_the_restart_policy)
{
	add("web");
	start();
	answer_failed(0, ENOENT, "x");
	ck_assert_str_eq(fx_state("web"), "restarting");
	fx_advance_ms(100);
	answer(1, NULL);
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert_int_eq(fx_board("web")->restart_count, 1);
}
END_TEST

START_TEST(a_start_can_be_stopped_while_it_reads)
{
	add("web");
	start();
	fx_skip_events();
	ck_assert_str_eq(fx_answer(fx_order(CORE_STOP, "web")), "");
	fx_expect("web", "stopping", "request");
	fx_expect("web", "stopped", "request");
	answer(0, "A=late");
	fx_expect_quiet();
	ck_assert_int_eq(fx_child("web")->spawns, 0);
	ck_assert_str_eq(fx_signals(), "");
	/* and started again: only the new answer counts */
	fx_order(CORE_START, "web");
	ck_assert_uint_eq(nasked, 2);
	answer(1, "A=new");
	ck_assert_str_eq(fx_state("web"), "running");
	ck_assert(plan_has("web", "A=new"));
}
END_TEST

START_TEST(a_shutdown_does_not_wait_for_a_disk)
{
	add("web");
	start();
	core_signal(fx.core, SIGTERM);
	fx_settle();
	ck_assert(fx.finished);
	ck_assert_int_eq(fx.exit_code, 0);
	answer(0, NULL);
}
END_TEST

START_TEST(without_readers_the_start_is_tried_again)
{
	add("web");
	nasked = 0;
	refusal = -EAGAIN;
	fx_ops_read_files = read_files;
	fx_start();
	fx_expect_type("spawn_deferred");
	ck_assert_str_eq(fx_str("stage"), "env_file");
	refusal = 0;
	fx_advance_ms(100);
	answer(0, NULL);
	ck_assert_str_eq(fx_state("web"), "running");
}
END_TEST

START_TEST(those_who_read_hold_up_nobody_else)
{
	for (int i = 0; i < 200; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%d", i);
		if (i < 8)
			add(name);
		else
			fx_add(name);
	}
	start();
	ck_assert_uint_eq(nasked, 8);
	for (int i = 8; i < 200; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%d", i);
		ck_assert_str_eq(fx_state(name), "running");
	}
	for (size_t i = 0; i < 8; i++)
		answer(i, NULL);
	ck_assert_str_eq(fx_state("s7"), "running");
}
END_TEST

FX_MAIN("core: files of a start", the_keeper_is_asked_when_the_files_are_there,
	a_credential_that_is_not_there_is_its_own_stage,
	a_file_wins_over_the_configuration_and_is_read_at_each_start,
	what_cannot_be_read_is_a_failed_start_with_its_step, it_follows_the_restart_policy,
	a_start_can_be_stopped_while_it_reads, a_shutdown_does_not_wait_for_a_disk,
	without_readers_the_start_is_tried_again, those_who_read_hold_up_nobody_else)
