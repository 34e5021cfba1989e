/* What the environment and the command line say, and how strict a file is in comparison. */
#include <config.h>

#include "config_fixture.h"

#define WEB "[subsystem.web]\ncommand = \"true\"\n"

static const struct subsystem_options *sub(const char *name)
{
	const struct subsystem_options *o = config_find(config, name);

	ck_assert_ptr_nonnull(o);
	return o;
}

static int load_sets(const char *text, const char *const *sets)
{
	write_text("t.toml", text);
	return load_file("t.toml", sets);
}

static void expect_refused(const char *text, const char *const *sets, const char *words)
{
	auto_free(freep) char *found = NULL;

	ck_assert_int_eq(load_sets(text, sets), EXIT_CONFIG);
	found = errors();
	ck_assert_msg(diag.nerrors == 1 && strstr(found, words) != NULL, "wanted %s, got %s", words,
		      found);
}

static void expect_warning(int line, int column, const char *words)
{
	for (size_t i = 0; i < diag.n; i++)
		if (diag.issues[i].warning && diag.issues[i].line == line &&
		    diag.issues[i].column == column &&
		    strstr(diag.issues[i].message, words) != NULL)
			return;
	ck_abort_msg("no warning at %d:%d that says %s", line, column, words);
}

START_TEST(numbers_and_booleans_are_no_strings_in_a_file)
{
	expect_error("name = 42\n", 1, 8, "name: expected a string, not an integer");
	expect_error("pid_file = 1.5\n", 1, 12, "put it in quotes");
	expect_error("work_dir = true\n", 1, 12, "not a boolean");
	expect_error(WEB "description = 7\n", 3, 15, "description");
	expect_error("[subsystem.a]\ncommand = 42\n", 2, 11, "command");
	load_fine("name = word\n" WEB "description = two words\n");
	ck_assert_str_eq(config->name, "word");
	ck_assert_str_eq(sub("web")->links->description, "two words");
}
END_TEST

START_TEST(what_is_written_as_text_may_look_like_a_number)
{
	load_fine("[control]\nmode = 0660\n[shutdown]\nforce_signal = 15\n[subsystem.a]\n"
		  "command = [\"sleep\", 1000]\nuser = 12345\nsupplementary_groups = [77]\n"
		  "umask = 027\n"
		  "limit_nofile = 64\nenvironment = { PORT = 8080, ON = true }\n[subsystem.b]\n"
		  "command = false\n");
	ck_assert_int_eq(config->control.mode, 0660);
	ck_assert_int_eq(config->shutdown.force_signal, SIGTERM);
	ck_assert_str_eq(sub("a")->command.items[1], "1000");
	ck_assert_uint_eq(sub("a")->rights->uid, 12345);
	ck_assert_int_eq(sub("a")->rights->umask, 027);
	ck_assert_str_eq(sub("a")->environment.items[0], "PORT=8080");
	ck_assert_str_eq(sub("a")->environment.items[1], "ON=true");
	ck_assert_str_eq(sub("b")->command.items[0], "false");
}
END_TEST

START_TEST(outside_files_everything_is_text)
{
	const char *sets[] = { "name=42", "subsystem.web.description=true", NULL };

	if (!WITH_CONFIG_WATCH)
		return;
	setenv("DAEMON_HOT_RELOAD", "1", 1);
	setenv("DAEMON_LOGGING_COLOR", "False", 1);
	setenv("DAEMON_LOGGING_FILE", "7", 1);
	ck_assert_int_eq(load_sets(WEB, sets), 0);
	ck_assert_str_eq(config->name, "42");
	ck_assert_str_eq(sub("web")->links->description, "true");
	ck_assert(config->hot_reload && !config->logging.color);
	ck_assert_str_eq(strrchr(config->logging.file, '/'), "/7");
	setenv("DAEMON_HOT_RELOAD", "2", 1);
	expect_refused(WEB, NULL, "DAEMON_HOT_RELOAD: hot_reload: expected true or false");
}
END_TEST

START_TEST(names_that_are_not_known_keys_are_left_alone)
{
	auto_free(strlist_fini) struct strlist unknown = STRLIST_INIT;

	setenv("DAEMON_", "1", 1);
	setenv("DAEMON_BOGUS", "1", 1);
	setenv("DAEMON_name", "lower", 1);
	setenv("DAEMON_LOGGING", "x", 1);
	setenv("DAEMON_SUBSYSTEM_WEB_COMMAND", "x", 1);
	setenv("DAEMON_LOGGING_LEVEL_X", "x", 1);
	load_fine(WEB);
	ck_assert_str_eq(config->name, "procd");
	ck_assert_uint_eq(config->nsubsystems, 1);
	setenv("DAEMON_NAME", "x", 1);
	config_unknown_variables(&unknown);
	ck_assert_uint_eq(unknown.n, 6);
	ck_assert(strlist_has(&unknown, "DAEMON_BOGUS"));
	ck_assert(!strlist_has(&unknown, "DAEMON_NAME"));
}
END_TEST

