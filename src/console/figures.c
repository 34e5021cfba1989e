/* At most two units or three digits: what a glance takes in. */
#include "console/figures.h"

#include <stdio.h>

void age_format(int64_t ms, char out[FIGURE_CAP])
{
	int64_t s = ms / MS_PER_SEC;

	if (s < 60)
		snprintf(out, FIGURE_CAP, "%llds", (long long)s);
	else if (s < 3600)
		snprintf(out, FIGURE_CAP, "%lldm%02llds", (long long)(s / 60), (long long)(s % 60));
	else if (s < 86400)
		snprintf(out, FIGURE_CAP, "%lldh%02lldm", (long long)(s / 3600),
			 (long long)(s / 60 % 60));
	else
		snprintf(out, FIGURE_CAP, "%lldd%02lldh", (long long)(s / 86400),
			 (long long)(s / 3600 % 24));
}

void bytes_format(int64_t bytes, char out[FIGURE_CAP])
{
	static const char units[] = "KMGTPE";
	double n = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(out, FIGURE_CAP, "%lld", (long long)bytes);
		return;
	}
	/* 1023.9 would be printed as 1024 */
	while (n >= 1023.5 && unit + 2 < sizeof(units)) {
		n /= 1024;
		unit++;
	}
	snprintf(out, FIGURE_CAP, n < 9.95 ? "%.1f%c" : "%.0f%c", n, units[unit]);
}

void percent_format(double percent, char out[FIGURE_CAP])
{
	snprintf(out, FIGURE_CAP, percent < 99.95 ? "%.1f" : "%.0f", percent);
}
