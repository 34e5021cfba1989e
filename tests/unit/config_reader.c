/* Text of a daemon.toml: what is accepted, and where each mistake is told. */
#include "config_fixture.h"

#define WEB "[subsystem.web]\ncommand = \"true\"\n"

static const struct subsystem_options *web(void)
{
	const struct subsystem_options *o = config_find(config, "web");

	ck_assert_ptr_nonnull(o);
	return o;
}

START_TEST(every_mistake_has_its_line_and_column)
{
	static const struct {
		const char *text;
		int line, column;
		const char *words;
	} cases[] = {
		{ "name = \"a\"\nnmae = \"b\"\n", 2, 1, "did you mean 'name'" },
		{ "\n  name \"a\"\n", 2, 8, "'='" },
		{ "name =\n", 1, 7, "missing" },
		{ "name = # nothing\n", 1, 8, "missing" },
		{ "name = \"a\n", 1, 8, "not closed" },
		{ "name = 'a\n", 1, 8, "not closed" },
		{ "name = \"a\" b\n", 1, 12, "unexpected" },
		{ "name = \"a\" ; b\n", 1, 12, "';'" },
		{ "name = \"a\\q\"\n", 1, 10, "escape" },
		{ "name = \"\\u12\"\n", 1, 13, "hexadecimal" },
		{ "name = \"\\ud800\"\n", 1, 11, "not a character" },
		{ "name = \"\"\"a\"\"\"\n", 1, 8, "multi-line" },
		{ "\"name\" = \"a\"\n", 1, 1, "quotes" },
		{ "[logging\nlevel = \"info\"\n", 1, 1, "not closed" },
		{ "[[subsystem]]\n", 1, 1, "arrays of tables" },
		{ "[\"logging\"]\n", 1, 1, "quotes" },
		{ "[logging] x\n", 1, 11, "unexpected" },
		{ "[loging]\nlevel = \"info\"\n", 1, 1, "[logging]" },
		{ "[]\n", 1, 1, "missing" },
		{ "[logging]\nlevel = \"info\"\nlevel = \"info\"\n", 3, 1, "line 2" },
		{ "[logging]\n[shutdown]\n[logging]\n", 3, 1, "line 1" },
		{ "name = 2026-11-22\n", 1, 8, "dates" },
		{ "name = 10:30:00\n", 1, 8, "dates" },
		{ "include = [\"a.toml\"\nname = \"x\"\n", 1, 11, "not closed" },
		{ "include = [\"*.toml\" \"b\"]\n", 1, 21, "','" },
		{ "name = \"a\"\rb\n", 1, 11, "carriage return" },
		{ "name = \"a\x01\"\n", 1, 10, "control character" },
		{ "name = \"\xc3\xa4\xff\"\n", 1, 10, "UTF-8" },
		{ "\xef\xbb\xbfnmae = \"b\"\n", 1, 1, "'name'" },
		{ "= 5\n", 1, 1, "expected" },
		{ "[subsystem.]\n", 1, 1, "name" },
		{ "[subsystem.a b]\n", 1, 1, "'a b'" },
		{ "[logging.x]\n", 1, 1, "below" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect_error(cases[i].text, cases[i].line, cases[i].column, cases[i].words);
}
END_TEST

START_TEST(a_nul_byte_is_an_error)
{
	auto_free(freep) char *found = NULL;

	write_bytes("t.toml", "name = \"a\0b\"\n", 13);
	ck_assert_int_eq(load_file("t.toml", NULL), EXIT_CONFIG);
	found = errors();
	ck_assert_str_eq(found, "1:10: NUL byte\n");
}
END_TEST

START_TEST(all_mistakes_are_told_at_once_and_in_order)
{
	auto_free(freep) char *found = NULL;
	int lines[] = { 1, 3, 4, 6, 8, 9 };

	ck_assert_int_eq(load_text("nmae = 1\n"
				   "[logging]\n"
				   "level = \"loud\"\n"
				   "json = 5\n"
				   "[shutdown]\n"
				   "timeout = \"soon\"\n"
				   "[subsystem.web]\n"
				   "comand = \"true\"\n"
				   "nice = 99\n"
				   "command = \"true\"\n"), EXIT_CONFIG);
	found = errors();
	ck_assert_msg(diag.nerrors == ARRAY_LEN(lines), "%s", found);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		ck_assert_int_eq(diag.issues[i].line, lines[i]);
}
END_TEST

START_TEST(an_unclosed_bracket_does_not_hide_what_follows)
{
	auto_free(freep) char *found = NULL;

	ck_assert_int_eq(load_text(WEB "environment = [\"A=1\",\n  \"B=2\"\nnmae = \"x\"\n"
				   "[logging]\nlevl = \"info\"\n"), EXIT_CONFIG);
	found = errors();
	ck_assert_int_eq(diag.nerrors, 3);
	ck_assert_int_eq(diag.issues[0].line, 3);
	ck_assert_int_eq(diag.issues[1].line, 5);
	ck_assert_int_eq(diag.issues[2].line, 7);
}
END_TEST

START_TEST(unclosed_tables_do_not_take_for_ever)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	for (int i = 0; i < 1000; i++)
		strbuf_addstr(&text, "a = {\n");
	for (int i = 0; i < 1 << 20; i++)
		strbuf_addstr(&text, "xxxxxxxx");
	write_bytes("t.toml", text.buf, text.len);
	ck_assert_int_eq(load_file("t.toml", NULL), EXIT_CONFIG);
	ck_assert_uint_ge(diag.nerrors, 10);
	ck_assert_int_eq(diag.issues[0].line, 1);
}
END_TEST

START_TEST(comments_stand_where_they_may)
{
	load_fine("# one\n; two\n  ; three\nname = \"a # b ; c\" # four\n"
		  "[logging] # five\nlevel = debug ; six\n"
		  WEB "description = a;b#c d # seven\n"
		  "environment = [ # eight\n  \"A=1\", # nine ]\n  ; ten\n  \"B=#;]\",\n]\n");
	ck_assert_str_eq(config->name, "a # b ; c");
	ck_assert_int_eq(config->logging.level, LOG_DEBUG);
	ck_assert_str_eq(web()->links->description, "a;b#c d");
	ck_assert_int_eq(web()->environment.n, 2);
	ck_assert_str_eq(web()->environment.items[1], "B=#;]");
}
END_TEST

START_TEST(bom_crlf_and_a_missing_newline_are_fine)
{
	load_fine("\xef\xbb\xbfname = \"a\"\r\n[subsystem.web]\r\ncommand = [\"sh\",\r\n \"-c\"]\r\n"
		  "description = \"x\"");
	ck_assert_str_eq(config->name, "a");
	ck_assert_int_eq(web()->command.n, 2);
	ck_assert_str_eq(web()->links->description, "x");
}
END_TEST

/* inih as it is built here cuts lines at 200 bytes and names at 50. */
START_TEST(lines_of_any_length_stay_whole)
{
	for (size_t n = 150; n <= 210; n++) {
		auto_free(freep) char *value = x_malloc(n + 1), *text = NULL;

		memset(value, 'x', n);
		value[n] = '\0';
		value[n / 2] = '=';
		text = x_asprintf("%sdescription = \"%s\"\n  umask = \"0022\"\n", WEB, value);
		load_fine(text);
		ck_assert_str_eq(web()->links->description, value);
		ck_assert_int_eq(web()->rights->umask, 022);
	}
}
END_TEST

START_TEST(a_value_of_a_mebibyte_stays_whole)
{
	size_t n = (size_t)1 << 20;
	auto_free(freep) char *value = x_malloc(n + 1), *text = NULL;

	memset(value, 'y', n);
	value[n] = '\0';
	text = x_asprintf("%sdescription = \"%s\"\n", WEB, value);
	load_fine(text);
	ck_assert_str_eq(web()->links->description, value);
}
END_TEST

START_TEST(names_that_differ_late_are_two)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	for (int n = 47; n <= 64; n++)
		for (char c = 'a'; c <= 'b'; c++)
			strbuf_addf(&text, "[subsystem.%0*d%c]\ncommand = \"true\"\n", n - 1, 7, c);
	load_fine(text.buf);
	ck_assert_int_eq(config->nsubsystems, 36);
}
END_TEST

