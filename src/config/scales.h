/* Numbers of instances that an operator ordered instead of the declared ones (`procd scale`). An
 * order counts as long as the file declares the number that it declared then: a file that says
 * another one has the last word. Pure. */
#ifndef CONFIG_SCALES_H
#define CONFIG_SCALES_H

#include "base/strbuf.h"
#include "config/options.h"

struct scaled {
	char *name;			/* of the family */
	uint32_t declared, n;
};
struct scales {
	struct scaled *items;
	size_t n;
};
#define SCALES_INIT { 0 }

void scales_fini(struct scales *s);
void scales_copy(struct scales *out, const struct scales *from);
/* NAME, which declares DECLARED instances, shall have N; an earlier order for it is forgotten, and
 * there is none when N is DECLARED. */
void scales_set(struct scales *s, const char *name, uint32_t declared, uint32_t n);
/* The same for a list of orders that are to be given: also DECLARED is one. */
void scales_order(struct scales *s, const char *name, uint32_t declared, uint32_t n);
/* How many instances NAME has, which declares DECLARED. */
uint32_t scales_number(const struct scales *s, const char *name, uint32_t declared);

/* What is in force in CONFIG: its families with another number than the declared one. */
void scales_of(const struct config *config, struct scales *out);
/* What CONFIG declares: all its families. */
void scales_declared(const struct config *config, struct scales *out);
/* Forget the orders that no longer count where DECLARED does. */
void scales_prune(struct scales *s, const struct scales *declared);

/* What was in force in the configuration whose text BUNDLE is. */
void scales_read(const char *bundle, size_t len, struct scales *out);

/* --- inside the config room ------------------------------------------------------------------- */

/* Into a bundle (config/source.h). */
void scales_write(const struct config *config, struct strbuf *bundle);
/* Append BUNDLE to OUT, without what scales_write() wrote. */
void scales_skip(const char *bundle, size_t len, struct strbuf *out);

#endif
