/* A year that begins in March has its leap day at the end, and from March on the months repeat
 * 31 30 31 30 31: 153 days in each five. So a date is a few divisions. */
#include "base/calendar.h"

#define DAYS_PER_400_YEARS 146097
#define DAYS_PER_100_YEARS 36524
#define DAYS_PER_4_YEARS 1461
/* From 0000-03-01 to 1970-01-01. */
#define EPOCH_DAY 719468

struct date date_of_day(int64_t day)
{
	int64_t era = floor_div(day + EPOCH_DAY, DAYS_PER_400_YEARS);
	int64_t year = era * 400;
	int n = (int)(day + EPOCH_DAY - era * DAYS_PER_400_YEARS);
	int centuries, fours, years, month;

	centuries = MIN(n / DAYS_PER_100_YEARS, 3);
	n -= centuries * DAYS_PER_100_YEARS;
	fours = n / DAYS_PER_4_YEARS;
	n -= fours * DAYS_PER_4_YEARS;
	years = MIN(n / 365, 3);
	n -= years * 365;
	year += centuries * 100 + fours * 4 + years;
	month = (5 * n + 2) / 153;
	n -= (153 * month + 2) / 5;
	if (month >= 10)
		return (struct date){ year + 1, month - 9, n + 1 };
	return (struct date){ year, month + 3, n + 1 };
}

int64_t day_of_date(int64_t year, int month, int day)
{
	int64_t from_march = month > 2 ? year : year - 1;
	int64_t era = floor_div(from_march, 400);
	int64_t y = from_march - era * 400;
	int m = month > 2 ? month - 3 : month + 9;

	return era * DAYS_PER_400_YEARS + y * 365 + y / 4 - y / 100 + (153 * m + 2) / 5 + day - 1 -
	       EPOCH_DAY;
}

int days_in_month(int64_t year, int month)
{
	if (month == 2)
		return is_leap_year(year) ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

int weekday_of_day(int64_t day)
{
	int64_t n = day + 4;	/* 1970-01-01 was a Thursday */

	return (int)(n - floor_div(n, 7) * 7);
}
