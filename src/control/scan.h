/* Walking through JSON text without building a tree, for answers with thousands of objects.
 * Malformed text ends the walk early and never reads beyond its end; it is not a validator. Any
 * thread. */
#ifndef CONTROL_SCAN_H
#define CONTROL_SCAN_H

#include <stdbool.h>

#include "base/strbuf.h"

struct span {	/* raw text of a value or of a key without its quotes */
	const char *s;
	size_t n;
};

struct scan {
	const char *at, *end;
};

static inline struct scan scan_text(const char *s, size_t n)
{
	return (struct scan){ s, s + n };
}

/* Step into an object '{' or array '['; false: something else stands here. */
bool scan_enter(struct scan *s, char bracket);
/* Inside an object: the next member's key; its value must be taken next. False: the object's
 * end. */
bool scan_key(struct scan *s, struct span *key);
/* Inside an array: is there another element? Take it next. False: the array's end. */
bool scan_element(struct scan *s);
/* Take the value that stands here, whatever it is. False: malformed. */
bool scan_value(struct scan *s, struct span *value);

/* Raw comparison: keys, true, null, "\"x\"". Inline: the length of a literal costs nothing. */
static inline bool span_is(struct span v, const char *text)
{
	size_t n = strlen(text);

	return v.n == n && memcmp(v.s, text, n) == 0;
}
bool span_int(struct span v, int64_t *out);	/* false: not a whole number */
bool span_string(struct span v, struct strbuf *out);	/* decodes, appends; false: not a string */

#endif