START_TEST(every_spelling_reaches_the_environment)
{
	setenv("DAEMON_SHUTDOWN_GRACEFUL", "7000", 1);
	setenv("DAEMON_SHUTDOWN_KILL_TIMEOUT_MS", "40000", 1);
	setenv("DAEMON_RELOAD_DEBOUNCE", "1s", 1);
	setenv("DAEMON_DEFAULTS_NICE", "3", 1);
	setenv("DAEMON_SIGNALS_SIGALRM", "dump", 1);
	load_fine("[defaults]\nnice = 1\n" WEB "[subsystem.b]\ncommand = x\nnice = 5\n");
	ck_assert_int_eq(config->shutdown.timeout_ms, 7000);
	ck_assert_int_eq(config->shutdown.kill_timeout_ms, 40000);
	ck_assert_int_eq(config->reload.debounce_ms, 1000);
	ck_assert_int_eq(config->signals[SIGALRM].action, SIGNAL_DUMP);
	ck_assert_int_eq(sub("web")->rights->nice, 3);
	ck_assert_int_eq(sub("b")->rights->nice, 5);	/* its own word is nearer than one for all */
}
END_TEST

START_TEST(the_last_word_on_the_command_line_wins)
{
	const char *again[] = { "shutdown.timeout=3s", "shutdown.timeout=4s", NULL };
	const char *twice[] = { "shutdown.timeout=3s", "shutdown.timeout_ms=4000", NULL };

	ck_assert_int_eq(load_sets(WEB, again), 0);
	ck_assert_int_eq(config->shutdown.timeout_ms, 4000);
	expect_refused(WEB, twice, "--set shutdown.timeout_ms: 'timeout' is given already by "
		       "--set shutdown.timeout");
	setenv("DAEMON_SHUTDOWN_TIMEOUT", "3s", 1);
	setenv("DAEMON_SHUTDOWN_TIMEOUT_MS", "3000", 1);
	expect_refused(WEB, NULL, "is given already by DAEMON_SHUTDOWN_TIMEOUT");
}
END_TEST

START_TEST(a_whole_subsystem_may_be_given_at_once)
{
	const char *sets[] = {
		"subsystem.a={command=\"x\", nice=4}", "subsystem.b.c.command=y",
		"program.d.command=['p', \"q r\"]", "logging={level=\"debug\"}", NULL
	};
	const char *no_table[] = { "subsystem.a=5", NULL };

	ck_assert_int_eq(load_sets("subsystem.e = { command = \"z\" }\n", sets), 0);
	ck_assert_uint_eq(config->nsubsystems, 4);
	ck_assert_int_eq(sub("a")->rights->nice, 4);
	ck_assert_str_eq(sub("b.c")->command.items[0], "y");
	ck_assert_str_eq(sub("d")->command.items[1], "q r");
	ck_assert_str_eq(sub("e")->command.items[0], "z");
	ck_assert_int_eq(config->logging.level, LOG_DEBUG);
	expect_refused(WEB, no_table, "--set subsystem.a: expected a table");
}
END_TEST

START_TEST(mistyped_keys_get_the_nearest_name_in_the_same_spelling)
{
	expect_error(WEB "stop_timout_ms = 5\n", 3, 1, "did you mean 'stop_timeout_ms'");
	expect_error(WEB "restrat = \"never\"\n", 3, 1, "did you mean 'restart'");
	expect_error(WEB "max_atempts = 3\n", 3, 1, "did you mean 'max_attempts'");
	expect_error("[signals]\ntrem = \"ignore\"\n", 2, 1, "did you mean 'term'");
	expect_error("[lgging]\n", 1, 1, "did you mean [logging]");
	expect_error("[subsytem.a]\n", 1, 1, "did you mean [subsystem.a]");
}
END_TEST

START_TEST(what_may_come_right_is_a_warning_at_its_place)
{
	load_fine("pid_file = \"no/where/pid\"\n[subsystem.a]\ncommand = \"/no/such/program\"\n"
		  "working_dir = \"/no/such/dir\"\n[subsystem.b]\ncommand = [\"/tmp\"]\n");
	expect_warning(1, 12, "pid_file");
	expect_warning(3, 11, "/no/such/program");
	expect_warning(4, 15, "/no/such/dir");
	expect_warning(6, 11, "/tmp");
	load_fine("");
	expect_warning(0, 0, "no subsystems");
}
END_TEST

START_TEST(messages_are_harmless_on_a_terminal)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	write_text("t.json", "{\"a\\u001b[31mb\": 1}");
	ck_assert_int_eq(load_file("t.json", NULL), EXIT_CONFIG);
	config_diag_print(&diag, true, &text);
	ck_assert_ptr_nonnull(strstr(text.buf, "t.json:1:2: "));
	ck_assert_ptr_null(strchr(text.buf, 27));
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		numbers_and_booleans_are_no_strings_in_a_file,
		what_is_written_as_text_may_look_like_a_number, outside_files_everything_is_text,
		names_that_are_not_known_keys_are_left_alone,
		every_spelling_reaches_the_environment,
		the_last_word_on_the_command_line_wins, a_whole_subsystem_may_be_given_at_once,
		mistyped_keys_get_the_nearest_name_in_the_same_spelling,
		what_may_come_right_is_a_warning_at_its_place, messages_are_harmless_on_a_terminal,
	};

	return unit_run_in("config: words", setup, teardown, tests, ARRAY_LEN(tests));
}
