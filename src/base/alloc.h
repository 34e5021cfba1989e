/* Allocation that never returns NULL.
 *
 * The supervisor may abort when memory ends: every input is bounded, and the keeper brings it back
 * without a child noticing. The keeper must not call anything in this header. Any thread. */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stdlib.h>

#include "base/util.h"

void *x_malloc(size_t size);
void *x_calloc(size_t count, size_t size);	/* zeroed; aborts on overflow, too */
void *x_realloc(void *p, size_t size);
void *x_reallocarray(void *p, size_t count, size_t size);
/* SIZE bytes of zeros that cost memory only where they are touched; for munmap(2). */
void *x_reserve(size_t size);
char *x_strdup(const char *s);			/* NULL gives NULL */
char *x_strndup(const char *s, size_t n);
char *x_asprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* auto_free() helper for anything from above: auto_free(freep) char *s = ... */
static inline void freep(void *pp)
{
	free(*(void **)pp);
}

#endif
