/* schedule, every, random_delay: what can be written, what it means for the other keys, and which
 * zone it is meant in, also when the files of zones are gone. */
#include "config_fixture.h"

#define JOB(rest) "[subsystem.job]\ncommand = \"true\"\n" rest

static const struct subsystem_options *job(void)
{
	return config_find(config, "job");
}

static void expect_warning(const char *text, const char *words)
{
	bool found = false;

	load_fine(text);
	for (size_t i = 0; i < diag.n; i++)
		found |= diag.issues[i].warning && strstr(diag.issues[i].message, words) != NULL;
	ck_assert_msg(found, "no warning with %s for %s", words, text);
}

/* A file of a zone that knows no changes but those of RULE (RFC 9636). */
static void write_zone(const char *name, const char *rule)
{
	static const char block[] =
		"TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		"\0\0\0\0" "\0\0\0\0" "\0\0\0\0" "\0\0\0\0" "\0\0\0\1" "\0\0\0\4"
		"\0\0\0\0\0\0" "UTC";
	auto_free(strbuf_fini) struct strbuf file = STRBUF_INIT;

	strbuf_add(&file, block, sizeof(block));
	strbuf_add(&file, block, sizeof(block));
	strbuf_addf(&file, "\n%s\n", rule);
	write_bytes(name, file.buf, file.len);
}

START_TEST(a_schedule_or_a_period_makes_a_oneshot)
{
	load_fine(JOB("schedule = \"0 3 * * *\"\n"));
	ck_assert_int_eq(job()->type, TYPE_ONESHOT);
	ck_assert_int_eq(job()->policy->restart, RESTART_NEVER);
	ck_assert_ptr_nonnull(job()->policy->zone);
	ck_assert(subsystem_is_periodic(job()));
	load_fine(JOB("every = \"90s\"\nrandom_delay = 2\n"));
	ck_assert_int_eq(job()->type, TYPE_ONESHOT);
	ck_assert_int_eq(job()->policy->every_ms, 90000);
	ck_assert_int_eq(job()->policy->random_delay_ms, 2000);
	ck_assert_ptr_null(job()->policy->zone);
	load_fine(JOB("every_ms = 250\ntype = \"oneshot\"\nrestart = \"on-failure\"\n"));
	ck_assert_int_eq(job()->policy->restart, RESTART_ON_FAILURE);
	load_fine(JOB(""));
	ck_assert(!subsystem_is_periodic(job()));
	ck_assert_int_eq(job()->type, TYPE_SERVICE);
	load_fine("[defaults]\ntype = \"service\"\n" JOB("every = 1\n"));
	ck_assert_int_eq(job()->type, TYPE_ONESHOT);
}
END_TEST

START_TEST(contradictions_are_refused_where_they_stand)
{
	expect_error(JOB("every = 5\ntype = \"service\"\n"), 4, 8, "is a oneshot");
	expect_error(JOB("schedule = \"@daily\"\nevery = 5\n"), 4, 9, "only one of");
	expect_error(JOB("every = \"5ms\"\n"), 3, 9, "every");
	expect_error(JOB("every = -1\n"), 3, 9, "every");
	expect_warning(JOB("every = 5\nrestart = \"always\"\n"), "each run is followed");
	expect_warning(JOB("every = 5\nrestart = \"exponential-backoff\"\n"),
		       "each run is followed");
	expect_warning(JOB("random_delay = 5\n"), "no effect");
}
END_TEST

START_TEST(a_wrong_line_is_refused_at_the_character)
{
	expect_error(JOB("schedule = \"61 * * * *\"\n"), 3, 13, "");
	expect_error(JOB("schedule = \"0 3 * * mox\"\n"), 3, 21, "");
	expect_error(JOB("schedule = \"0 3 * *\"\n"), 3, 13, "five fields");
	expect_error(JOB("schedule = \"0 0 30 2 *\"\n"), 3, 13, "never come");
	expect_error(JOB("schedule = \"\"\n"), 3, 13, "five fields");
	expect_error(JOB("schedule = 5\n"), 3, 12, "");
	expect_error(JOB("schedule = \"TZ=Mars/Olympus 0 3 * * *\"\n"), 3, 12, "no time zone");
}
END_TEST

