/* At most two units or three digits: what a glance takes in. */
#include "console/figures.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* N in decimal at AT, with a zero in front if need be to have two digits; behind it. A table may
 * have ten thousand lines. */
static char *put_number(char *at, uint64_t n, bool two)
{
	char digits[20];
	size_t from = sizeof(digits);

	do {
		digits[--from] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0 || (two && from > sizeof(digits) - 2));
	memcpy(at, digits + from, sizeof(digits) - from);
	return at + sizeof(digits) - from;
}

static void put_two(char *out, uint64_t n, char unit, uint64_t rest, char rest_unit)
{
	char *at = put_number(out, n, false);

	*at++ = unit;
	at = put_number(at, rest, true);
	*at++ = rest_unit;
	*at = '\0';
}

void age_format(int64_t ms, char out[FIGURE_CAP])
{
	uint64_t s = (uint64_t)MAX(ms, 0) / MS_PER_SEC;

	if (s < 60)
		memcpy(put_number(out, s, false), "s", sizeof("s"));
	else if (s < 3600)
		put_two(out, s / 60, 'm', s % 60, 's');
	else if (s < 86400)
		put_two(out, s / 3600, 'h', s / 60 % 60, 'm');
	else
		put_two(out, s / 86400, 'd', s / 3600 % 24, 'h');
}

void bytes_format(int64_t bytes, char out[FIGURE_CAP])
{
	static const char units[] = "KMGTPE";
	uint64_t n = (uint64_t)MAX(bytes, 0), tenths;
	size_t unit = 0;
	char *at;

	if (n < 1024) {
		*put_number(out, n, false) = '\0';
		return;
	}
	/* in 1024ths of the unit; 1023.9 would be printed as 1024 */
	for (; n >= 2047 * 512 && unit + 2 < sizeof(units); unit++)
		n /= 1024;
	tenths = (n * 10 + 512) / 1024;
	at = put_number(out, tenths < 100 ? tenths / 10 : (n + 512) / 1024, false);
	if (tenths < 100) {
		*at++ = '.';
		*at++ = (char)('0' + tenths % 10);
	}
	*at++ = units[unit];
	*at = '\0';
}

void percent_format(double percent, char out[FIGURE_CAP])
{
	snprintf(out, FIGURE_CAP, percent < 99.95 ? "%.1f" : "%.0f", percent);
}
