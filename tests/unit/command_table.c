/* Tables on terminals and pipes. */
#include "command/table.h"

#include "command/view.h"
#include "unit.h"

static const char *const titles[] = { "NAME", ">N", "LAST" };

START_TEST(columns_are_as_wide_as_their_widest_cell)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	struct table t;

	table_init(&t, titles, 3);
	table_add(&t, TINT_NONE, "a");
	table_add(&t, TINT_NONE, "100");
	table_add(&t, TINT_NONE, "x");
	table_add(&t, TINT_NONE, "longer");
	table_add(&t, TINT_NONE, "7");
	table_add(&t, TINT_NONE, "");
	table_format(&t, false, &out);
	ck_assert_str_eq(out.buf, "NAME      N  LAST\na       100  x\nlonger    7\n");
	table_fini(&t);
}
END_TEST

START_TEST(umlauts_are_one_cell_wide_and_hostile_bytes_harmless)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	struct table t;

	table_init(&t, titles, 3);
	table_add(&t, TINT_NONE, "\xc3\xa4\xc3\xb6");
	table_add(&t, TINT_NONE, "1");
	table_add(&t, TINT_NONE, "\x1b]0;evil\x07\n");
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
	table_add(&t, TINT_RED, "x");
	table_add(&t, TINT_NONE, "1");
	table_add(&t, TINT_NONE, "");
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
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[24];

		age_format(rows[i].ms, text);
		ck_assert_str_eq(text, rows[i].text);
	}
}
END_TEST

struct seen {
	int subsystems, others;
	bool right;
};

static void one(void *ctx, const struct view *v)
{
	struct seen *seen = ctx;

	seen->subsystems++;
	seen->right = span_is(v->name, "\"b\"") && span_is(v->ready, "true") && v->signal.n == 0;
}

static void other(void *ctx, struct span key, struct span value)
{
	struct seen *seen = ctx;

	(void)key;
	(void)value;
	seen->others++;
}

START_TEST(a_view_takes_a_status_apart)
{
	static const char text[] = "{\"name\":\"x\",\"subsystems\":[{\"name\":\"a\"},"
		"{\"name\":\"b\",\"new\":{\"deep\":[]},\"ready\":true}],\"stats\":{}}";
	struct seen seen = { 0 };

	ck_assert(view_each(text, sizeof(text) - 1, one, other, &seen));
	ck_assert_int_eq(seen.subsystems, 2);
	ck_assert_int_eq(seen.others, 2);
	ck_assert(seen.right);
	ck_assert(!view_each("[]", 2, one, other, &seen));
}
END_TEST

UNIT_MAIN("command: table",
	columns_are_as_wide_as_their_widest_cell,
	umlauts_are_one_cell_wide_and_hostile_bytes_harmless,
	colour_surrounds_the_text_and_not_the_padding,
	ages_have_at_most_two_units,
	a_view_takes_a_status_apart)
