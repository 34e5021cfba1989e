/* Errors, their codes, signal names and enum tables. */
#include "base/error.h"

#include <errno.h>
#include <signal.h>

#include "base/signame.h"
#include "unit.h"

START_TEST(every_code_has_its_number_name_and_category)
{
	static const struct {
		int code;
		const char *name;
		const char *category;
	} rows[] = {
		{ 1000, "CONFIG_INVALID", "config" },
		{ 1001, "CONFIG_PARSE", "config" },
		{ 1002, "CONFIG_MISSING", "config" },
		{ 1003, "CONFIG_TYPE", "config" },
		{ 2000, "SIGNAL_REGISTER", "signal" },
		{ 2001, "SIGNAL_SEND", "signal" },
		{ 2002, "SIGNAL_INVALID", "signal" },
		{ 3000, "SHUTDOWN_TIMEOUT", "shutdown" },
		{ 3001, "SHUTDOWN_IN_PROGRESS", "shutdown" },
		{ 3002, "SHUTDOWN_FAILED", "shutdown" },
		{ 4000, "SUBSYSTEM_START", "subsystem" },
		{ 4001, "SUBSYSTEM_STOP", "subsystem" },
		{ 4002, "SUBSYSTEM_NOT_FOUND", "subsystem" },
		{ 4003, "SUBSYSTEM_EXISTS", "subsystem" },
		{ 4004, "SUBSYSTEM_STATE", "subsystem" },
		{ 5000, "IO", "io" },
		{ 5001, "IO_NOT_FOUND", "io" },
		{ 5002, "IO_PERMISSION", "io" },
		{ 6000, "RUNTIME_PANIC", "runtime" },
		{ 6002, "RUNTIME_LOCK", "runtime" },
		{ 6003, "RUNTIME_SPAWN", "runtime" },
		{ 7000, "RESOURCE_MEMORY", "resource" },
		{ 7001, "RESOURCE_CPU", "resource" },
		{ 7002, "RESOURCE_FDS", "resource" },
		{ 8000, "TIMEOUT", "timeout" },
		{ 9000, "STATE_TRANSITION", "state" },
		{ 9001, "STATE_VALUE", "state" },
		{ 10000, "PLATFORM", "platform" },
		{ 10001, "PLATFORM_FEATURE", "platform" },
		{ 99999, "UNKNOWN", "runtime" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum error_code code = (enum error_code)rows[i].code;
		enum error_category category = error_code_category(code);

		ck_assert_str_eq(error_code_name(code), rows[i].name);
		ck_assert_str_eq(enumtext_name(&error_category_text, (int)category),
				 rows[i].category);
	}
}
END_TEST

START_TEST(reserved_numbers_have_no_meaning)
{
	ck_assert_str_eq(error_code_name((enum error_code)6001), "UNKNOWN");
	ck_assert_str_eq(error_code_name((enum error_code)6004), "UNKNOWN");
	ck_assert_str_eq(error_code_name((enum error_code)8001), "UNKNOWN");
	ck_assert_str_eq(error_code_name(ERROR_NONE), "NONE");
}
END_TEST

START_TEST(every_category_has_a_text)
{
	ck_assert_int_eq(error_category_text.count, CATEGORY_COUNT);
	for (int i = 0; i < CATEGORY_COUNT; i++)
		ck_assert_str_ne(enumtext_name(&error_category_text, i), "?");
}
END_TEST

START_TEST(an_error_tells_from_the_outside_to_the_inside)
{
	auto_free(error_fini) struct error e = ERROR_INIT;

	ck_assert(!error_is_set(&e));
	error_set(&e, ERROR_IO_NOT_FOUND, ENOENT, "cannot open %s", "a.toml");
	ck_assert(error_is_set(&e));
	ck_assert_str_eq(e.message, "cannot open a.toml: No such file or directory");
	error_prefix(&e, "include %d", 3);
	ck_assert_str_eq(e.message, "include 3: cannot open a.toml: No such file or directory");
	ck_assert_int_eq(e.code, ERROR_IO_NOT_FOUND);
	ck_assert_int_eq(e.errnum, ENOENT);
	error_fini(&e);
	ck_assert(!error_is_set(&e));
	ck_assert_int_eq(e.code, ERROR_NONE);
}
END_TEST

START_TEST(an_error_may_quote_the_one_it_replaces)
{
	auto_free(error_fini) struct error e = ERROR_INIT;

	error_set(&e, ERROR_IO, -EACCES, "inner");
	ck_assert_int_eq(e.errnum, EACCES);
	error_set(&e, ERROR_CONFIG_INVALID, 0, "outer (%s)", e.message);
	ck_assert_str_eq(e.message, "outer (inner: Permission denied)");
	ck_assert_int_eq(e.errnum, 0);
	ck_assert_int_eq(e.code, ERROR_CONFIG_INVALID);
}
END_TEST

START_TEST(errno_values_have_their_names)
{
	ck_assert_str_eq(errno_name(ENOENT), "ENOENT");
	ck_assert_str_eq(errno_name(-EACCES), "EACCES");
	ck_assert_str_eq(errno_name(1234), "E1234");
}
END_TEST

START_TEST(signals_are_found_by_any_usual_name)
{
	static const struct {
		const char *text;
		int signo;
	} rows[] = {
		{ "SIGTERM", SIGTERM }, { "TERM", SIGTERM }, { "term", SIGTERM }, { "15", SIGTERM },
		{ "sigKill", SIGKILL }, { "HUP", SIGHUP }, { "1", 1 }, { "USR2", SIGUSR2 },
		{ "CLD", SIGCHLD }, { "IOT", SIGABRT }, { "SIGIO", SIGIO }, { "poll", SIGPOLL },
		{ "WINCH", SIGWINCH }, { "SYS", SIGSYS },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_msg(signame_parse(rows[i].text) == rows[i].signo, "%s", rows[i].text);
	ck_assert_int_eq(signame_parse("SIGRTMIN"), SIGRTMIN);
	ck_assert_int_eq(signame_parse("SIGRTMIN+1"), SIGRTMIN + 1);
	ck_assert_int_eq(signame_parse("rtmax-2"), SIGRTMAX - 2);
	ck_assert_int_eq(signame_parse("RTMAX"), SIGRTMAX);
	ck_assert_int_eq(signame_parse("64"), 64);
}
END_TEST

START_TEST(other_words_are_no_signals)
{
	static const char *const rows[] = {
		"", "SIG", "TERMX", "SIGSIGTERM", "0", "-1", "32", "33", "65", "999", "99999999999",
		"SIGRTMIN-1", "SIGRTMAX+1", "RTMIN+99", "RTMIN+", "RTMIN1", "RTMAX-x", " TERM",
		"TERM ", "15 ", "0x0f", "SIG15", "RTMIN+-1",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_msg(signame_parse(rows[i]) == -EINVAL, "'%s'", rows[i]);
}
END_TEST

START_TEST(printed_signal_names_can_be_read_back)
{
	for (int signo = 1; signo <= SIGRTMAX; signo++)
		if (signo <= 31 || signo >= SIGRTMIN)
			ck_assert_int_eq(signame_parse(signame(signo)), signo);
	ck_assert_str_eq(signame(SIGTERM), "SIGTERM");
	ck_assert_str_eq(signame(SIGRTMIN), "SIGRTMIN");
	ck_assert_str_eq(signame(SIGRTMIN + 3), "SIGRTMIN+3");
	ck_assert_str_eq(signame(99), "SIG99");
}
END_TEST

enum { COLOR_RED, COLOR_NONE, COLOR_BLUE };
ENUMTEXT(color, "color", [COLOR_RED] = "red", [COLOR_BLUE] = "blue");

START_TEST(an_enum_table_reads_prints_and_lists)
{
	auto_free(strbuf_fini) struct strbuf all = STRBUF_INIT;

	ck_assert_int_eq(enumtext_find(&color_text, "blue"), COLOR_BLUE);
	ck_assert_int_eq(enumtext_find(&color_text, "Blue"), -1);
	ck_assert_int_eq(enumtext_find(&color_text, ""), -1);
	ck_assert_int_eq(enumtext_find_n(&color_text, "redder", 3), COLOR_RED);
	ck_assert_int_eq(enumtext_find_n(&color_text, "redder", 2), -1);
	ck_assert_str_eq(enumtext_name(&color_text, COLOR_RED), "red");
	ck_assert_str_eq(enumtext_name(&color_text, COLOR_NONE), "?");
	ck_assert_str_eq(enumtext_name(&color_text, -1), "?");
	ck_assert_str_eq(enumtext_name(&color_text, 3), "?");
	enumtext_join(&color_text, &all);
	ck_assert_str_eq(all.buf, "red, blue");
}
END_TEST

UNIT_MAIN("base: error", every_code_has_its_number_name_and_category,
	  reserved_numbers_have_no_meaning, every_category_has_a_text,
	  an_error_tells_from_the_outside_to_the_inside, an_error_may_quote_the_one_it_replaces,
	  errno_values_have_their_names, signals_are_found_by_any_usual_name,
	  other_words_are_no_signals, printed_signal_names_can_be_read_back,
	  an_enum_table_reads_prints_and_lists)
