/* What an import makes of texts: names, values that procd would expand, command lines, spans of time. */
#include "import/model.h"

#include "import/command_line.h"
#include "import/systemd.h"
#include "unit.h"

static struct import im;

static struct import_service *add(const char *name)
{
	return import_add(&im, name, name, "/f", 1);
}

static const char *toml_of(const struct import_service *s, const char *key)
{
	for (size_t i = 0; i < s->nsettings; i++)
		if (strcmp(s->settings[i].key, key) == 0)
			return s->settings[i].toml;
	return "";
}

START_TEST(names_are_made_fit_and_stay_different)
{
	char longest[200];

	import_init(&im);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ck_assert_str_eq(add("a b")->name, "a-b");
	ck_assert_str_eq(add("a/b")->name, "a-b-2");
	ck_assert_str_eq(add("a-b-2")->name, "a-b-2-2");
	ck_assert_str_eq(add("all")->name, "all_");
	ck_assert_str_eq(add("")->name, "_");
	ck_assert_uint_eq(strlen(add(longest)->name), 64);
	ck_assert_uint_le(strlen(add(longest)->name), 64);
	ck_assert_ptr_eq(import_find(&im, "a/b"), im.services[1]);
	import_fini(&im);
}
END_TEST

START_TEST(a_list_without_end_becomes_notes)
{
	struct import_service *s;
	char item[1024];

	import_init(&im);
	s = add("web");
	memset(item, 'x', sizeof(item) - 1);
	item[sizeof(item) - 1] = '\0';
	for (int i = 0; i < 300; i++)
		import_list_add(s, "groups", item);
	ck_assert_uint_lt(strlen(toml_of(s, "groups")), IMPORT_LIST_MAX + 2 * sizeof(item));
	ck_assert_uint_gt(s->nnotes, 40);
	import_fini(&im);
}
END_TEST

START_TEST(what_procd_would_expand_is_protected_and_marks_are_not)
{
	static const struct {
		const char *marked, *toml;
	} rows[] = {
		{ "plain $HOME 5% %s", "\"plain $HOME 5% %s\"" },
		{ "${x} $$ %n %i %%", "\"$${x} $$$ %%n %%i %%%\"" },
		{ "\x02{X:-}-\x01i", "\"${X:-}-%i\"" },
		{ "%\x01i$\x02{X:-}", "\"%%%i$$${X:-}\"" },
		{ "a\"b\\c\n", "\"a\\\"b\\\\c\\n\"" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

		import_quote(rows[i].marked, &out);
		ck_assert_str_eq(out.buf, rows[i].toml);
	}
}
END_TEST

START_TEST(a_shell_is_left_out_where_it_has_nothing_to_do)
{
	static const struct {
		const char *text, *toml;	/* "[...]": words; else a script */
	} rows[] = {
		{ "a 'b c' \"d\" e\\ f", "[\"a\", \"b c\", \"d\", \"e f\"]" },
		{ "a $X", "\"exec a $X\"" }, { "a > f 2>&1", "\"a > f 2>&1\"" },
		{ "a > f", "\"exec a > f\"" }, { "a *", "\"exec a *\"" }, { "a | b", "\"a | b\"" },
		{ "cd x && a", "\"cd x && a\"" }, { "X=1 a", "\"X=1 a\"" }, { "cd x", "\"cd x\"" },
		{ "a '$X' '|'", "[\"a\", \"$X\", \"|\"]" }, { "a \"`b`\"", "\"exec a \\\"`b`\\\"\"" },
		{ "a\nb", "\"a\\nb\"" }, { "> f a", "\"> f a\"" }, { "a 'b", "\"a 'b\"" },
	};

	import_init(&im);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct import_service *s = add("x");

		import_command_line(s, "command", rows[i].text);
		ck_assert_str_eq(toml_of(s, "command"), rows[i].toml);
		ck_assert_int_eq(rows[i].toml[0] != '[', import_has(s, "shell"));
	}
	import_fini(&im);
}
END_TEST

START_TEST(spans_of_time_of_systemd_are_read)
{
	static const struct {
		const char *text;
		long long ms;	/* -2: none */
	} rows[] = {
		{ "90", 90000 }, { "1min 30s", 90000 }, { "2h", 7200000 }, { "500ms", 500 },
		{ "1.5", 1500 }, { "infinity", -1 }, { "1 week", 604800000 }, { "100us", 1 },
		{ "", -2 }, { "soon", -2 }, { "5 parsecs", -2 }, { "-5", -2 },
		{ "999999999999999999", -2 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		long long ms = -2;
		bool fine = unit_duration(rows[i].text, &ms);

		ck_assert_msg(fine == (rows[i].ms != -2), "%s", rows[i].text);
		if (fine)
			ck_assert_int_eq(ms, rows[i].ms);
	}
}
END_TEST

START_TEST(the_last_of_two_settings_and_of_two_variables_counts)
{
	struct import_service *s;

	import_init(&im);
	s = add("x");
	import_int(s, "nice", 1);
	import_int(s, "nice", 2);
	ck_assert_uint_eq(s->nsettings, 1);
	ck_assert_str_eq(toml_of(s, "nice"), "2");
	ck_assert(import_variable(s, "A", 1, "x"));
	ck_assert(import_variable(s, "A", 1, "y"));
	ck_assert(!import_variable(s, "A B", 3, "y"));
	ck_assert(!import_variable(s, "", 0, "y"));
	ck_assert(import_variable(s, "AB", 2, "z"));
	ck_assert_uint_eq(s->environment.n, 2);
	ck_assert_str_eq(s->environment.items[0], "A=y");
	ck_assert_str_eq(s->environment.items[1], "AB=z");
	import_fini(&im);
}
END_TEST

UNIT_MAIN("import: model", names_are_made_fit_and_stay_different,
	  what_procd_would_expand_is_protected_and_marks_are_not,
	  a_shell_is_left_out_where_it_has_nothing_to_do, spans_of_time_of_systemd_are_read,
	  the_last_of_two_settings_and_of_two_variables_counts, a_list_without_end_becomes_notes)
