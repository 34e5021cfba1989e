/* TOML values by themselves: what each spelling means, and what is refused where. */
#include <math.h>

#include "base/alloc.h"
#include "config/bare.h"
#include "config/value.h"
#include "unit.h"

static struct value parsed(const char *text)
{
	struct value_span span = { .s = text, .n = strlen(text), .line = 1, .column = 1 };
	struct value_error error = { 0 };
	struct value v = VALUE_INIT;

	ck_assert_msg(value_parse(&span, VALUE_TOML, &v, &error) == 0, "%s: %s", text,
		      error.message);
	return v;
}

static struct value_error refused(const char *text)
{
	struct value_span span = { .s = text, .n = strlen(text), .line = 1, .column = 1 };
	struct value_error error = { 0 };
	struct value v = VALUE_INIT;

	ck_assert_msg(value_parse(&span, VALUE_TOML, &v, &error) < 0, "%s", text);
	ck_assert(error.message[0] != '\0');
	return error;
}

START_TEST(integers_come_in_four_bases)
{
	static const struct {
		const char *text;
		int64_t n;
	} cases[] = {
		{ "0", 0 }, { "-0", 0 }, { "+5", 5 }, { "1_000_000", 1000000 }, { "0xff", 255 },
		{ "0o17", 15 }, { "0b1_01", 5 }, { "9223372036854775807", INT64_MAX },
		{ "-9223372036854775808", INT64_MIN },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct value v = parsed(cases[i].text);

		ck_assert_int_eq(v.kind, VALUE_INT);
		ck_assert_int_eq(v.integer, cases[i].n);
		ck_assert_str_eq(v.text, cases[i].text);
		value_fini(&v);
	}
}
END_TEST

START_TEST(what_is_nearly_a_number_is_a_word)
{
	static const char *const words[] = {
		"007", "1__0", "_1", "1_", "9223372036854775808", "-", "0x", "0xg", "1.", ".5", "1e",
		"10s", "64K", "-0x1", "1.2.3", "yes", "True", "a = b", "0b2",
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct value v = parsed(words[i]);

		ck_assert_msg(v.kind == VALUE_WORD, "%s", words[i]);
		value_fini(&v);
	}
}
END_TEST

START_TEST(floats_and_booleans_are_told_apart)
{
	struct value v = parsed("-1.5e3");

	ck_assert_int_eq(v.kind, VALUE_FLOAT);
	ck_assert(v.number < -1499.9 && v.number > -1500.1);
	value_fini(&v);
	v = parsed("inf");
	ck_assert(v.kind == VALUE_FLOAT && isinf(v.number));
	value_fini(&v);
	v = parsed("true");
	ck_assert(v.kind == VALUE_BOOL && v.boolean);
	value_fini(&v);
}
END_TEST

START_TEST(escapes_are_read_in_basic_strings_only)
{
	struct value v = parsed("\"a\\tb\\\"\\\\\\u00e4\\U0001F600\\e\"");

	ck_assert_int_eq(v.kind, VALUE_STRING);
	ck_assert_str_eq(v.text, "a\tb\"\\\xc3\xa4\xf0\x9f\x98\x80\033");
	value_fini(&v);
	v = parsed("'a\\tb\"'");
	ck_assert_str_eq(v.text, "a\\tb\"");
	value_fini(&v);
}
END_TEST

START_TEST(arrays_nest_over_several_lines)
{
	struct value v = parsed("[ # one ]\n  [1, 2,],\n\t'x', # two\n  {a = [], b = \"c\"},\n word ]");

	ck_assert_int_eq(v.kind, VALUE_ARRAY);
	ck_assert_int_eq(v.n, 4);
	ck_assert_int_eq(v.items[0].n, 2);
	ck_assert_int_eq(v.items[0].items[1].column, 7);
	ck_assert_int_eq(v.items[1].line, 3);
	ck_assert_str_eq(v.items[2].keys[1].name, "b");
	ck_assert_str_eq(v.items[2].items[1].text, "c");
	ck_assert_str_eq(v.items[3].text, "word");
	value_fini(&v);
}
END_TEST

START_TEST(each_refusal_points_at_its_cause)
{
	static const struct {
		const char *text;
		int line, column;
	} cases[] = {
		{ "\"abc", 1, 1 }, { "\"a\\x\"", 1, 3 }, { "\"\\u0000\"", 1, 4 },
		{ "\"\\ud800\"", 1, 4 }, { "\"\\U00110000\"", 1, 4 }, { "'''a'''", 1, 1 },
		{ "[1, 2", 1, 1 }, { "[1 2]", 1, 4 }, { "[1,, 2]", 1, 4 }, { "[,]", 1, 2 },
		{ "{a = 1, a = 2}", 1, 9 }, { "{a}", 1, 3 }, { "{\"a\" = 1}", 1, 2 },
		{ "[1] 2", 1, 4 }, { "{a = 1", 1, 1 }, { "[\n\n  2026-01-01]", 3, 3 },
		{ "12:00:00", 1, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct value_error e = refused(cases[i].text);

		ck_assert_msg(e.line == cases[i].line && e.column == cases[i].column, "%s: %d:%d %s",
			      cases[i].text, e.line, e.column, e.message);
	}
}
END_TEST

START_TEST(depth_is_limited)
{
	char text[80];
	struct value v;

	memset(text, '[', 32);
	memset(text + 32, ']', 32);
	text[64] = '\0';
	v = parsed(text);
	value_fini(&v);
	memset(text, '[', 33);
	memset(text + 33, ']', 33);
	text[66] = '\0';
	ck_assert_int_eq(refused(text).column, 33);
}
END_TEST

START_TEST(quoting_gives_the_same_text_back)
{
	static const char *const texts[] = {
		"", "plain", "a\"b\\c", "tab\tnl\ncr\resc\033del\177", "\xc3\xa4", "$x %s", "'",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		auto_free(strbuf_fini) struct strbuf quoted = STRBUF_INIT;
		struct value v;

		toml_quote(texts[i], &quoted);
		v = parsed(quoted.buf);
		ck_assert_str_eq(v.text, texts[i]);
		value_fini(&v);
	}
}
END_TEST

UNIT_MAIN("config: values", integers_come_in_four_bases, what_is_nearly_a_number_is_a_word,
	  floats_and_booleans_are_told_apart, escapes_are_read_in_basic_strings_only,
	  arrays_nest_over_several_lines, each_refusal_points_at_its_cause, depth_is_limited,
	  quoting_gives_the_same_text_back)
