/* Text from outside: UTF-8, terminals, typos, globs, words. */
#include "base/text.h"

#include <errno.h>

#include "unit.h"

START_TEST(well_formed_utf8_is_accepted_and_nothing_else)
{
	static const char *const good[] = {
		"", "plain", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf",
		"\xed\x9f\xbf", "\xee\x80\x80", "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80",
	};
	static const char *const bad[] = {
		"\x80",			/* continuation without a start */
		"\xc3",			/* cut short */
		"\xe2\x82", "\xf0\x9f\x98",
		"\xc0\xaf", "\xc1\xbf",	/* overlong */
		"\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",
		"\xed\xa0\x80",		/* surrogate */
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xfe",
		"\xc3(", "ok\xe2(\xa1",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		ck_assert_msg(utf8_valid(good[i], strlen(good[i])), "good %zu", i);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!utf8_valid(bad[i], strlen(bad[i])), "bad %zu", i);
	ck_assert(utf8_valid("a\0b", 3));
}
END_TEST

START_TEST(cleaning_replaces_each_invalid_byte_and_keeps_the_rest)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

	ck_assert(!utf8_clean("gr\xc3\xbc\xc3\x9f", 6, &out));
	ck_assert_str_eq(out.buf, "gr\xc3\xbc\xc3\x9f");
	strbuf_reset(&out);
	ck_assert(utf8_clean("a\xff" "b\xc3", 4, &out));
	ck_assert_str_eq(out.buf, "a\xef\xbf\xbd" "b\xef\xbf\xbd");
	strbuf_reset(&out);
	ck_assert(!utf8_clean("a\0b", 3, &out));
	ck_assert_uint_eq(out.len, 3);
	ck_assert_mem_eq(out.buf, "a\0b", 3);
}
END_TEST

START_TEST(cleaning_any_bytes_gives_valid_utf8)
{
	uint32_t state = 1;

	for (int round = 0; round < 2000; round++) {
		auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
		char bytes[24];

		for (size_t i = 0; i < sizeof(bytes); i++) {
			state = state * 1664525 + 1013904223;
			bytes[i] = (char)(state >> 24);
		}
		utf8_clean(bytes, sizeof(bytes), &out);
		ck_assert(utf8_valid(out.buf, out.len));
	}
}
END_TEST

static void check_escape(const char *s, size_t n, const char *expected)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

	terminal_escape(s, n, &out);
	ck_assert_str_eq(out.buf, expected);
}

START_TEST(a_terminal_shows_foreign_text_and_obeys_none_of_it)
{
	check_escape("plain \xc3\xa9\ttext", 13, "plain \xc3\xa9\ttext");
	check_escape("\x1b[31mred", 8, "\\x1b[31mred");
	check_escape("a\nb\r\a\b\x7f", 7, "a\\x0ab\\x0d\\x07\\x08\\x7f");
	check_escape("\0", 1, "\\x00");
	check_escape("\xc2\x9b" "31m", 5, "\\u{009b}31m");
	check_escape("\x9b" "31m", 4, "\\x9b31m");
	check_escape("\xe2\x80\xae" "abc", 6, "\\u{202e}abc");
	check_escape("\xe2\x81\xa6", 3, "\\u{2066}");
	check_escape("\xd8\x9c", 2, "\\u{061c}");
	check_escape("\xe2\x80\xa8", 3, "\\u{2028}");
	check_escape("cut\xe2\x82", 5, "cut\\xe2\\x82");
	check_escape("\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80");
}
END_TEST

START_TEST(a_typo_suggests_the_nearest_word)
{
	static const char *const keys[] = { "command", "stop_timeout", "restart", "log_file",
					    "log_format", "environment", NULL, "every" };
	const size_t n = ARRAY_LEN(keys);

	ck_assert_str_eq(text_nearest("comand", keys, n), "command");
	ck_assert_str_eq(text_nearest("ocmmand", keys, n), "command");
	ck_assert_str_eq(text_nearest("Stop-Timeout", keys, n), "stop_timeout");
	ck_assert_str_eq(text_nearest("stop_timout", keys, n), "stop_timeout");
	ck_assert_str_eq(text_nearest("log_fil", keys, n), "log_file");
	ck_assert_str_eq(text_nearest("enviroment", keys, n), "environment");
	ck_assert_str_eq(text_nearest("restart", keys, n), "restart");
}
END_TEST

