/* The Gregorian calendar in numbers: days and dates, without time zones and without libc. Pure. */
#ifndef BASE_CALENDAR_H
#define BASE_CALENDAR_H

#include <stdbool.h>

#include "base/util.h"

#define SECONDS_PER_MINUTE 60
#define SECONDS_PER_HOUR 3600
#define SECONDS_PER_DAY 86400

struct date {
	int64_t year;
	int month;	/* 1..12 */
	int day;	/* 1..31 */
};

/* DAY counts from 1970-01-01 and may be negative; years from 1 to 200000 are right. */
struct date date_of_day(int64_t day);
int64_t day_of_date(int64_t year, int month, int day);
int days_in_month(int64_t year, int month);
int weekday_of_day(int64_t day);	/* 0: Sunday */
static inline bool is_leap_year(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* A / B, rounded down; B > 0. */
static inline int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

#endif
