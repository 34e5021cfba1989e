/* "CET-1CEST,M3.5.0,M10.5.0/3": names are skipped, offsets are written the other way round (west is
 * positive), a missing offset of summer time is one hour, a missing rule is that of the United
 * States, as everywhere. */
#include "base/zone_rule.h"

#include "base/calendar.h"

#define DEFAULT_RULE ",M3.2.0,M11.1.0"
#define OFFSET_HOURS_MAX 24
#define TIME_HOURS_MAX 167	/* RFC 9636 3.3.1: a week in either direction */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool skip_name(const char **at)
{
	const char *p = *at;
	size_t n = 0;

	if (*p == '<') {
		for (p++; is_letter(*p) || is_digit(*p) || *p == '+' || *p == '-'; p++)
			n++;
		if (*p++ != '>')
			return false;
	} else {
		for (; is_letter(*p); p++)
			n++;
	}
	*at = p;
	return n >= 3;
}

static bool number(const char **at, int min, int max, int *out)
{
	int n = 0, digits = 0;

	for (; is_digit(**at); (*at)++) {
		if (++digits > 3)
			return false;
		n = n * 10 + (**at - '0');
	}
	*out = n;
	return digits > 0 && n >= min && n <= max;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static bool clock_time(const char **at, int hours_max, int32_t *out)
{
	int sign = **at == '-' ? -1 : 1;
	int hours, minutes = 0, seconds = 0;

	*at += **at == '-' || **at == '+';
	if (!number(at, 0, hours_max, &hours))
		return false;
	if (**at == ':') {
		(*at)++;
		if (!number(at, 0, 59, &minutes))
			return false;
		if (**at == ':') {
			(*at)++;
			if (!number(at, 0, 59, &seconds))
				return false;
		}
	}
	*out = sign * (hours * SECONDS_PER_HOUR + minutes * SECONDS_PER_MINUTE + seconds);
	return true;
}

static bool expect(const char **at, char c)
{
	return *(*at)++ == c;
}

static bool day(const char **at, struct zone_when *w)
{
	if (**at == 'M') {
		(*at)++;
		w->kind = ZONE_DAY_MONTH;
		return number(at, 1, 12, &w->month) && **at == '.' && expect(at, '.') &&
		       number(at, 1, 5, &w->week) && **at == '.' && expect(at, '.') &&
		       number(at, 0, 6, &w->weekday);
	}
	if (**at == 'J') {
		(*at)++;
		w->kind = ZONE_DAY_NO_LEAP;
		return number(at, 1, 365, &w->day);
	}
	w->kind = ZONE_DAY_OF_YEAR;
	return number(at, 0, 365, &w->day);
}

/* ",DAY[/TIME]" */
static bool when(const char **at, struct zone_when *w)
{
	w->time = 2 * SECONDS_PER_HOUR;
	if (**at != ',' || !expect(at, ',') || !day(at, w))
		return false;
	if (**at != '/')
		return true;
	(*at)++;
	return clock_time(at, TIME_HOURS_MAX, &w->time);
}

bool zone_rule_parse(const char *text, struct zone_rule *out)
{
	struct zone_rule r = { 0 };
	const char *at = text, *rule;
	int32_t west;

	if (!skip_name(&at) || !clock_time(&at, OFFSET_HOURS_MAX, &west))
		return false;
	r.standard = r.summer = -west;
	if (*at != '\0') {
		r.has_summer = true;
		r.summer = r.standard + SECONDS_PER_HOUR;
		if (!skip_name(&at))
			return false;
		if (*at != '\0' && *at != ',') {
			if (!clock_time(&at, OFFSET_HOURS_MAX, &west))
				return false;
			r.summer = -west;
		}
		rule = *at != '\0' ? at : DEFAULT_RULE;
		if (!when(&rule, &r.begin) || !when(&rule, &r.end) || *rule != '\0')
			return false;
	}
	*out = r;
	return true;
}

/* The moment of W in YEAR, in the local time that it is written in. */
static int64_t local_moment(const struct zone_when *w, int64_t year)
{
	int64_t first = day_of_date(year, 1, 1), n;
	int before;

	switch (w->kind) {
	case ZONE_DAY_NO_LEAP:
		n = first + w->day - 1 + (is_leap_year(year) && w->day >= 60);
		break;
	case ZONE_DAY_OF_YEAR:
		n = first + w->day;
		break;
	default:
		first = day_of_date(year, w->month, 1);
		before = w->weekday - weekday_of_day(first);
		n = first + (before < 0 ? before + 7 : before) + (w->week - 1) * 7;
		if (n >= first + days_in_month(year, w->month))
			n -= 7;
	}
	return n * SECONDS_PER_DAY + w->time;
}

struct change {
	int64_t at;
	int32_t offset;		/* from then on */
};

/* Where summer time lasts all year its end and its beginning meet; then the beginning counts. */
static bool is_later(const struct change *a, const struct change *b, const struct zone_rule *r)
{
	return a->at > b->at || (a->at == b->at && a->offset == r->summer);
}

static void changes(const struct zone_rule *r, int64_t utc, struct change c[ZONE_RULE_CHANGES])
{
	int64_t year = date_of_day(floor_div(utc, SECONDS_PER_DAY)).year;
	size_t n = 0;

	for (int64_t y = year - 1; y <= year + 1; y++) {
		c[n++] = (struct change){ local_moment(&r->begin, y) - r->standard, r->summer };
		c[n++] = (struct change){ local_moment(&r->end, y) - r->summer, r->standard };
	}
	for (size_t i = 1; i < n; i++)
		for (size_t k = i; k > 0 && is_later(&c[k - 1], &c[k], r); k--) {
			struct change swapped = c[k];

			c[k] = c[k - 1];
			c[k - 1] = swapped;
		}
}

int32_t zone_rule_offset(const struct zone_rule *r, int64_t utc)
{
	struct change c[ZONE_RULE_CHANGES];
	int32_t offset;

	if (!r->has_summer)
		return r->standard;
	changes(r, utc, c);
	offset = c[0].offset == r->summer ? r->standard : r->summer;
	for (size_t i = 0; i < ZONE_RULE_CHANGES && c[i].at <= utc; i++)
		offset = c[i].offset;
	return offset;
}

size_t zone_rule_changes(const struct zone_rule *r, int64_t utc, int64_t at[ZONE_RULE_CHANGES])
{
	struct change c[ZONE_RULE_CHANGES];

	if (!r->has_summer)
		return 0;
	changes(r, utc, c);
	for (size_t i = 0; i < ZONE_RULE_CHANGES; i++)
		at[i] = c[i].at;
	return ZONE_RULE_CHANGES;
}
