#include <string.h>

#include "base/util.h"
#include "metrics/procfile.h"
#include "unit.h"

static bool parse(const char *text, struct proc_stat *out)
{
	return proc_stat_parse(text, strlen(text), out);
}

#define REST " 1 77 77 0 -1 4194560 2 0 0 0 11 22 33 44 20 0 5 0 987654 8192 321 18446744073709551615 1 1"

START_TEST(a_stat_file_is_read_by_place)
{
	struct proc_stat s;

	ck_assert(parse("77 (web) S" REST "\n", &s));
	ck_assert_int_eq(s.state, 'S');
	ck_assert_int_eq(s.ppid, 1);
	ck_assert_uint_eq(s.cpu_ticks, 11 + 22 + 33 + 44);
	ck_assert_uint_eq(s.threads, 5);
	ck_assert_uint_eq(s.start_ticks, 987654);
	ck_assert_uint_eq(s.rss_pages, 321);
}
END_TEST

START_TEST(a_name_may_look_like_the_rest)
{
	struct proc_stat s;

	ck_assert(parse("77 (a) R 9 (b) c) D" REST, &s));
	ck_assert_int_eq(s.state, 'D');
	ck_assert_int_eq(s.ppid, 1);
}
END_TEST

START_TEST(what_is_no_stat_file_is_refused)
{
	static const char *const rows[] = {
		"", "77", "77 (web)", "77 (web) ", "77 (web) S", "77 (web) S ", "77 (web) SS 1 2",
		"77 (web) S 1 77 77 0 -1 4194560 2 0 0 0 11 22 33 44 20 0 5 0 987654 8192",
		"77 (web) S 1 77 77 0 -1 4194560 2 0 0 0 x 22 33 44 20 0 5 0 987654 8192 321",
		"77 (web) S 1 77 77 0 -1 4194560 2 0 0 0 99999999999999999999999 1 1 1 1 1 1 1 1 1 1",
		"77 (web S" REST,
	};
	struct proc_stat s;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_msg(!parse(rows[i], &s), "'%s'", rows[i]);
}
END_TEST

START_TEST(numbers_are_found_by_the_whole_key)
{
	static const char text[] = "usage_usec_total 5\nusage_usec 17\nread_bytes: 4096\n"
		"voluntary_ctxt_switches:\t12\nnothing\nbad x\n";
	uint64_t n = 77;

	ck_assert(keyed_number(text, "usage_usec", &n));
	ck_assert_uint_eq(n, 17);
	ck_assert(keyed_number(text, "read_bytes", &n));
	ck_assert_uint_eq(n, 4096);
	ck_assert(keyed_number(text, "voluntary_ctxt_switches", &n));
	ck_assert_uint_eq(n, 12);
	ck_assert(!keyed_number(text, "ctxt_switches", &n));
	ck_assert(!keyed_number(text, "nothing", &n));
	ck_assert(!keyed_number(text, "bad", &n));
	ck_assert(!keyed_number("", "bad", &n));
}
END_TEST

START_TEST(pressure_is_told_by_kind)
{
	static const char text[] = "some avg10=0.10 avg60=0.00 avg300=0.00 total=123\n"
		"full avg10=0.00 avg60=0.00 avg300=0.00 total=45\n";
	uint64_t us;

	ck_assert(pressure_total(text, "some", &us));
	ck_assert_uint_eq(us, 123);
	ck_assert(pressure_total(text, "full", &us));
	ck_assert_uint_eq(us, 45);
	ck_assert(!pressure_total("some total\nfull avg10=0.00 total=\n", "some", &us));
	ck_assert(!pressure_total("some total\nfull avg10=0.00 total=\n", "full", &us));
	ck_assert(!pressure_total("", "full", &us));
}
END_TEST

START_TEST(a_list_of_pids_ends_at_what_is_none)
{
	pid_t pids[4];

	ck_assert_uint_eq(pid_list_parse("", pids, 4), 0);
	ck_assert_uint_eq(pid_list_parse("12 34 56 ", pids, 4), 3);
	ck_assert_int_eq(pids[2], 56);
	ck_assert_uint_eq(pid_list_parse("1\n2\n3\n4\n5\n", pids, 4), 4);
	ck_assert_uint_eq(pid_list_parse("7 0 8", pids, 4), 1);
	ck_assert_uint_eq(pid_list_parse("7 99999999999 8", pids, 4), 1);
}
END_TEST

UNIT_MAIN("metrics: what the kernel prints", a_stat_file_is_read_by_place,
	  a_name_may_look_like_the_rest, what_is_no_stat_file_is_refused,
	  numbers_are_found_by_the_whole_key, pressure_is_told_by_kind,
	  a_list_of_pids_ends_at_what_is_none)
