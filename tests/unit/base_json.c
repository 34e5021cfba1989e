/* JSON from dirty text, and requests from peers who mean no good. */
#include "base/json.h"

#include <errno.h>
#include <signal.h>

#include "base/text.h"
#include "unit.h"

static void check_dump(json_t *j, const char *text)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

	strbuf_addch(&out, '>');
	json_dump(j, &out);
	json_decref(j);
	ck_assert_str_eq(out.buf + 1, text);
}

START_TEST(dirty_bytes_become_a_clean_string)
{
	json_setup();
	check_dump(json_text("plain"), "\"plain\"");
	check_dump(json_text(NULL), "null");
	check_dump(json_text("a\xff" "b"), "\"a\xef\xbf\xbd" "b\"");
	check_dump(json_text("\x1b[1m\n"), "\"\\u001B[1m\\n\"");
	check_dump(json_text_n("a\0b", 3), "\"a\\u0000b\"");
	check_dump(json_text_n("", 0), "\"\"");
	check_dump(json_signal(SIGTERM), "\"SIGTERM\"");
	check_dump(json_signal(0), "null");
}
END_TEST

START_TEST(a_long_text_is_dumped_whole)
{
	static char text[100001];
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	auto_free(json_decrefp) json_t *j = NULL;

	memset(text, 'x', sizeof(text) - 1);
	j = json_text(text);
	json_dump(j, &out);
	ck_assert_uint_eq(out.len, sizeof(text) + 1);
	ck_assert_uint_eq(strlen(out.buf), out.len);
}
END_TEST

START_TEST(an_error_is_told_with_its_code_name_and_category)
{
	auto_free(error_fini) struct error e = ERROR_INIT;

	error_set(&e, ERROR_SUBSYSTEM_NOT_FOUND, 0, "no subsystem 'w\xff" "b'");
	check_dump(json_error_object(-32001, &e),
		   "{\"code\":-32001,\"message\":\"no subsystem 'w\xef\xbf\xbd" "b'\",\"data\":"
		   "{\"category\":\"subsystem\",\"code\":4002,\"name\":\"SUBSYSTEM_NOT_FOUND\"}}");
	error_set(&e, ERROR_IO, ENOSPC, "cannot write");
	check_dump(json_error_object(7, &e),
		   "{\"code\":7,\"message\":\"cannot write: No space left on device\",\"data\":"
		   "{\"category\":\"io\",\"code\":5000,\"name\":\"IO\",\"errno\":\"ENOSPC\"}}");
}
END_TEST

START_TEST(well_formed_requests_are_parsed)
{
	static const char *const rows[] = {
		"{}", "[]", " {\"a\":[1,2,{\"b\":null}]} \n", "5", "\"text\"", "true",
		"[[[[]]]]", "{\"a\":\"[[[[[[{{{{{{\"}", "[\"\\\"[[[[[[\"]",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_free(error_fini) struct error e = ERROR_INIT;
		json_t *j = json_parse_untrusted(rows[i], strlen(rows[i]), 4, &e);

		ck_assert_msg(j != NULL, "%s: %s", rows[i], e.message);
		json_decref(j);
	}
}
END_TEST

static void check_refused(const char *s, size_t n, int max_depth, const char *part)
{
	auto_free(error_fini) struct error e = ERROR_INIT;

	ck_assert_ptr_null(json_parse_untrusted(s, n, max_depth, &e));
	ck_assert(error_is_set(&e));
	ck_assert_msg(strstr(e.message, part) != NULL, "%s", e.message);
}

START_TEST(deep_nesting_is_refused_before_parsing)
{
	static char deep[200000];

	check_refused("[[[[[]]]]]", 10, 4, "deeper than 4");
	check_refused("{\"a\":[{\"b\":[[]]}]}", 18, 4, "deeper than 4");
	check_refused("[\"\\\\\",[[[[]]]]]", 15, 4, "deeper than 4");
	memset(deep, '[', sizeof(deep));
	check_refused(deep, sizeof(deep), 32, "deeper than 32");
}
END_TEST

START_TEST(malformed_requests_are_refused_with_their_place)
{
	static const char *const rows[] = {
		"", " ", "{", "}", "[1,]", "{\"a\":1,}", "{a:1}", "{'a':1}", "{} {}", "{}x", "nul",
		"01", "+1", "1e999", "99999999999999999999", "\"\xff\"", "\"\\ud800\"", "\"a\nb\"",
		"\"a\\u0000b\"", "[1 2]", "\"open", "//", "\x01", "]]]]]]", "[}",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_refused(rows[i], strlen(rows[i]), 32, "line 1 column ");
	check_refused("{\n \"a\": x}", 10, 32, "line 2 column 7: ");
	check_refused("[1]\0", 4, 32, "line 1 column ");
}
END_TEST

START_TEST(a_key_may_be_given_once_only)
{
	const char *text = "{\"method\":\"status\",\"method\":\"shutdown\"}";

	check_refused(text, strlen(text), 32, "duplicate");
}
END_TEST

/* Whatever the bytes: no crash, a value or a message, and the message is fit for JSON. */
START_TEST(garbage_gives_a_value_or_a_message)
{
	static const char alphabet[] = "[]{}\",:\\ue+-.019 tfn\xff\xc3\xa9\n";
	uint32_t state = 3;

	for (int round = 0; round < 20000; round++) {
		auto_free(error_fini) struct error e = ERROR_INIT;
		char text[16];
		json_t *j;

		for (size_t i = 0; i < sizeof(text); i++) {
			state = state * 1664525 + 1013904223;
			text[i] = alphabet[(state >> 16) % (sizeof(alphabet) - 1)];
		}
		j = json_parse_untrusted(text, state % sizeof(text), 8, &e);
		ck_assert(error_is_set(&e) == (j == NULL));
		json_decref(j);
		if (error_is_set(&e))
			json_decref(json_error_object(1, &e));
	}
}
END_TEST

UNIT_MAIN("base: json", dirty_bytes_become_a_clean_string, a_long_text_is_dumped_whole,
	  an_error_is_told_with_its_code_name_and_category, well_formed_requests_are_parsed,
	  deep_nesting_is_refused_before_parsing, malformed_requests_are_refused_with_their_place,
	  a_key_may_be_given_once_only, garbage_gives_a_value_or_a_message)
