/* Durations and sizes: one parser and one formatter each. Pure; any thread. */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include <stdbool.h>

#include "base/strbuf.h"

/* "250ms", "10s", "1m30s", "2h", "1d"; a bare number (also "1.5") is seconds. No sign, no blanks
 * inside; units from large to small. Result in milliseconds, parts of one rounded up; it can be
 * turned into int64_t nanoseconds. -EINVAL: not a duration; -ERANGE: does not fit. */
int duration_parse(const char *text, int64_t *ms_out);
void duration_format(int64_t ms, struct strbuf *out);	/* "1m30s", "1.5s", "250ms", "0s" */

/* "64K", "100M", "1G", "64KiB", "64KB", bytes when bare; 1024-based. -EINVAL or -ERANGE. */
int size_parse(const char *text, uint64_t *bytes_out);
void size_format(uint64_t bytes, struct strbuf *out);	/* shortest exact form: "100M", "1000" */

#endif