START_TEST(a_name_of_65_is_too_long)
{
	auto_free(freep) char *text = x_asprintf("[subsystem.%065d]\ncommand = \"true\"\n", 1);

	expect_error(text, 1, 1, "1 to 64");
}
END_TEST

START_TEST(semicolons_and_colons_in_values_are_kept)
{
	load_fine("[subsystem.web]\ncommand = \"sh -c 'a ; b'\"\ndescription = 'http://x = 1 ; y'\n");
	ck_assert_str_eq(web()->command.items[2], "a ; b");
	ck_assert_str_eq(web()->links->description, "http://x = 1 ; y");
}
END_TEST

START_TEST(all_spellings_of_a_table_are_one)
{
	load_fine("[daemon]\nname = \"d\"\n[subsystem:a.b]\ncommand = \"true\"\n"
		  "[program:c]\ncommand = true\n[ subsystem.d ]\ncommand = \"true\"\n");
	ck_assert_str_eq(config->name, "d");
	ck_assert_ptr_nonnull(config_find(config, "a.b"));
	ck_assert_ptr_nonnull(config_find(config, "c"));
	ck_assert_ptr_nonnull(config_find(config, "d"));
	expect_error(WEB "[program:web]\ncommand = \"true\"\n", 3, 1, "twice");
	expect_error("subsystem.web = { command = \"true\" }\n"
		     "subsystem.web = { user = \"root\" }\n", 2, 1, "twice");
	expect_error("logging = { level = \"info\" }\n[logging]\nmax_files = 3\n" WEB, 2, 1,
		     "[logging] is there twice");
}
END_TEST

