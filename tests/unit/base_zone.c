/* Zones against the C library's: every zone of the machine, every change from 1970 to 2060; POSIX
 * strings; files that are damaged. */
#include "base/zone.h"

#include <errno.h>
#include <time.h>

#include "base/alloc.h"
#include "base/calendar.h"
#include "base/fd.h"

#include "unit.h"

#define ZONES "/usr/share/zoneinfo"
#define WEEK INT64_C(604800)
#define FROM INT64_C(0)
#define TO INT64_C(2840140800)	/* 2060 */

static struct zone *load(const char *name)
{
	auto_free(strbuf_fini) struct strbuf bytes = STRBUF_INIT;

	return zone_find(name, &bytes) < 0 ? NULL : zone_parse(name, bytes.buf, bytes.len);
}

static struct zone *load_rule(const char *rule)
{
	return zone_parse("x", rule, strlen(rule));
}

static struct zone *load_local(const char *tz, int want)
{
	auto_free(strbuf_fini) struct strbuf bytes = STRBUF_INIT;
	struct zone *z;

	if (tz != NULL)
		setenv("TZ", tz, 1);
	else
		unsetenv("TZ");
	ck_assert_int_eq(zone_find_local(&bytes), want);
	z = zone_parse("local", bytes.buf, bytes.len);
	ck_assert_ptr_nonnull(z);
	return z;
}

static void use_zone(const char *name)
{
	setenv("TZ", name, 1);
	tzset();
}

static long libc_offset(int64_t utc)
{
	time_t t = (time_t)utc;
	struct tm tm;

	localtime_r(&t, &tm);
	return tm.tm_gmtoff;
}

static void compare_at(const struct zone *z, int64_t utc)
{
	if (zone_offset(z, utc) != libc_offset(utc))	/* an assertion costs a system call */
		ck_abort_msg("%s at %lld: %d, libc says %ld", zone_name(z), (long long)utc,
			     zone_offset(z, utc), libc_offset(utc));
}

static void compare_zone(const char *name)
{
	struct zone *z = load(name);
	int64_t at = FROM, before = ZONE_NO_CHANGE;

	ck_assert_msg(z != NULL, "%s", name);
	use_zone(name);
	for (int64_t t = FROM; t < TO; t += WEEK)
		compare_at(z, t);
	for (int n = 0; at < TO; n++) {
		ck_assert_int_lt(n, 1000);
		at = zone_next_change(z, at);
		if (at == ZONE_NO_CHANGE)
			break;
		if (before != ZONE_NO_CHANGE) {
			ck_assert_int_gt(at, before);
			ck_assert_int_eq(zone_last_change(z, at - 1), before);
		}
		ck_assert_int_eq(zone_last_change(z, at), at);
		ck_assert_int_ne(zone_offset(z, at - 1), zone_offset(z, at));
		compare_at(z, at - 1);
		compare_at(z, at);
		before = at;
	}
	zone_unref(z);
}