START_TEST(a_line_without_a_zone_is_meant_in_procds_own)
{
	setenv("TZ", "XXX-3", 1);
	load_fine(JOB("schedule = \"0 3 * * *\"\n"));
	ck_assert_int_eq(zone_offset(job()->policy->zone, 0), 3 * 3600);
	load_fine(JOB("schedule = \"TZ=CET-1CEST,M3.5.0,M10.5.0/3 0 3 * * *\"\n"));
	ck_assert_int_eq(zone_offset(job()->policy->zone, 0), 3600);
	setenv("TZ", "No/Such/Place", 1);
	expect_warning(JOB("schedule = \"0 3 * * *\"\n"), "UTC");
	unsetenv("TZ");
}
END_TEST

START_TEST(one_zone_serves_all_instances)
{
	load_fine(JOB("instances = 3\nschedule = \"TZ=UTC0 %i 3 * * *\"\n"));
	ck_assert_uint_eq(config->nsubsystems, 3);
	ck_assert_str_eq(config_find(config, "job@2")->policy->schedule, "TZ=UTC0 2 3 * * *");
	ck_assert_uint_eq(config_find(config, "job@2")->policy->cron->minutes, 1 << 2);
	ck_assert_ptr_eq(config_find(config, "job@0")->policy->zone,
			 config_find(config, "job@2")->policy->zone);
}
END_TEST

START_TEST(the_bundle_needs_no_files_of_zones)
{
	struct config_source source = { .path = "t.toml" };
	struct strbuf saved = STRBUF_INIT;

	setenv("TZDIR", dir, 1);
	ck_assert_int_eq(mkdir("Far", 0755), 0);
	write_zone("Far/Away", "XXX-5");
	load_fine(JOB("schedule = \"TZ=Far/Away 0 3 * * *\"\n"));
	strbuf_add(&saved, bundle.buf, bundle.len);
	unlink("t.toml");
	unlink("Far/Away");
	forget();
	source.bundle = saved.buf;
	source.bundle_len = saved.len;
	ck_assert_int_eq(config_load(&source, &config, &diag, NULL), 0);
	ck_assert_int_eq(zone_offset(job()->policy->zone, 0), 5 * 3600);
	strbuf_fini(&saved);
	unsetenv("TZDIR");
}
END_TEST

START_TEST(a_changed_line_is_an_update_and_so_is_a_changed_zone)
{
	struct config *old;
	struct config_diff d;

	load_fine(JOB("schedule = \"0 3 * * *\"\n"));
	old = take(config);
	load_fine(JOB("schedule = \"0 4 * * *\"\n"));
	config_diff(old, config, &d);
	ck_assert_uint_eq(d.updated.n, 1);
	ck_assert_uint_eq(d.restarted.n, 0);
	config_diff_fini(&d);
	setenv("TZ", "XXX-3", 1);
	load_fine(JOB("schedule = \"0 3 * * *\"\n"));
	unsetenv("TZ");
	config_diff(old, config, &d);
	ck_assert_uint_eq(d.updated.n, 1);
	config_diff_fini(&d);
	config_free(old);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		a_schedule_or_a_period_makes_a_oneshot, contradictions_are_refused_where_they_stand,
		a_wrong_line_is_refused_at_the_character,
		a_line_without_a_zone_is_meant_in_procds_own, one_zone_serves_all_instances,
		the_bundle_needs_no_files_of_zones,
		a_changed_line_is_an_update_and_so_is_a_changed_zone,
	};

	return unit_run_in("config: schedule", setup, teardown, tests, ARRAY_LEN(tests));
}
