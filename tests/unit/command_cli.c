/* The command line's parser. */
#include "command/cli.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "unit.h"

#define PARSE(...)                                                                                \
	char *const argv[] = { (char *)(uintptr_t)"procd", ##__VA_ARGS__, NULL };                 \
	auto_free(cli_options_fini) struct cli_options o = CLI_OPTIONS_INIT;                      \
	int rc = cli_parse(&o, (int)ARRAY_LEN(argv) - 1, argv)
#define A(text) (char *)(uintptr_t)(text)

/* Messages of refused command lines are not for the test's output. */
static void set_up(void)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO);
	close(null);
}

START_TEST(nothing_means_run)
{
	PARSE();

	ck_assert_int_eq(rc, CLI_GO_ON);
	ck_assert_ptr_eq(o.verb, &verb_table[VERB_RUN]);
	ck_assert_uint_eq(o.args.n, 0);
}
END_TEST

START_TEST(common_options_stand_before_and_after_the_verb)
{
	PARSE(A("--json"), A("-c"), A("a.toml"), A("status"), A("web"), A("-q"), A("--timeout=1m30s"),
	      A("db"), A("-ssock"), A("--name"), A("shop"), A("--no-wait"));

	ck_assert_int_eq(rc, CLI_GO_ON);
	ck_assert_ptr_eq(o.verb, &verb_table[VERB_STATUS]);
	ck_assert(o.json && o.quiet && o.no_wait);
	ck_assert_str_eq(o.config, "a.toml");
	ck_assert_str_eq(o.socket, "sock");
	ck_assert_str_eq(o.name, "shop");
	ck_assert_int_eq(o.timeout_ms, 90000);
	ck_assert_uint_eq(o.args.n, 2);
	ck_assert_str_eq(o.args.items[1], "db");
}
END_TEST

START_TEST(a_verb_has_options_of_its_own_in_all_spellings)
{
	{
		PARSE(A("logs"), A("-fqn"), A("5"), A("web"));

		ck_assert_int_eq(rc, CLI_GO_ON);
		ck_assert_str_eq(cli_value(&o, "lines"), "5");
		ck_assert_ptr_nonnull(cli_value(&o, "follow"));
		ck_assert(o.quiet);
		ck_assert_uint_eq(o.args.n, 1);
	}
	{
		PARSE(A("events"), A("--since=7"), A("--count"), A("3"));

		ck_assert_int_eq(rc, CLI_GO_ON);
		ck_assert_str_eq(cli_value(&o, "since"), "7");
		ck_assert_str_eq(cli_value(&o, "count"), "3");
		ck_assert_ptr_null(cli_value(&o, "follow"));
	}
}
END_TEST

START_TEST(two_dashes_end_the_options)
{
	{
		PARSE(A("run"), A("--restart"), A("always"), A("--"), A("sleep"), A("--help"), A("-x"));

		ck_assert_int_eq(rc, CLI_GO_ON);
		ck_assert_ptr_eq(o.verb, &verb_table[VERB_RUN]);
		ck_assert_str_eq(cli_value(&o, "restart"), "always");
		ck_assert_uint_eq(o.args.n, 3);
		ck_assert_str_eq(o.args.items[1], "--help");
	}
	{
		PARSE(A("status"), A("--"), A("-odd"));

		ck_assert_int_eq(rc, CLI_GO_ON);
		ck_assert_str_eq(o.args.items[0], "-odd");
	}
	{
		PARSE(A("--"), A("true"));

		ck_assert_int_eq(rc, CLI_GO_ON);
		ck_assert_ptr_eq(o.verb, &verb_table[VERB_RUN]);
		ck_assert_str_eq(o.args.items[0], "true");
	}
}
END_TEST

START_TEST(sets_are_collected_and_a_name_is_one_for_run)
{
	PARSE(A("--set"), A("a.b=1"), A("--set=c=2"), A("--name"), A("shop"));

	ck_assert_int_eq(rc, CLI_GO_ON);
	ck_assert_uint_eq(o.sets.n, 3);
	ck_assert_str_eq(o.sets.items[0], "a.b=1");
	ck_assert_str_eq(o.sets.items[2], "name=shop");
	ck_assert_ptr_null(o.name);
}
END_TEST

#define REFUSED(...)                                                                              \
	do {                                                                                      \
		PARSE(__VA_ARGS__);                                                               \
		ck_assert_int_eq(rc, EXIT_USAGE);                                                 \
	} while (0)

START_TEST(mistakes_are_usage_errors)
{
	REFUSED(A("scale"), A("web"));
	REFUSED(A("no-such-verb"), A("web"), A("3"));
	REFUSED(A("statsu"));
	REFUSED(A("status"), A("--jsno"));
	REFUSED(A("status"), A("-x"));
	REFUSED(A("--timeout"), A("soon"), A("status"));
	REFUSED(A("status"), A("--timeout"));
	REFUSED(A("status"), A("--json=yes"));
	REFUSED(A("start"));
	REFUSED(A("signal"), A("web"));
	REFUSED(A("signal"), A("web"), A("HUP"), A("more"));
	REFUSED(A("status"), A("--set"), A("a=b"));
	REFUSED(A("run"), A("sleep"), A("5"));
	REFUSED(A("-f"), A("logs"));
	REFUSED(A("plan"), A("x"));
}
END_TEST

START_TEST(every_verb_has_help)
{
	int null = open("/dev/null", O_WRONLY), out = dup(STDOUT_FILENO);

	fflush(stdout);
	dup2(null, STDOUT_FILENO);
	for (int i = 0; i < VERB_COUNT; i++) {
		if (!verb_table[i].name)
			continue;
		PARSE(A(verb_table[i].name), A("--help"));
		ck_assert_int_eq(rc, EXIT_OK);
	}
	{
		PARSE(A("-h"));

		ck_assert_int_eq(rc, EXIT_OK);
	}
	{
		PARSE(A("--version"));

		ck_assert_int_eq(rc, EXIT_OK);
	}
	dup2(out, STDOUT_FILENO);
	close(out);
	close(null);
}
END_TEST

START_TEST(a_mistake_is_told_as_json_when_json_is_asked_for_anywhere)
{
	char path[] = "/tmp/procd-cli-XXXXXX", text[1024] = "";
	int file = mkstemp(path), out = dup(STDOUT_FILENO);
	auto_free(json_decrefp) json_t *j = NULL;
	ssize_t n;

	fflush(stdout);
	dup2(file, STDOUT_FILENO);
	REFUSED(A("statsu"), A("--json"));
	dup2(out, STDOUT_FILENO);
	n = pread(file, text, sizeof(text) - 1, 0);
	ck_assert_int_gt(n, 0);
	j = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(
		json_object_get(j, "error"), "message")), "\"status\""));
	close(out);
	close(file);
	unlink(path);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		nothing_means_run,
		common_options_stand_before_and_after_the_verb,
		a_verb_has_options_of_its_own_in_all_spellings,
		two_dashes_end_the_options,
		sets_are_collected_and_a_name_is_one_for_run,
		mistakes_are_usage_errors,
		every_verb_has_help,
		a_mistake_is_told_as_json_when_json_is_asked_for_anywhere,
	};

	return unit_run_in("command: cli", set_up, NULL, tests, ARRAY_LEN(tests));
}
