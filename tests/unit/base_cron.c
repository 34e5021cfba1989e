/* Lines against an oracle that walks minute by minute through years of libc's local time, in zones
 * whose clocks are changed by an hour, by half an hour and by a day; what is refused, and where. */
#include "base/cron.h"

#include <time.h>

#include "base/alloc.h"

#include "unit.h"

#define MINUTE 60

static struct zone *load(const char *name)
{
	auto_free(strbuf_fini) struct strbuf bytes = STRBUF_INIT;

	return zone_find(name, &bytes) < 0 ? NULL : zone_parse(name, bytes.buf, bytes.len);
}

/* --- the oracle ----------------------------------------------------------------------------- */

/* What a line allows, read in the most simple-minded way. Numbers only. */
struct naive {
	bool minute[60], hour[24], day[32], month[13], weekday[8];
	bool either, steady;
};

static void naive_field(const char *text, int min, int max, bool *out)
{
	char copy[128], *rest = NULL;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *item = strtok_r(copy, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
		int low = min, high = max, by = 1;

		if (sscanf(item, "*/%d", &by) != 1 && strcmp(item, "*") != 0 &&
		    sscanf(item, "%d-%d/%d", &low, &high, &by) < 2) {
			low = high = atoi(item);
			by = 1;
		}
		for (int i = low; i <= high; i += by)
			out[i] = true;
	}
}

static struct naive naive_of(const char *line)
{
	struct naive n = { .steady = true };
	char f[5][64];

	ck_assert_int_eq(sscanf(line, "%63s %63s %63s %63s %63s", f[0], f[1], f[2], f[3], f[4]), 5);
	naive_field(f[0], 0, 59, n.minute);
	naive_field(f[1], 0, 23, n.hour);
	naive_field(f[2], 1, 31, n.day);
	naive_field(f[3], 1, 12, n.month);
	naive_field(f[4], 0, 6, n.weekday);
	n.weekday[0] = n.weekday[0] || n.weekday[7];
	n.either = f[2][0] != '*' && f[4][0] != '*';
	for (int i = 0; i < 24; i++)
		n.steady = n.steady && n.hour[i];
	return n;
}

static bool naive_fits(const struct naive *n, const struct tm *tm)
{
	bool day = n->day[tm->tm_mday], week = n->weekday[tm->tm_wday];

	return n->minute[tm->tm_min] && n->hour[tm->tm_hour] && n->month[tm->tm_mon + 1] &&
	       (n->either ? day || week : day && week);
}

/* The local time TM is new; so are those from HIGH (exclusive) on that were left out before it. */
static bool naive_left_out(const struct naive *n, int64_t high, int64_t local)
{
	for (int64_t m = high + MINUTE; m < local; m += MINUTE) {
		time_t t = (time_t)m;
		struct tm tm;

		gmtime_r(&t, &tm);
		if (naive_fits(n, &tm))
			return true;
	}
	return false;
}

static const char *const lines[] = {
	"* * * * *", "*/5 * * * *", "15 * * * *", "0 0 * * *", "30 2 * * *", "0,15,30,45 2 * * *",
	"*/20 1-2 * * *", "0 */2 * * *", "59 23 31 12 *", "0 12 29 2 *", "30 1 1 * 1",
	"0 3 * * 0", "45 1 * * 6-7", "10-40/10 0-3 */2 * 1-5", "0 0 13 * 5", "7 * 1-7 */3 *",
	"0 2 */2 * 7", "30 0 30 12 *",
};

struct state {
	struct naive naive;
	struct cron cron;
	int64_t expected;	/* what cron_next() said last */
	int fired;
};

