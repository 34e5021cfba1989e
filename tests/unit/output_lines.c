/* Lines: what counts as one, where a long one is cut, and that no byte goes missing. */
#include "base/alloc.h"
#include "output/lines.h"

#include "unit.h"

#define MAX_LEN 8

/* "[text]" for a line, "[text+" for a piece, the undecided rest behind. */
static void expect(const char *data, size_t len, const char *expected)
{
	char got[512], *p = got;
	struct line line;

	while (lines_next(data, len, MAX_LEN, &line)) {
		ck_assert_ptr_eq(line.text, data);
		p += snprintf(p, 128, "[%.*s%c", (int)line.len, line.text,
			      line.continued ? '+' : ']');
		data += line.raw_len;
		len -= line.raw_len;
	}
	snprintf(p, 128, "%.*s", (int)len, data);
	ck_assert_str_eq(got, expected);
}

static void expect_text(const char *data, const char *expected)
{
	expect(data, strlen(data), expected);
}

START_TEST(a_newline_ends_a_line_and_nothing_else_does)
{
	expect_text("one\ntwo\nrest", "[one][two]rest");
	expect_text("", "");
	expect_text("\n\n\n", "[][][]");
	expect_text("a\r\nb\r\n", "[a\r][b\r]");
}
END_TEST

START_TEST(nul_and_broken_utf8_are_content)
{
	struct line line;

	ck_assert(lines_next("a\0b\n", 4, MAX_LEN, &line));
	ck_assert_uint_eq(line.len, 3);
	ck_assert(lines_next("\xff\xfe\x80\n", 4, MAX_LEN, &line));
	ck_assert_uint_eq(line.len, 3);
}
END_TEST

START_TEST(the_limit_itself_is_whole_and_one_more_is_cut)
{
	expect_text("1234567\n", "[1234567]");
	expect_text("12345678\n", "[12345678]");
	expect_text("123456789\n", "[12345678+[9]");
	expect_text("1234567812345678\n", "[12345678+[12345678]");
	/* The next byte decides. */
	expect_text("12345678", "12345678");
	expect_text("123456789", "[12345678+9");
}
END_TEST

START_TEST(a_cut_spares_utf8_sequences)
{
	expect_text("1234567\xc3\xa4\n", "[1234567+[\xc3\xa4]");
	expect_text("123456\xe2\x82\xac\n", "[123456+[\xe2\x82\xac]");
	expect_text("12345\xf0\x9f\x98\x80z\n", "[12345+[\xf0\x9f\x98\x80z]");
	/* No sequence is that long: cut anywhere. */
	expect_text("\x80\x80\x80\x80\x80\x80\x80\x80\x80\n",
		    "[\x80\x80\x80\x80\x80\x80\x80\x80+[\x80]");
}
END_TEST

START_TEST(the_whole_prefix_stops_before_what_is_open_or_too_long)
{
	ck_assert_uint_eq(lines_whole("one\ntwo\nrest", 12, MAX_LEN), 8);
	ck_assert_uint_eq(lines_whole("12345678\n12", 11, MAX_LEN), 9);
	ck_assert_uint_eq(lines_whole("one\n123456789\n", 14, MAX_LEN), 4);
	ck_assert_uint_eq(lines_whole("123456789\n", 10, MAX_LEN), 0);
	ck_assert_uint_eq(lines_whole("rest", 4, MAX_LEN), 0);
	ck_assert_uint_eq(lines_whole("", 0, MAX_LEN), 0);
}
END_TEST

START_TEST(the_fitting_prefix_never_splits_a_line)
{
	ck_assert_uint_eq(lines_fitting("one\ntwo\n", 8, 8), 8);
	ck_assert_uint_eq(lines_fitting("one\ntwo\n", 8, 7), 4);
	ck_assert_uint_eq(lines_fitting("one\ntwo\n", 8, 3), 0);
}
END_TEST

START_TEST(the_last_lines_count_an_open_one)
{
	ck_assert_uint_eq(lines_last("a\nb\nc\n", 6, 2), 2);
	ck_assert_uint_eq(lines_last("a\nb\nc", 5, 2), 2);
	ck_assert_uint_eq(lines_last("a\nb\nc\n", 6, 3), 0);
	ck_assert_uint_eq(lines_last("a\nb\nc\n", 6, 99), 0);
	ck_assert_uint_eq(lines_last("a\nb\nc\n", 6, 0), 6);
	ck_assert_uint_eq(lines_last("\n\n\n", 3, 1), 2);
	ck_assert_uint_eq(lines_last("", 0, 5), 0);
}
END_TEST

UNIT_MAIN("output: lines", a_newline_ends_a_line_and_nothing_else_does,
	  nul_and_broken_utf8_are_content, the_limit_itself_is_whole_and_one_more_is_cut,
	  a_cut_spares_utf8_sequences, the_whole_prefix_stops_before_what_is_open_or_too_long,
	  the_fitting_prefix_never_splits_a_line, the_last_lines_count_an_open_one)
