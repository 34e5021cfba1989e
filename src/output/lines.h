/* Bytes into lines. Pure; any thread.
 *
 * A line ends with '\n'; every other byte value (NUL, '\r', invalid UTF-8) is content. A line of
 * more than MAX bytes is cut into pieces of at most MAX; all but the last are CONTINUED, and
 * whoever prints one puts LINES_MARK behind it. A cut never falls into a UTF-8 sequence. */
#ifndef OUTPUT_LINES_H
#define OUTPUT_LINES_H

#include <stdbool.h>

#include "base/util.h"

#define LINES_MARK " \\"	/* ends every piece of a cut line but the last */

struct line {
	const char *text;	/* into the given bytes, without the newline */
	size_t len;
	size_t raw_len;		/* bytes that it takes away from the given ones */
	bool continued;
};

/* The first line of DATA, or false when DATA does not hold a decided one yet. */
bool lines_next(const char *data, size_t len, size_t max, struct line *out);
/* The longest prefix that is whole lines of at most MAX bytes each; 0 when the first line is
 * unfinished or must be cut. */
size_t lines_whole(const char *data, size_t len, size_t max);
/* The longest prefix of DATA of at most LIMIT bytes that ends with a newline; 0 when there is
 * none. */
size_t lines_fitting(const char *data, size_t len, size_t limit);
/* Offset at which the last N lines of DATA begin; an unfinished last line counts as one. */
size_t lines_last(const char *data, size_t len, size_t n);

#endif
