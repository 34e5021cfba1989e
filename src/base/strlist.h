/* A list of owned strings: argv arrays, name lists, globs. Any thread, one at a time. */
#ifndef BASE_STRLIST_H
#define BASE_STRLIST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

struct strlist {
	char **items;	/* NULL-terminated as soon as it has room for some; NULL before */
	uint32_t n, cap;	/* options of thousands of subsystems hold many, most of them empty */
};

#define STRLIST_INIT { 0 }

void strlist_fini(struct strlist *l);		/* frees and re-initialises */
void strlist_add(struct strlist *l, const char *s);	/* copies */
void strlist_take(struct strlist *l, char *s);		/* takes ownership */
void strlist_reserve(struct strlist *l, size_t more);	/* room for just MORE strings */
void strlist_copy(struct strlist *dst, const struct strlist *src);	/* replaces DST */
bool strlist_equal(const struct strlist *a, const struct strlist *b);
bool strlist_has(const struct strlist *l, const char *s);
void strlist_sort(struct strlist *l);		/* byte order */

#endif
