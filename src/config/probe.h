/* How a probe is written: exec, notify, fd:3, tcp:127.0.0.1:80, unix:/run/x.sock,
 * http://localhost:8080/health, command:pg_isready -q, log:^ready. Pure; any thread. */
#ifndef CONFIG_PROBE_H
#define CONFIG_PROBE_H

#include "config/options.h"

#define PROBE_MASK(kind) (1u << (kind))
/* What can be asked at any time, again and again. */
#define PROBES_HEALTH                                                                             \
	(PROBE_MASK(PROBE_TCP) | PROBE_MASK(PROBE_UNIX) | PROBE_MASK(PROBE_HTTP) |                \
	 PROBE_MASK(PROBE_COMMAND))
#define PROBES_ALL (PROBE_MASK(PROBE_NKINDS) - 1)

/* The forms, "tcp:HOST:PORT" and so on, for messages and manuals. */
extern const struct enumtext probe_kind_text;

/* TEXT as one of the kinds in the mask KINDS; the caller frees *OUT. -EINVAL: *WHY says what is
 * wrong, and at which character of TEXT. */
int probe_option_parse(const char *text, unsigned kinds, struct probe_option **out,
		       struct strbuf *why);
/* Does TEXT claim to be of this kind? */
bool probe_is_kind(const char *text, enum probe_kind kind);
/* Parses to an equal one. NULL is "exec". */
void probe_option_format(const struct probe_option *o, struct strbuf *out);
bool probe_option_equal(const struct probe_option *a, const struct probe_option *b);
struct probe_option *probe_option_copy(const struct probe_option *o);	/* NULL gives NULL */
void probe_option_free(struct probe_option *o);		/* NULL is fine */

/* Why TEXT is no regular expression (POSIX, extended) that may be run on what a program writes;
 * false: it is one. No more than PATTERN_MAX bytes, no back references, and no repetitions that
 * would grow into something large: the library has no limits of its own. */
#define PATTERN_MAX 1024
bool pattern_refused(const char *text, struct strbuf *why);

#endif
