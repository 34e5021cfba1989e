/* Tables on terminals and pipes. */
#include "console/table.h"

#include "base/text.h"
#include "console/figures.h"
#include "unit.h"

static const char *const titles[] = { "NAME", ">N", "LAST" };

static void add_row(struct table *t, enum tint tint, const char *name, const char *n, const char *last)
{
	table_add(t, tint, name);
	table_add(t, TINT_NONE, n);
	table_add(t, TINT_NONE, last);
}

static void fill(struct table *t, const char *first, const char *last)
{
	table_init(t, titles, 3);
	add_row(t, TINT_NONE, first, "1", last);
}

START_TEST(columns_are_as_wide_as_their_widest_cell)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	struct table t;

	fill(&t, "a", "x");
	add_row(&t, TINT_NONE, "longer", "700", "");
	table_format(&t, false, &out);
	ck_assert_str_eq(out.buf, "NAME      N  LAST\na         1  x\nlonger  700\n");
	table_fini(&t);
}
END_TEST

START_TEST(umlauts_are_one_cell_wide_and_hostile_bytes_harmless)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	struct table t;

	fill(&t, "\xc3\xa4\xc3\xb6", "\x1b]0;evil\x07\n");
	table_format(&t, false, &out);
	ck_assert_ptr_null(strchr(out.buf, 0x1b));
	ck_assert_ptr_null(strchr(out.buf, 0x07));
	ck_assert_ptr_nonnull(strstr(out.buf, "\n\xc3\xa4\xc3\xb6    1  "));
	table_fini(&t);
}
END_TEST

START_TEST(colour_surrounds_the_text_and_not_the_padding)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	struct table t;

	table_init(&t, titles, 3);
	add_row(&t, TINT_RED, "x", "1", "");
	table_format(&t, true, &out);
	ck_assert_ptr_nonnull(strstr(out.buf, "\033[31mx\033[0m     1\n"));
	table_fini(&t);
}
END_TEST

START_TEST(ages_have_at_most_two_units)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{ 0, "0s" }, { 59999, "59s" }, { 60000, "1m00s" }, { 3599000, "59m59s" },
		{ 3600000, "1h00m" }, { 86400000, "1d00h" }, { 90061000, "1d01h" },
		{ -1, "0s" }, { 9000, "9s" }, { INT64_MAX, "106751991167d07h" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[24];

		age_format(rows[i].ms, text);
		ck_assert_str_eq(text, rows[i].text);
	}
}
END_TEST

START_TEST(the_last_column_is_cut_where_enough_of_it_is_left)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	struct table t;

	fill(&t, "abc", "01234567890123456789012345678901234567890123456789");
	table_fit(&t, 50);
	table_format(&t, false, &out);
	ck_assert_str_eq(out.buf, "NAME  N  LAST\nabc   1  0123456789012345678901234567890123456789\xe2\x80\xa6\n");
	table_fini(&t);
}
END_TEST

START_TEST(else_it_stands_below_its_row_and_has_no_title)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	struct table t;

	fill(&t, "abc", "a message of many words");
	add_row(&t, TINT_NONE, "d", "2", "");
	table_fit(&t, 24);
	table_format(&t, false, &out);
	ck_assert_str_eq(out.buf,
			 "NAME  N\nabc   1\n    a message of many w\xe2\x80\xa6\nd     2\n");
	table_fini(&t);
}
END_TEST

START_TEST(no_line_is_wider_than_the_terminal)
{
	for (unsigned room = 1; room < 90; room++) {
		auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
		struct table t;

		fill(&t, "a-long-name-of-a-subsystem", "\xe6\xbc\xa2\xe5\xad\x97 and more \xf0\x9f\x98\x80 "
		     "than fits in one line of most terminals, if they are not very wide");
		table_fit(&t, room);
		table_format(&t, false, &out);
		for (char *line = strtok(out.buf, "\n"); line; line = strtok(NULL, "\n"))
			ck_assert_uint_le(text_columns(line, strlen(line)), room);
		table_fini(&t);
	}
}
END_TEST

START_TEST(a_cut_never_goes_through_a_character)
{
	static const char text[] = "\xe6\xbc\xa2\xe5\xad\x97";	/* two of two columns each */

	for (unsigned width = 0; width < 5; width++) {
		auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
		unsigned taken = cell_cut(text, sizeof(text) - 1, width, &out);

		ck_assert(utf8_valid(out.buf, out.len));
		ck_assert_uint_eq(taken, text_columns(out.buf, out.len));
		ck_assert_uint_le(taken, width);
	}
}
END_TEST

START_TEST(a_tab_or_a_line_end_does_not_leave_its_cell)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

	cell_escape("a\tb\nc", 5, &out);
	ck_assert_str_eq(out.buf, "a b\\x0ac");
}
END_TEST

START_TEST(sizes_and_percents_have_few_digits)
{
	static const struct {
		int64_t bytes;
		const char *text;
	} rows[] = {
		{ 0, "0" }, { 1023, "1023" }, { 1024, "1.0K" }, { 10189, "10K" },
		{ 1048000, "1023K" }, { 1048570, "1.0M" }, { 12 << 20, "12M" }, { INT64_MAX, "8.0E" },
		{ 10188, "9.9K" }, { 1048063, "1023K" }, { 1048064, "1.0M" }, { 1536, "1.5K" },
	};
	char text[FIGURE_CAP];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bytes_format(rows[i].bytes, text);
		ck_assert_str_eq(text, rows[i].text);
	}
	percent_format(12.34, text);
	ck_assert_str_eq(text, "12.3");
	percent_format(340.2, text);
	ck_assert_str_eq(text, "340");
}
END_TEST

UNIT_MAIN("console: table",
	columns_are_as_wide_as_their_widest_cell,
	umlauts_are_one_cell_wide_and_hostile_bytes_harmless,
	colour_surrounds_the_text_and_not_the_padding,
	the_last_column_is_cut_where_enough_of_it_is_left,
	else_it_stands_below_its_row_and_has_no_title,
	no_line_is_wider_than_the_terminal,
	a_cut_never_goes_through_a_character,
	a_tab_or_a_line_end_does_not_leave_its_cell,
	ages_have_at_most_two_units,
	sizes_and_percents_have_few_digits)