static void compare(const char *zone, int first_year, int years)
{
	struct state states[ARRAY_LEN(lines)];
	struct cron_error ce;
	struct zone *z = load(zone);
	struct tm begin = { .tm_year = first_year - 1900, .tm_mday = 2 };
	time_t start, end;
	int64_t high;

	ck_assert_msg(z != NULL, "%s", zone);
	setenv("TZ", zone, 1);
	tzset();
	start = timegm(&begin);
	begin.tm_year += years;
	end = timegm(&begin);
	high = start - MINUTE + zone_offset(z, start);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		states[i].naive = naive_of(lines[i]);
		ck_assert(cron_parse(lines[i], &states[i].cron, &ce));
		ck_assert(cron_is_steady(&states[i].cron) == states[i].naive.steady);
		states[i].expected = cron_next(&states[i].cron, z, start - 1);
		states[i].fired = 0;
	}
	for (time_t t = start; t < end; t += MINUTE) {
		struct tm tm;
		int64_t local;

		localtime_r(&t, &tm);
		local = t + tm.tm_gmtoff;
		for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
			struct state *s = &states[i];
			bool due = naive_fits(&s->naive, &tm);

			if (!s->naive.steady)
				due = local > high &&
				      (due || naive_left_out(&s->naive, high, local));
			if (due != (s->expected == t))	/* an assertion costs a system call */
				ck_abort_msg("%s in %s: oracle says %s at %lld (%d-%02d-%02d "
					     "%02d:%02d), cron_next %lld", lines[i], zone,
					     due ? "yes" : "no", (long long)t, tm.tm_year + 1900,
					     tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
					     (long long)s->expected);
			if (!due)
				continue;
			s->fired++;
			s->expected = cron_next(&s->cron, z, t);
		}
		high = local > high ? local : high;
	}
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		ck_assert_int_gt(states[i].fired + (strstr(lines[i], "29 2") != NULL), 0);
	zone_unref(z);
}

START_TEST(utc_agrees_with_the_oracle)
{
	compare("UTC", 2027, 2);
}
END_TEST

START_TEST(F50_berlin_agrees_with_the_oracle)
{
	compare("Europe/Berlin", 2026, 2);
}
END_TEST

START_TEST(F50_new_york_agrees_with_the_oracle)
{
	compare("America/New_York", 2026, 2);
}
END_TEST

START_TEST(F50_half_an_hour_at_lord_howe_agrees_with_the_oracle)
{
	compare("Australia/Lord_Howe", 2026, 2);
}
END_TEST

START_TEST(F50_a_change_at_midnight_agrees_with_the_oracle)
{
	compare("America/Havana", 2026, 1);
	compare("Africa/Cairo", 2026, 1);
}
END_TEST

START_TEST(F50_a_zone_without_30_december_2011_agrees_with_the_oracle)
{
	compare("Pacific/Apia", 2011, 1);
}
END_TEST

START_TEST(F50_a_summer_time_with_a_break_agrees_with_the_oracle)
{
	compare("Africa/Casablanca", 2026, 1);
}
END_TEST

/* --- by hand -------------------------------------------------------------------------------- */

/* The times after AFTER, as "HH:MM HH:MM" UTC. */
static const char *times(const char *line, const char *zone, const char *after, int n)
{
	static char text[256];
	struct cron c;
	struct cron_error ce;
	struct zone *z = load(zone);
	struct tm tm = { 0 };
	int64_t t;
	size_t len = 0;

	ck_assert_ptr_nonnull(strptime(after, "%Y-%m-%d %H:%M", &tm));
	ck_assert_ptr_nonnull(z);
	ck_assert_msg(cron_parse(line, &c, &ce), "%s", ce.message);
	t = timegm(&tm);
	for (int i = 0; i < n; i++) {
		time_t at;

		t = cron_next(&c, z, t);
		if (t == CRON_NEVER) {
			len += (size_t)snprintf(text + len, sizeof(text) - len, " never");
			break;
		}
		at = (time_t)t;
		gmtime_r(&at, &tm);
		len += strftime(text + len, sizeof(text) - len, i ? " %d.%H:%M" : "%d.%H:%M", &tm);
	}
	zone_unref(z);
	return text;
}

START_TEST(F50_a_job_in_the_hour_that_is_left_out_runs_once_right_after)
{
	/* Berlin, 2026-03-29: 02:00 to 03:00 does not exist, 03:00 is 01:00 UTC */
	ck_assert_str_eq(times("30 2 * * *", "Europe/Berlin", "2026-03-28 12:00", 2),
			 "29.01:00 30.00:30");
	ck_assert_str_eq(times("0,30 2,3 * * *", "Europe/Berlin", "2026-03-28 12:00", 3),
			 "29.01:00 29.01:30 30.00:00");
	ck_assert_str_eq(times("15 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00", 2),
			 "03.15:30 04.15:15");
}
END_TEST

START_TEST(F50_a_job_in_the_hour_that_comes_twice_runs_once)
{
	/* Berlin, 2026-10-25: 02:00 to 03:00 is 00:00 to 01:00 UTC and again until 02:00 */
	ck_assert_str_eq(times("30 2 * * *", "Europe/Berlin", "2026-10-24 12:00", 2),
			 "25.00:30 26.01:30");
	ck_assert_str_eq(times("45 1 * * *", "Australia/Lord_Howe", "2026-04-04 00:00", 2),
			 "04.14:45 05.15:15");
}
END_TEST

