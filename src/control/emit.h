/* JSON text by hand, for answers that may hold thousands of objects: no tree, no allocation but the
 * buffer's growth. The caller keeps the nesting right; commas come by themselves. Any thread. */
#ifndef CONTROL_EMIT_H
#define CONTROL_EMIT_H

#include <stdbool.h>

#include "base/strbuf.h"

/* KEY NULL: an array element. KEY must need no escaping. */
void emit_open(struct strbuf *out, const char *key, char bracket);	/* '{' or '[' */
void emit_close(struct strbuf *out, char bracket);			/* '}' or ']' */
void emit_text(struct strbuf *out, const char *key, const char *s);	/* NULL: null; cleaned */
void emit_text_n(struct strbuf *out, const char *key, const char *s, size_t n);
void emit_int(struct strbuf *out, const char *key, int64_t value);
void emit_uint(struct strbuf *out, const char *key, uint64_t value);
void emit_bool(struct strbuf *out, const char *key, bool value);
void emit_raw(struct strbuf *out, const char *key, const char *json);	/* as it is */
void emit_null(struct strbuf *out, const char *key);
/* An array of the words of TEXT, which are separated by SEPARATOR. */
void emit_words(struct strbuf *out, const char *key, const char *text, char separator);

/* RFC 4648 with padding. base64_decode: false when S is not base64. */
void base64_encode(const char *s, size_t n, struct strbuf *out);
bool base64_decode(const char *s, size_t n, struct strbuf *out);

#endif
