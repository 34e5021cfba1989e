/* jansson, fed with clean text. Any thread; a json_t stays on the thread that made it. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>

#include "base/error.h"
#include "base/strbuf.h"

/* Once, before threads: jansson allocates by x_malloc() and seeds its hash. */
void json_setup(void);

/* jansson brings the scope helper: auto_free(json_decrefp) json_t *j = ... */

/* What is returned below is a new reference, never NULL unless that is said. */

/* A JSON string from arbitrary bytes: invalid UTF-8 becomes U+FFFD. NULL gives JSON null. */
json_t *json_text(const char *s);
json_t *json_text_n(const char *s, size_t n);
json_t *json_signal(int signo);		/* "SIGTERM"; 0 gives null */
/* {"code":4002,"message":"...","data":{"category":"subsystem","code":4002,"name":
 * "SUBSYSTEM_NOT_FOUND","errno":"ENOENT"}} with RPC_CODE as the outer code. */
json_t *json_error_object(int rpc_code, const struct error *e);

/* Compact, one line, without newline. Appends. */
void json_dump(const json_t *j, struct strbuf *out);

/* Parse one complete text from an untrusted peer: at most MAX_DEPTH nested containers (checked
 * before parsing), no duplicate keys, nothing after it. Any kind of value, also a bare number.
 * NULL: *E says why, with line and column (in bytes). */
json_t *json_parse_untrusted(const char *s, size_t n, int max_depth, struct error *e);

#endif
