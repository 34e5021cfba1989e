/* Durations and sizes: what is read, what is refused, and that printing and reading agree. */
#include "base/units.h"

#include <errno.h>

#include "unit.h"

#define HOUR INT64_C(3600000)

START_TEST(durations_are_read_to_the_millisecond)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{ "0", 0 },		{ "10", 10000 },	{ "1.5", 1500 },
		{ "250ms", 250 },	{ "10s", 10000 },	{ "1.5s", 1500 },
		{ "1m30s", 90000 },	{ "2h", 2 * HOUR },	{ "1d", 24 * HOUR },
		{ "0.5h", HOUR / 2 },	{ "1d1h1m1s1ms", 25 * HOUR + 61001 },
		{ "0s", 0 },		{ "007s", 7000 },	{ "1.000000000999s", 1000 },
		{ "1h250ms", HOUR + 250 },
		/* The largest that can still be nanoseconds. */
		{ "9223372036854ms", INT64_C(9223372036854) },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ms = -1;

		ck_assert_msg(duration_parse(rows[i].text, &ms) == 0, "%s", rows[i].text);
		ck_assert_int_eq(ms, rows[i].ms);
	}
}
END_TEST

START_TEST(a_duration_that_is_not_zero_never_becomes_zero)
{
	int64_t ms;

	ck_assert_int_eq(duration_parse("0.0001s", &ms), 0);
	ck_assert_int_eq(ms, 1);
	ck_assert_int_eq(duration_parse("0.000000001ms", &ms), 0);
	ck_assert_int_eq(ms, 1);
}
END_TEST

START_TEST(texts_that_are_no_duration_are_refused)
{
	static const char *const rows[] = {
		"", " ", "s", "-1", "+1", "1 s", " 1", "1 ", "1S", "10sec", "1us", "1w", ".5", "1.",
		"1.s", "1..5", "1.5.5", "1m30", "30s1m", "1m1m", "1s1s", "0x10", "1e3", "inf", "nan",
		"1ms1s", "1,5", "s1", "99999999999999999999999x", "1m 30s", "ten", "1\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ms = 77;

		ck_assert_msg(duration_parse(rows[i], &ms) == -EINVAL, "'%s'", rows[i]);
		ck_assert_int_eq(ms, 77);
	}
}
END_TEST

START_TEST(durations_that_do_not_fit_are_told_apart_from_nonsense)
{
	static const char *const rows[] = {
		"9223372036855ms", "9223372036854775807", "18446744073709551615s",
		"99999999999999999999999", "99999999999999999999999.5h", "106752d", "106751d24h",
		"1d99999999999999999999s",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ms = 77;

		ck_assert_msg(duration_parse(rows[i], &ms) == -ERANGE, "'%s'", rows[i]);
		ck_assert_int_eq(ms, 77);
	}
}
END_TEST

static void check_duration_format(int64_t ms, const char *text)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	int64_t back;

	duration_format(ms, &out);
	ck_assert_str_eq(out.buf, text);
	if (ms >= 0) {
		ck_assert_int_eq(duration_parse(out.buf, &back), 0);
		ck_assert_int_eq(back, ms);
	}
}

START_TEST(durations_are_printed_short_and_can_be_read_back)
{
	check_duration_format(0, "0s");
	check_duration_format(1, "1ms");
	check_duration_format(250, "250ms");
	check_duration_format(1000, "1s");
	check_duration_format(1500, "1.5s");
	check_duration_format(1050, "1.05s");
	check_duration_format(1001, "1.001s");
	check_duration_format(90000, "1m30s");
	check_duration_format(60000, "1m");
	check_duration_format(60250, "1m250ms");
	check_duration_format(HOUR, "1h");
	check_duration_format(36 * HOUR, "1d12h");
	check_duration_format(25 * HOUR + 61001, "1d1h1m1.001s");
	check_duration_format(-1500, "-1.5s");
	for (int64_t ms = 3; ms < INT64_MAX / NS_PER_MS / 7; ms = ms * 7 + 11) {
		auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
		int64_t back;

		duration_format(ms, &out);
		ck_assert_int_eq(duration_parse(out.buf, &back), 0);
		ck_assert_int_eq(back, ms);
	}
}
END_TEST

START_TEST(sizes_are_read_with_any_spelling_of_the_unit)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} rows[] = {
		{ "0", 0 },		{ "1000", 1000 },	{ "64K", 65536 },
		{ "64KiB", 65536 },	{ "64KB", 65536 },	{ "64kb", 65536 },
		{ "100M", 104857600 },	{ "1G", 1 << 30 },	{ "1.5G", UINT64_C(3) << 29 },
		{ "12B", 12 },		{ "2T", UINT64_C(2) << 40 },
		{ "0.5K", 512 },	{ "18446744073709551615", UINT64_MAX },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t bytes = 77;

		ck_assert_msg(size_parse(rows[i].text, &bytes) == 0, "%s", rows[i].text);
		ck_assert_uint_eq(bytes, rows[i].bytes);
	}
}
END_TEST

START_TEST(texts_that_are_no_size_are_refused)
{
	static const char *const rows[] = { "", "K", "-1", "1 K", "1.5", "1.5B", "1X", "1KK", "1Ki",
					    "1iB", "1K1", "0x1", " 1", "1.K" };
	uint64_t bytes = 77;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_msg(size_parse(rows[i], &bytes) == -EINVAL, "'%s'", rows[i]);
	ck_assert_int_eq(size_parse("18446744073709551616", &bytes), -ERANGE);
	ck_assert_int_eq(size_parse("16E", &bytes), -ERANGE);
	ck_assert_int_eq(size_parse("99999999999999999999x", &bytes), -EINVAL);
	ck_assert_uint_eq(bytes, 77);
}
END_TEST

static void check_size_format(uint64_t bytes, const char *text)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	uint64_t back;

	size_format(bytes, &out);
	ck_assert_str_eq(out.buf, text);
	ck_assert_int_eq(size_parse(out.buf, &back), 0);
	ck_assert_uint_eq(back, bytes);
}

START_TEST(sizes_are_printed_with_the_largest_exact_unit)
{
	check_size_format(0, "0");
	check_size_format(1000, "1000");
	check_size_format(1024, "1K");
	check_size_format(1025, "1025");
	check_size_format(104857600, "100M");
	check_size_format(UINT64_C(3) << 29, "1536M");
	check_size_format(UINT64_MAX, "18446744073709551615");
}
END_TEST

UNIT_MAIN("base: units", durations_are_read_to_the_millisecond,
	  a_duration_that_is_not_zero_never_becomes_zero, texts_that_are_no_duration_are_refused,
	  durations_that_do_not_fit_are_told_apart_from_nonsense,
	  durations_are_printed_short_and_can_be_read_back,
	  sizes_are_read_with_any_spelling_of_the_unit, texts_that_are_no_size_are_refused,
	  sizes_are_printed_with_the_largest_exact_unit)
