/* A growing byte buffer that is always NUL-terminated. Any thread, one at a time. */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>

#include "base/util.h"

struct strbuf {
	char *buf;	/* never NULL; points to a static "" while empty */
	size_t len;	/* bytes before the NUL */
	size_t cap;	/* 0 while BUF is the static "" */
};

extern char strbuf_empty[];
#define STRBUF_INIT { .buf = strbuf_empty }

void strbuf_init(struct strbuf *sb);
void strbuf_fini(struct strbuf *sb);		/* frees and re-initialises */
void strbuf_reset(struct strbuf *sb);		/* length 0, memory kept */
char *strbuf_detach(struct strbuf *sb);		/* caller frees; SB is empty afterwards */
void strbuf_reserve(struct strbuf *sb, size_t more);
void strbuf_add(struct strbuf *sb, const void *bytes, size_t n);
void strbuf_addch(struct strbuf *sb, char c);
void strbuf_addstr(struct strbuf *sb, const char *s);
void strbuf_addf(struct strbuf *sb, const char *fmt, ...) PRINTF_LIKE(2, 3);
void strbuf_vaddf(struct strbuf *sb, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
void strbuf_consume(struct strbuf *sb, size_t n);	/* drop the first N bytes (N <= len) */

#endif
