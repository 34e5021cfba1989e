/* Enum <-> text: one table per enum, used for parsing, printing, JSON, help and errors. */
#ifndef BASE_ENUMTEXT_H
#define BASE_ENUMTEXT_H

#include "base/strbuf.h"

/* names[value] is the text; a NULL entry is a value without text. */
struct enumtext {
	const char *what;		/* "log level", for messages */
	const char *const *names;
	int count;
};

/* Defines `const struct enumtext NAME_text` over the designated array that follows:
 * ENUMTEXT(state, "state", [STATE_STOPPED] = "stopped", ...). */
#define ENUMTEXT(name, what_, ...)                                                                \
	static const char *const name##_names[] = { __VA_ARGS__ };                                \
	const struct enumtext name##_text = { (what_), name##_names, ARRAY_LEN(name##_names) }

const char *enumtext_name(const struct enumtext *t, int value);	/* "?" when out of range */
int enumtext_find(const struct enumtext *t, const char *text);	/* -1: unknown */
int enumtext_find_n(const struct enumtext *t, const char *text, size_t len);
void enumtext_join(const struct enumtext *t, struct strbuf *out);	/* "a, b, c" */

#endif