START_TEST(the_name_of_a_variable_ends_before_the_equals_sign)
{
	auto_free(freep) char *found = NULL;

	write_text("t.json", "{\"subsystem\":{\"web\":{\"command\":\"true\","
			     "\"environment\":{\"A=B\":\"x\"}}}}");
	ck_assert_int_eq(load_file("t.json", NULL), EXIT_CONFIG);
	found = errors();
	ck_assert_msg(strstr(found, "must not have '='") != NULL, "%s", found);
}
END_TEST

START_TEST(a_top_level_key_in_a_table_is_to_be_moved_up)
{
	expect_error("[logging]\nwork_dir = \"/\"\n", 2, 1, "move it up");
	expect_error(WEB "hot_reload = true\n", 3, 1, "move it up");
}
END_TEST

START_TEST(dotted_keys_and_inline_tables_reach_into_sections)
{
	load_fine("logging.level = \"warn\"\nshutdown = { timeout = 7, kill_timeout = \"1m\" }\n"
		  "subsystem = { web = { command = [\"true\"], environment = { A = \"1\", B = 2 } } }\n");
	ck_assert_int_eq(config->logging.level, LOG_WARN);
	ck_assert_int_eq(config->shutdown.timeout_ms, 7000);
	ck_assert_int_eq(config->shutdown.kill_timeout_ms, 60000);
	ck_assert_str_eq(web()->environment.items[1], "B=2");
}
END_TEST

START_TEST(signals_may_be_named_with_a_plus)
{
	load_fine("[signals]\nSIGRTMIN+1 = \"reload\"\nSIGALRM = ignore\nuser1 = \"forward:web\"\n" WEB);
	ck_assert_int_eq(config->signals[SIGRTMIN + 1].action, SIGNAL_RELOAD);
	ck_assert_int_eq(config->signals[SIGALRM].action, SIGNAL_IGNORE);
	ck_assert_str_eq(config->signals[SIGUSR1].target, "web");
	ck_assert_int_eq(config->signals[SIGRTMIN + 2].action, SIGNAL_DEFAULT);
	expect_error("[signals]\nSIGKILL = \"ignore\"\n", 2, 1, "cannot be caught");
	expect_error("[signals]\nSIGSTOP = \"ignore\"\n", 2, 1, "cannot be caught");
	expect_error("[signals]\nterm = \"ignore\"\nSIGTERM = \"reload\"\n", 3, 1, "another spelling");
	expect_error("[signals]\nterm = \"forward:web\"\n", 2, 8, "web");
}
END_TEST

START_TEST(json_files_hold_the_same_tree)
{
	auto_free(freep) char *found = NULL;

	write_text("t.json", "{\"name\":\"j\\u00e4\\/x\",\"work_dir\":null}\n");
	ck_assert_int_eq(load_file("t.json", NULL), EXIT_CONFIG);	/* '/' in the name */
	found = errors();
	ck_assert_msg(strncmp(found, "1:9: ", 5) == 0, "%s", found);
	write_text("t.json", "{\"logging\":{\"level\":\"debug\"},\n \"subsystem\":{\"web\":"
		   "{\"command\":[\"sleep\",\"5\"],\"stop_timeout_ms\":1500}}}");
	ck_assert_int_eq(load_file("t.json", NULL), 0);
	ck_assert_int_eq(config->logging.level, LOG_DEBUG);
	ck_assert_int_eq(web()->policy->stop_timeout_ms, 1500);
	write_text("t.json", "{\"subsystem\":{\"web\":{\"command\":\"true\"}},\n"
		   " \"logging\":{\"levl\":\"debug\"}}");
	ck_assert_int_eq(load_file("t.json", NULL), EXIT_CONFIG);
	ck_assert_int_eq(diag.issues[0].line, 2);
	ck_assert_int_eq(diag.issues[0].column, 13);
	write_text("t.json", "{\"name\":\"a\",\n\"name\":\"b\"}");
	ck_assert_int_eq(load_file("t.json", NULL), EXIT_CONFIG);
	free(found);
	found = errors();
	ck_assert_msg(strncmp(found, "2:", 2) == 0, "%s", found);
	write_text("t.json", "[]");
	ck_assert_int_eq(load_file("t.json", NULL), EXIT_CONFIG);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		every_mistake_has_its_line_and_column, a_nul_byte_is_an_error,
		all_mistakes_are_told_at_once_and_in_order,
		an_unclosed_bracket_does_not_hide_what_follows,
		unclosed_tables_do_not_take_for_ever, comments_stand_where_they_may,
		bom_crlf_and_a_missing_newline_are_fine, lines_of_any_length_stay_whole,
		a_value_of_a_mebibyte_stays_whole, names_that_differ_late_are_two,
		a_name_of_65_is_too_long, semicolons_and_colons_in_values_are_kept,
		all_spellings_of_a_table_are_one,
		the_name_of_a_variable_ends_before_the_equals_sign,
		a_top_level_key_in_a_table_is_to_be_moved_up,
		dotted_keys_and_inline_tables_reach_into_sections, signals_may_be_named_with_a_plus,
		json_files_hold_the_same_tree,
	};

	return unit_run_in("config: text", setup, teardown, tests, ARRAY_LEN(tests));
}
