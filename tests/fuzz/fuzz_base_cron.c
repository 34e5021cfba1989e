/* A schedule's line, a zone's rule and a zone's file, as somebody else wrote them. What is read gives
 * times that lie after what was asked for, each later than the one before, in a bounded number of
 * steps. The first byte chooses. */
#include <stdlib.h>

#include "base/cron.h"
#include "base/util.h"
#include "fuzz.h"

/* SANE: a zone as there are. Of a rule whose two changes fall together or cross in some years, only
 * order and end are promised: there are times of day that name no one moment. */
static void walk(const struct cron *c, const struct zone *z, bool sane)
{
	int64_t t = 1774700000;	/* shortly before a change in Europe */

	for (int i = 0; i < 20; i++) {
		int64_t next = cron_next(c, z, t);

		check(next > t);
		if (next == CRON_NEVER)
			return;
		check(!sane || cron_next(c, z, next - 1) == next);
		t = next;
	}
}

static void try_zone(struct zone *z)
{
	static const char *const lines[] = { "30 2 * * *", "*/7 * * * *", "0 0 29 2 *" };
	int64_t t = -2000000000;

	if (z == NULL)
		return;
	for (int i = 0; i < 200; i++) {
		int64_t next = zone_next_change(z, t);

		check(next > t);
		if (next == ZONE_NO_CHANGE)
			break;
		check(zone_last_change(z, next) == next);
		check(zone_offset(z, next) != zone_offset(z, next - 1));
		t = next;
	}
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct cron c;
		struct cron_error e;

		check(cron_parse(lines[i], &c, &e));
		walk(&c, z, false);
	}
	zone_unref(z);
}

static void try_line(const char *text)
{
	static const char berlin[] = "CET-1CEST,M3.5.0,M10.5.0/3";
	struct zone *z = zone_parse("x", berlin, sizeof(berlin) - 1);
	struct cron c;
	struct cron_error e = { .at = SIZE_MAX };

	if (cron_parse(text, &c, &e)) {
		check(c.minutes != 0 && c.hours != 0 && c.days != 0 && c.months != 0 &&
		      c.weekdays != 0);
		check(c.zone_at + c.zone_len <= strlen(text));
		walk(&c, z, true);
	} else {
		check(e.at <= strlen(text) && *e.message != '\0');
	}
	zone_unref(z);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *text;

	if (size == 0 || size > 8192)
		return 0;
	text = malloc(size);	/* without the first byte, with a final NUL */
	check(text != NULL);
	memcpy(text, bytes + 1, size - 1);
	text[size - 1] = 0;
	if (bytes[0] % 3 == 0)
		try_line(text);
	else
		try_zone(zone_parse("x", text, size - 1));
	free(text);
	return 0;
}