START_TEST(F50_a_job_of_every_hour_follows_the_clock)
{
	ck_assert_str_eq(times("30 * * * *", "Europe/Berlin", "2026-10-24 23:40", 4),
			 "25.00:30 25.01:30 25.02:30 25.03:30");
	ck_assert_str_eq(times("30 * * * *", "Europe/Berlin", "2026-03-29 00:00", 3),
			 "29.00:30 29.01:30 29.02:30");
}
END_TEST

START_TEST(a_leap_day_on_a_sunday_is_found_over_a_century)
{
	struct zone *z = load("UTC");
	struct cron c;
	struct cron_error e;

	ck_assert(cron_parse("0 0 29 2 */7", &c, &e));
	/* from 2088-02-29 12:00 to 2128-02-29 00:00: 2100 has no leap day */
	ck_assert_int_eq(cron_next(&c, z, INT64_C(3728894400)), INT64_C(4991068800));
	ck_assert_str_eq(times("0 0 29 2 *", "UTC", "2097-01-01 00:00", 1), "29.00:00");
	zone_unref(z);
}
END_TEST

START_TEST(a_time_is_strictly_after_and_at_a_full_minute)
{
	struct zone *z = load("UTC");
	struct cron c;
	struct cron_error e;

	ck_assert(cron_parse("* * * * *", &c, &e));
	ck_assert_int_eq(cron_next(&c, z, 0), 60);
	ck_assert_int_eq(cron_next(&c, z, 59), 60);
	ck_assert_int_eq(cron_next(&c, z, 60), 120);
	ck_assert_int_eq(cron_next(&c, z, 61), 120);
	ck_assert_int_eq(cron_next(&c, z, -1), 0);
	zone_unref(z);
}
END_TEST

/* --- reading -------------------------------------------------------------------------------- */

