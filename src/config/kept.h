/* Values of keys that act only when procd starts (RELOAD_PROCD), as they are in force. */
#ifndef CONFIG_KEPT_H
#define CONFIG_KEPT_H

#include "config/resolve.h"

/* Those of CONFIG, which is published: for config_source.kept. */
void kept_write(const struct config *config, struct strbuf *out);
/* What KEPT says instead of what CONFIG says; the keys in which they differ become
 * CONFIG->pending. CONFIG's own values were checked, and R stands behind resolve_top(). */
void kept_apply(const char *kept, struct resolve *r, struct config *config);

/* A bundle takes them along where some differ: whoever follows a dead supervisor is no new procd.
 * kept_read() returns a copy for the caller to free; NULL: there is none. */
void kept_save(const struct config *config, struct strbuf *bundle);
char *kept_read(const char *bundle, size_t len);

#endif
