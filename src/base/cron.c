/* Between two changes of a zone local time runs like UTC, only ahead by an offset. So the search
 * goes from change to change: in each piece, the next local minute that fits is a search through
 * sets of bits, month by month. What a change leaves out or repeats is looked at where the piece
 * begins. */
#include "base/cron.h"

#include "base/calendar.h"

#define MINUTES_PER_HOUR 60
#define MINUTES_PER_DAY 1440
#define ALL_HOURS ((1u << 24) - 1)
#define MONTHS_MAX (100 * 12 + 1)
#define PIECES_MAX 1000
/* More than any local time is away from UTC. */
#define SLACK (2 * SECONDS_PER_DAY)

bool cron_is_steady(const struct cron *c)
{
	return c->hours == ALL_HOURS;
}

static bool day_fits(const struct cron *c, int64_t day, int of_month)
{
	bool in_month = c->days >> of_month & 1;
	bool in_week = c->weekdays >> weekday_of_day(day) & 1;

	return c->either_day ? in_month || in_week : in_month && in_week;
}

/* The first bit of SET from FROM on; -1: none. */
static int next_bit(uint64_t set, int from)
{
	uint64_t left = from < 64 ? set >> from << from : 0;

	return left != 0 ? __builtin_ctzll(left) : -1;
}

/* The first minute of a day, from MINUTE on; -1: none on this day. */
static int next_in_day(const struct cron *c, int minute)
{
	int hour = next_bit(c->hours, minute / MINUTES_PER_HOUR), in_hour;

	if (hour < 0)
		return -1;
	in_hour = next_bit(c->minutes, hour == minute / MINUTES_PER_HOUR ?
			   minute % MINUTES_PER_HOUR : 0);
	if (in_hour < 0) {
		hour = next_bit(c->hours, hour + 1);
		in_hour = next_bit(c->minutes, 0);
	}
	return hour < 0 ? -1 : hour * MINUTES_PER_HOUR + in_hour;
}

/* The first local second from FROM on that fits, as if there were no zones. */
static int64_t next_local(const struct cron *c, int64_t from)
{
	int64_t minutes = floor_div(from + SECONDS_PER_MINUTE - 1, SECONDS_PER_MINUTE);
	int64_t day = floor_div(minutes, MINUTES_PER_DAY);
	int minute = (int)(minutes - day * MINUTES_PER_DAY);
	struct date date = date_of_day(day);

	for (int months = 0; months < MONTHS_MAX; months++) {
		int n = days_in_month(date.year, date.month);

		for (; c->months >> date.month & 1 && date.day <= n; date.day++, day++) {
			int found = day_fits(c, day, date.day) ? next_in_day(c, minute) : -1;

			if (found >= 0)
				return (day * MINUTES_PER_DAY + found) * SECONDS_PER_MINUTE;
			minute = 0;
		}
		date.month = date.month % 12 + 1;
		date.year += date.month == 1;
		date.day = 1;
		day = day_of_date(date.year, date.month, 1);
		minute = 0;
	}
	return CRON_NEVER;
}

/* The piece that begins with the change at AT left out local times: does one of them fit? */
static bool left_out_fits(const struct cron *c, const struct zone *z, int64_t at)
{
	int64_t from = at + zone_offset(z, at - 1), to = at + zone_offset(z, at);

	return to > from && !cron_is_steady(c) && next_local(c, from) < to;
}

/* Where local time has to begin so that nothing comes a second time. */
static int64_t not_before(const struct cron *c, const struct zone *z, int64_t at)
{
	int64_t local = at + zone_offset(z, at), change;

	if (cron_is_steady(c))
		return local;
	change = zone_last_change(z, at);
	if (change == ZONE_NO_CHANGE)
		return local;
	return MAX(local, change + zone_offset(z, change - 1));
}

int64_t cron_next(const struct cron *c, const struct zone *z, int64_t after)
{
	int64_t at = after + 1;

	for (int pieces = 0; pieces < PIECES_MAX; pieces++) {
		int64_t rough = next_local(c, at - SLACK), end, local;

		if (rough == CRON_NEVER)
			return CRON_NEVER;
		at = MAX(at, rough - SLACK);
		if (zone_last_change(z, at) == at && left_out_fits(c, z, at))
			return at;
		end = zone_next_change(z, at);
		local = next_local(c, not_before(c, z, at));
		if (local == CRON_NEVER)
			return CRON_NEVER;
		if (local - zone_offset(z, at) < end)
			return local - zone_offset(z, at);
		at = end;
	}
	return CRON_NEVER;
}
