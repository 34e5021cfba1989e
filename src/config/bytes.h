/* Bytes that no configuration file may hold. Pure; any thread. */
#ifndef CONFIG_BYTES_H
#define CONFIG_BYTES_H

#include <stdbool.h>

#include "base/util.h"

struct bad_lines {
	int *lines;	/* rising; the owner frees */
	size_t n, cap;
};
bool bad_lines_has(const struct bad_lines *b, int line);

/* Report the first NUL, control character, bare CR or invalid UTF-8 of each line, and note the
 * line in BAD. Returns a copy of TEXT in which they are '?', so that reading can go on; NULL when
 * all bytes are fine. */
char *bytes_check(const char *text, size_t n,
		  void (*report)(void *ctx, int line, int column, const char *message), void *ctx,
		  struct bad_lines *bad);

#endif
