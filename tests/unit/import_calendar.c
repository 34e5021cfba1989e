/* OnCalendar= becomes a line of cron that means the same, or a reason why there is none. */
#include "base/alloc.h"
#include "base/cron.h"
#include "import/systemd_calendar.h"
#include "unit.h"

static const struct {
	const char *there, *here;
} lines[] = {
	{ "daily", "@daily" }, { "weekly", "0 0 * * mon" }, { "hourly UTC", "TZ=UTC @hourly" },
	{ "Mon..Fri 08:30", "30 8 * * mon-fri" }, { "Sat..Mon 10:00", "0 10 * * mon,sat,sun" },
	{ "*-*-* 6,18:00", "0 6,18 * * *" }, { "*-*-* 07..23/2:30:00", "30 7-23/2 * * *" },
	{ "*:0/15", "*/15 * * * *" }, { "*:5/15", "5-59/15 * * * *" }, { "*-*-1 06:52:00", "52 6 1 * *" },
	{ "01-01", "0 0 1 1 *" }, { "Sun", "0 0 * * sun" }, { "Sun *-*-1..7 1:00", "0 1 1-7 * */7" },
	{ "tuesday,Thu 9:00 Europe/Berlin", "TZ=Europe/Berlin 0 9 * * tue,thu" },
};

START_TEST(times_that_cron_knows_are_said_in_its_words)
{
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		auto_free(strbuf_fini) struct strbuf line = STRBUF_INIT;
		const char *why = calendar_cron(lines[i].there, &line);

		ck_assert_msg(why == NULL, "%s: %s", lines[i].there, why);
		ck_assert_str_eq(line.buf, lines[i].here);
	}
}
END_TEST

START_TEST(times_that_it_does_not_know_have_a_reason)
{
	static const char *const none[] = {
		"2026-01-01", "*-*~01", "Mon *-*-1 10:00", "*-02-30", "*:*:00/10", "25:00", "*:60", "bogus",
		"", "1:2:3:4", "8..6:00", "*/0:00", "UTC 10:00", "-", "Mon..", "*-*-* 1:00 a b",
	};

	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		auto_free(strbuf_fini) struct strbuf line = STRBUF_INIT;

		ck_assert_msg(calendar_cron(none[i], &line) != NULL, "%s", none[i]);
		ck_assert_uint_eq(line.len, 0);
	}
}
END_TEST

/* 1 November 2026 is a Sunday; so is the 6th of December. */
START_TEST(a_sunday_and_a_day_of_the_month_have_to_meet)
{
	struct cron cron;
	struct cron_error e;
	struct strbuf bytes = STRBUF_INIT;
	struct zone *utc;
	int64_t first;

	ck_assert_int_eq(zone_find("", &bytes), 0);
	utc = zone_parse("", bytes.buf, bytes.len);
	strbuf_fini(&bytes);
	ck_assert_ptr_nonnull(utc);
	ck_assert(cron_parse("0 1 1-7 * */7", &cron, &e));
	first = cron_next(&cron, utc, 1793404800);	/* 31 October */
	ck_assert_int_eq(first, 1793494800);
	ck_assert_int_eq(cron_next(&cron, utc, first), 1796518800);
	zone_unref(utc);
}
END_TEST

UNIT_MAIN("import: calendar", times_that_cron_knows_are_said_in_its_words,
	  times_that_it_does_not_know_have_a_reason, a_sunday_and_a_day_of_the_month_have_to_meet)
