/* Time zones as values: any number of them at once, without the process's TZ, without locks and
 * without reading files later. The C library has one zone at a time, which is global.
 *
 * A zone is a table of changes, then (for all times after the table) a rule that repeats each year:
 * RFC 9636 (TZif) and POSIX.1-2024, "TZ". Leap seconds are not looked at. */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include <stdbool.h>

#include "base/strbuf.h"

#define ZONE_FILE_MAX (1 << 20)
#define ZONE_NO_CHANGE INT64_MAX

struct zone;	/* immutable and counted; any thread */

struct zone *zone_ref(struct zone *z);
void zone_unref(struct zone *z);	/* NULL is fine */

/* From the bytes of a TZif file, or from a POSIX string such as "CET-1CEST,M3.5.0,M10.5.0/3"; NULL:
 * it is none. Pure. NAME is copied. */
struct zone *zone_parse(const char *name, const char *bytes, size_t n);

/* What zone_parse() can make NAME from, appended to BYTES. NAME is "Europe/Berlin" (a file below
 * $TZDIR or the system's directory), "/path/to/file" or a POSIX string; a colon in front is
 * skipped; "" is UTC; NULL is /etc/localtime, UTC without that. May block. -ENOENT: there is no
 * such zone. */
int zone_find(const char *name, struct strbuf *bytes);
/* The same for what procd itself lives in, $TZ or the system's; -ENOENT: UTC, because $TZ names no
 * zone. */
int zone_find_local(struct strbuf *bytes);

const char *zone_name(const struct zone *z);	/* as it was asked for */
bool zone_equal(const struct zone *a, const struct zone *b);	/* NULL equals NULL only */

/* Seconds that local time is ahead of UTC at UTC (since the epoch). */
int32_t zone_offset(const struct zone *z, int64_t utc);
/* The first moment after UTC, and the last one not after UTC, at which the offset changes; both
 * ZONE_NO_CHANGE: there is none. */
int64_t zone_next_change(const struct zone *z, int64_t utc);
int64_t zone_last_change(const struct zone *z, int64_t utc);

#endif
