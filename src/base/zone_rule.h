/* The yearly rule of a zone, as POSIX writes it in TZ. Pure. For base/zone only. */
#ifndef BASE_ZONE_RULE_H
#define BASE_ZONE_RULE_H

#include <stdbool.h>

#include "base/util.h"

enum zone_day { ZONE_DAY_MONTH, ZONE_DAY_NO_LEAP, ZONE_DAY_OF_YEAR };	/* Mm.w.d, Jn, n */

struct zone_when {
	enum zone_day kind;
	int month, week, weekday;	/* ZONE_DAY_MONTH; week 5: the last */
	int day;			/* the others */
	int32_t time;			/* seconds from midnight, may be negative */
};

struct zone_rule {
	int32_t standard, summer;	/* offsets: seconds ahead of UTC */
	bool has_summer;
	struct zone_when begin, end;	/* of summer time, in the local time before the change */
};

/* False: TEXT (all of it) is no rule. */
bool zone_rule_parse(const char *text, struct zone_rule *out);
int32_t zone_rule_offset(const struct zone_rule *r, int64_t utc);
/* Every change of the years around UTC, ascending: UTC's own year and the one on either side. */
#define ZONE_RULE_CHANGES 6
size_t zone_rule_changes(const struct zone_rule *r, int64_t utc, int64_t at[ZONE_RULE_CHANGES]);

#endif