START_TEST(words_that_are_far_from_all_suggest_nothing)
{
	static const char *const keys[] = { "command", "restart", "x", "" };
	char huge[5000];

	memset(huge, 'c', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	ck_assert_ptr_null(text_nearest("banana", keys, ARRAY_LEN(keys)));
	ck_assert_ptr_null(text_nearest("y", keys, ARRAY_LEN(keys)));
	ck_assert_ptr_null(text_nearest("", keys, ARRAY_LEN(keys)));
	ck_assert_ptr_null(text_nearest(huge, keys, ARRAY_LEN(keys)));
	ck_assert_ptr_null(text_nearest("command", NULL, 0));
}
END_TEST

START_TEST(globs_match_like_a_shell)
{
	static const struct {
		const char *pattern;
		const char *text;
		bool matches;
	} rows[] = {
		{ "", "", true },		{ "", "a", false },
		{ "*", "", true },		{ "*", "any/thing", true },
		{ "**", ".hidden", true },	{ "web*", "web-1", true },
		{ "web*", "awe", false },	{ "*b", "aab", true },
		{ "a*b*c", "a1b2b3c", true },	{ "a*b*c", "a1b2b3", false },
		{ "?", "a", true },		{ "?", "", false },
		{ "w?b", "web", true },		{ "w??b", "web", false },
		{ "[abc]", "b", true },		{ "[abc]", "d", false },
		{ "[a-c]x", "bx", true },	{ "[!a-c]", "b", false },
		{ "[^a-c]", "d", true },	{ "[]]", "]", true },
		{ "[!]]", "]", false },		{ "[a-]", "-", true },
		{ "[", "[", true },		{ "[abc", "[abc", true },
		{ "\\*", "*", true },		{ "\\*", "a", false },
		{ "worker@[0-3]", "worker@2", true },
		{ "worker@[0-3]", "worker@7", false },
		{ "[\\]]", "]", true },		{ "a\\", "a\\", true },
		{ "*[0-9]", "web7", true },	{ "[z-a]", "m", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_msg(glob_match(rows[i].pattern, rows[i].text) == rows[i].matches,
			      "'%s' on '%s'", rows[i].pattern, rows[i].text);
}
END_TEST

/* A matcher that tries all ways would not end within this test's time limit. */
START_TEST(a_hostile_glob_takes_no_time)
{
	char text[2001];
	char pattern[202];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i < 200; i += 2)
		memcpy(pattern + i, "*a", 2);
	memcpy(pattern + 200, "b", 2);
	ck_assert(!glob_match(pattern, text));
}
END_TEST

/* WORDS: the expected words, each followed by '|'. */
static void check_words(const char *text, const char *words)
{
	auto_free(strlist_fini) struct strlist list = STRLIST_INIT;
	auto_free(strbuf_fini) struct strbuf joined = STRBUF_INIT;

	ck_assert_msg(words_split(text, &list, NULL) == 0, "%s", text);
	for (size_t i = 0; i < list.n; i++)
		strbuf_addf(&joined, "%s|", list.items[i]);
	ck_assert_str_eq(joined.buf, words);
}

START_TEST(a_command_line_splits_as_in_a_shell)
{
	check_words("", "");
	check_words(" \t\n ", "");
	check_words("one", "one|");
	check_words("  one\ttwo\n three ", "one|two|three|");
	check_words("sh -c 'a ; b  c'", "sh|-c|a ; b  c|");
	check_words("a\\ b c", "a b|c|");
	check_words("\"a b\"'c d'e", "a bc de|");
	check_words("'' \"\"", "||");
	check_words("x''y", "xy|");
	check_words("\"a \\\" \\\\ \\$ \\` \\n\"", "a \" \\ $ ` \\n|");
	check_words("'a\\b'", "a\\b|");
	check_words("'say \"hi\"'", "say \"hi\"|");
	check_words("a\\\nb", "ab|");
	check_words("a \\\n b", "a|b|");
	check_words("\"a\\\nb\"", "ab|");
	check_words("$HOME #no * ~ `x`", "$HOME|#no|*|~|`x`|");
	check_words("--x=\"1 2\" y", "--x=1 2|y|");
}
END_TEST

START_TEST(a_quoted_word_comes_back_as_it_was)
{
	static const char *const words[] = {
		"plain", "", " ", "a b", "it's", "'", "\"", "\\", "a\nb", "$HOME", "x;y", "\xc3\xa9", "#",
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
		auto_free(strlist_fini) struct strlist list = STRLIST_INIT;

		word_quote(words[i], &text);
		ck_assert_int_eq(words_split(text.buf, &list, NULL), 0);
		ck_assert_uint_eq(list.n, 1);
		ck_assert_str_eq(list.items[0], words[i]);
	}
}
END_TEST

START_TEST(an_open_quote_is_an_error_with_its_place)
{
	static const struct {
		const char *text;
		size_t at;
	} rows[] = {
		{ "echo 'abc", 5 }, { "\"abc", 0 }, { "a 'b' \"c", 6 }, { "a b\\", 3 },
		{ "\"abc\\\"", 0 }, { "x'y", 1 }, { "\\", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_free(strlist_fini) struct strlist list = STRLIST_INIT;
		size_t at = 99;

		ck_assert_msg(words_split(rows[i].text, &list, &at) == -EINVAL, "%s",
			      rows[i].text);
		ck_assert_uint_eq(at, rows[i].at);
		ck_assert_uint_eq(list.n, 0);
	}
}
END_TEST

START_TEST(east_asian_text_takes_two_columns_and_accents_none)
{
	static const struct {
		const char *text;
		unsigned columns;
	} rows[] = {
		{ "", 0 }, { "abc", 3 }, { "\xc3\xa4", 1 }, { "a\xcc\x88", 1 },
		{ "\xe6\xbc\xa2\xe5\xad\x97", 4 }, { "\xf0\x9f\x98\x80", 2 },
		{ "\xe2\x80\xa6", 1 }, { "\xff\xfe", 2 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_uint_eq(text_columns(rows[i].text, strlen(rows[i].text)),
				  rows[i].columns);
	ck_assert_uint_eq(text_fit("a\xe6\xbc\xa2z", 5, 2), 1);
	ck_assert_uint_eq(text_fit("a\xe6\xbc\xa2z", 5, 3), 4);
	ck_assert_uint_eq(text_fit("a\xcc\x88z", 4, 1), 3);
}
END_TEST

UNIT_MAIN("base: text", well_formed_utf8_is_accepted_and_nothing_else,
	  cleaning_replaces_each_invalid_byte_and_keeps_the_rest,
	  cleaning_any_bytes_gives_valid_utf8, a_terminal_shows_foreign_text_and_obeys_none_of_it,
	  a_typo_suggests_the_nearest_word, words_that_are_far_from_all_suggest_nothing,
	  globs_match_like_a_shell, a_hostile_glob_takes_no_time,
	  a_command_line_splits_as_in_a_shell, an_open_quote_is_an_error_with_its_place,
	  a_quoted_word_comes_back_as_it_was,
	  east_asian_text_takes_two_columns_and_accents_none)