START_TEST(names_and_shortcuts_mean_their_numbers)
{
	static const struct {
		const char *a, *b;
	} rows[] = {
		{ "0 0 * jan-mar,DEC mon", "0 0 * 1-3,12 1" },
		{ "0 0 * * sun", "0 0 * * 0" },
		{ "0 0 * * 7", "0 0 * * 0" },
		{ "0 0 * * fri-sun", "0 0 * * 0,5,6" },
		{ "0 0 * * 5-7", "0 0 * * 0,5,6" },
		{ "0 0 * * 0-7", "0 0 * * 0-6" },
		{ "@hourly", "0 * * * *" },
		{ "@Daily", "0 0 * * *" },
		{ "@midnight ", "0 0 * * *" },
		{ "@weekly", "0 0 * * 0" },
		{ "@monthly", "0 0 1 * *" },
		{ "@yearly", "0 0 1 1 *" },
		{ "@annually", "0 0 1 1 *" },
		{ "  1\t2  3 4   5 ", "1 2 3 4 5" },
		{ "1-9/4,30 * * * *", "1,5,9,30 * * * *" },
		{ "*/15 */12 */10 */4 *", "0,15,30,45 0,12 1,11,21,31 1,5,9 *" },
		{ "00 007 01 1 1", "0 7 1 1 1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cron a, b;
		struct cron_error e;

		ck_assert_msg(cron_parse(rows[i].a, &a, &e), "%s: %s", rows[i].a, e.message);
		ck_assert_msg(cron_parse(rows[i].b, &b, &e), "%s: %s", rows[i].b, e.message);
		ck_assert_msg(a.minutes == b.minutes && a.hours == b.hours && a.months == b.months &&
			      a.weekdays == b.weekdays, "%s", rows[i].a);
		if (strchr(rows[i].a, '/') == NULL)
			ck_assert_msg(a.either_day == b.either_day, "%s", rows[i].a);
		ck_assert_msg(a.days == b.days, "%s", rows[i].a);
	}
}
END_TEST

START_TEST(a_zone_may_stand_in_front)
{
	static const char *const rows[] = {
		"TZ=Europe/Berlin 0 2 * * *", "CRON_TZ=Europe/Berlin  0 2 * * *",
		" TZ=Europe/Berlin @daily",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cron c;
		struct cron_error e;

		ck_assert_msg(cron_parse(rows[i], &c, &e), "%s", e.message);
		ck_assert_int_eq(c.zone_len, 13);
		ck_assert_int_eq(strncmp(rows[i] + c.zone_at, "Europe/Berlin", 13), 0);
	}
}
END_TEST

START_TEST(what_is_wrong_is_said_with_its_place)
{
	static const struct {
		const char *line;
		size_t at;
		const char *part;
	} rows[] = {
		{ "", 0, "expected five fields (minute, hour, day of the month, month, day of the "
			 "week), not 0" },
		{ "* * * *", 0, "not 4" },
		{ "0 0 0 * * *", 0, "not 6; there are no seconds" },
		{ "60 * * * *", 0, "minute: must be between 0 and 59" },
		{ "* 24 * * *", 2, "hour: must be between 0 and 23" },
		{ "* * 0 * *", 4, "day of the month: must be between 1 and 31" },
		{ "* * 32 * *", 4, "day of the month: must be" },
		{ "* * * 13 *", 6, "month: must be between 1 and 12" },
		{ "* * * foo *", 6, "month: there is no \"foo\"; the names are jan to dec" },
		{ "* * * january *", 6, "month: there is no \"january\"" },
		{ "* * * * 8", 8, "day of the week: must be between 0 and 7" },
		{ "* * * * sat-mon", 8, "day of the week: the range \"sat-mon\" runs backwards" },
		{ "5-1 * * * *", 0, "minute: the range \"5-1\" runs backwards" },
		{ "*/0 * * * *", 2, "minute: a step must be between 1 and 59" },
		{ "*/60 * * * *", 2, "minute: a step must be" },
		{ "5/10 * * * *", 1, "minute: a step needs a range or * in front" },
		{ "*/ * * * *", 2, "minute: expected a number behind '/'" },
		{ "1,,2 * * * *", 2, "minute: expected a number" },
		{ "1, * * * *", 2, "minute: expected a number" },
		{ "-1 * * * *", 0, "minute: expected a number" },
		{ "mon * * * *", 0, "minute: expected a number, not \"mon\"" },
		{ "1x * * * *", 1, "minute: unexpected 'x'" },
		{ "** * * * *", 1, "minute: unexpected '*'" },
		{ "* * ? * *", 4, "write * for any" },
		{ "* * L * *", 4, "day of the month: expected a number, not \"L\"" },
		{ "99999999999999999999 * * * *", 0, "minute: must be" },
		{ "@reboot", 0, "there is no @reboot; use @hourly" },
		{ "@daily x", 7, "unexpected text behind @daily" },
		{ "@", 0, "there is no @" },
		{ "TZ= 0 0 * * *", 3, "the time zone behind TZ= is missing" },
		{ "0 0 30 2 *", 0, "this can never come" },
		{ "0 0 31 4,6,9,11 *", 0, "this can never come" },
		{ "TZ=UTC 0 0 30,31 feb *", 7, "this can never come" },
		{ "0 0 30 2 */2", 0, "this can never come" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cron c;
		struct cron_error e = { 0 };

		ck_assert_msg(!cron_parse(rows[i].line, &c, &e), "'%s'", rows[i].line);
		ck_assert_msg(strstr(e.message, rows[i].part) != NULL, "'%s': %s", rows[i].line,
			      e.message);
		ck_assert_msg(e.at == rows[i].at, "'%s': at %zu", rows[i].line, e.at);
	}
}
END_TEST

START_TEST(a_day_that_a_weekday_can_replace_comes)
{
	struct cron c;
	struct cron_error e;

	ck_assert(cron_parse("0 0 30 2 1", &c, &e));
	ck_assert(cron_parse("0 0 29 2 *", &c, &e));
	ck_assert(cron_parse("0 0 31 1-4 *", &c, &e));
}
END_TEST

UNIT_MAIN("base: cron", utc_agrees_with_the_oracle, F50_berlin_agrees_with_the_oracle,
	  F50_new_york_agrees_with_the_oracle,
	  F50_half_an_hour_at_lord_howe_agrees_with_the_oracle,
	  F50_a_change_at_midnight_agrees_with_the_oracle,
	  F50_a_zone_without_30_december_2011_agrees_with_the_oracle,
	  F50_a_summer_time_with_a_break_agrees_with_the_oracle,
	  F50_a_job_in_the_hour_that_is_left_out_runs_once_right_after,
	  F50_a_job_in_the_hour_that_comes_twice_runs_once,
	  F50_a_job_of_every_hour_follows_the_clock,
	  a_leap_day_on_a_sunday_is_found_over_a_century,
	  a_time_is_strictly_after_and_at_a_full_minute, names_and_shortcuts_mean_their_numbers,
	  a_zone_may_stand_in_front, what_is_wrong_is_said_with_its_place,
	  a_day_that_a_weekday_can_replace_comes)