START_TEST(every_zone_of_the_machine_is_what_libc_says)
{
	auto_free(strbuf_fini) struct strbuf list = STRBUF_INIT;
	int n = 0;

	if (file_read(ZONES "/tzdata.zi", 1 << 20, &list) < 0)
		return;
	for (char *line = strtok(list.buf, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		char name[64];

		if (sscanf(line, "Z %63s", name) == 1) {
			compare_zone(name);
			n++;
		}
	}
	ck_assert_int_gt(n, 300);
}
END_TEST

START_TEST(posix_strings_are_what_libc_says)
{
	static const char *const rules[] = {
		"UTC0", "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT", "EST5EDT,M3.2.0,M11.1.0",
		"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "NZST-12NZDT,M9.5.0,M4.1.0/3",
		"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "AAA3BBB,J60/0,J300/0", "AAA3BBB,59/0,300/26",
		"IST-2IDT,M3.4.4/26,M10.5.0", "ABC-3:30:15",
	};

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		compare_zone(rules[i]);
}
END_TEST

START_TEST(summer_time_all_year_never_changes)
{
	struct zone *z = load_rule("XXX3EDT4,0/0,J365/23");

	ck_assert_ptr_nonnull(z);
	for (int64_t t = FROM; t < TO; t += WEEK)
		ck_assert_int_eq(zone_offset(z, t), -4 * 3600);
	ck_assert_int_eq(zone_next_change(z, FROM), ZONE_NO_CHANGE);
	ck_assert_int_eq(zone_last_change(z, TO), ZONE_NO_CHANGE);
	zone_unref(z);
}
END_TEST

START_TEST(what_is_no_zone_is_refused)
{
	static const char *const bad[] = {
		"Europe/Nowhere", "../../etc/passwd", "/etc/passwd", "/dev/zero", "/", "CET", "C1",
		"CET-25", "CET-1CEST,", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0",
		"CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J3",
		"CET-1CEST,J366,J3", "CET-1CEST,366,3", "CET-1CEST,M3.5.0/168,M10.5.0",
		"CET-1CEST,M3.5.0,M10.5.0/3x", "<CET-1", "<CE>-1", "CET-1 ", "CET-0001",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		auto_free(strbuf_fini) struct strbuf bytes = STRBUF_INIT;

		/* "CET" may be installed as a file */
		setenv("TZDIR", strcmp(bad[i], "CET") == 0 ? "/nonexistent" : ZONES, 1);
		ck_assert_msg(zone_find(bad[i], &bytes) == -ENOENT, "'%s'", bad[i]);
		ck_assert_int_eq(bytes.len, 0);
	}
}
END_TEST

START_TEST(the_local_zone_is_that_of_the_environment)
{
	static const struct {
		const char *tz;
		int found, offset;
	} rows[] = {
		{ "AAA-5", 0, 5 * 3600 }, { ":BBB6", 0, -6 * 3600 }, { "", 0, 0 }, { "UTC", 0, 0 },
		{ "Mars/Olympus", -ENOENT, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct zone *z = load_local(rows[i].tz, rows[i].found);

		ck_assert_int_eq(zone_offset(z, 0), rows[i].offset);
		zone_unref(z);
	}
	zone_unref(load_local(NULL, 0));
}
END_TEST

START_TEST(equal_zones_are_equal)
{
	struct zone *a = load_rule("CET-1CEST,M3.5.0,M10.5.0/3");
	struct zone *b = load_rule("CET-1CEST,M3.5.0,M10.5.0/3");
	struct zone *c = load_rule("CET-1CEST,M3.5.0,M10.5.0/2");

	ck_assert(zone_equal(a, b));
	ck_assert(!zone_equal(a, c));
	ck_assert(!zone_equal(a, NULL));
	ck_assert(zone_equal(NULL, NULL));
	zone_unref(a);
	zone_unref(b);
	zone_unref(c);
}
END_TEST

START_TEST(a_damaged_file_is_refused_or_gives_a_zone_that_answers)
{
	auto_free(strbuf_fini) struct strbuf file = STRBUF_INIT;

	if (file_read(ZONES "/Europe/Berlin", 1 << 20, &file) < 0)
		return;
	for (size_t cut = 0; cut < file.len; cut++) {
		auto_free(freep) char *bytes = x_malloc(cut + 1);
		struct zone *z;

		memcpy(bytes, file.buf, cut);
		z = zone_parse("cut", bytes, cut);
		ck_assert_msg(z == NULL, "%zu of %zu bytes", cut, file.len);
	}
	for (size_t at = 0; at < file.len; at++) {
		auto_free(freep) char *bytes = x_malloc(file.len);
		struct zone *z;

		memcpy(bytes, file.buf, file.len);
		bytes[at] = (char)(bytes[at] ^ 0x80);
		z = zone_parse("bent", bytes, file.len);
		for (int64_t t = FROM; z != NULL && t < TO; t += 100 * WEEK) {
			zone_offset(z, t);
			ck_assert_int_gt(zone_next_change(z, t), t);
		}
		zone_unref(z);
	}
}
END_TEST

START_TEST(dates_and_days_agree_over_four_centuries)
{
	int64_t day = day_of_date(1850, 1, 1);
	int weekday = weekday_of_day(day);

	ck_assert_int_eq(day_of_date(1970, 1, 1), 0);
	ck_assert_int_eq(weekday_of_day(0), 4);
	for (int64_t year = 1850; year < 2260; year++)
		for (int month = 1; month <= 12; month++)
			for (int d = 1; d <= days_in_month(year, month); d++, day++) {
				struct date date = date_of_day(day);

				if (day != day_of_date(year, month, d) ||
				    weekday != weekday_of_day(day) || date.year != year ||
				    date.month != month || date.day != d)
					ck_abort_msg("%d-%d-%d", (int)year, month, d);
				weekday = (weekday + 1) % 7;
			}
}
END_TEST

UNIT_MAIN("base: zones", every_zone_of_the_machine_is_what_libc_says,
	  posix_strings_are_what_libc_says, summer_time_all_year_never_changes,
	  what_is_no_zone_is_refused, the_local_zone_is_that_of_the_environment,
	  equal_zones_are_equal, a_damaged_file_is_refused_or_gives_a_zone_that_answers,
	  dates_and_days_agree_over_four_centuries)
