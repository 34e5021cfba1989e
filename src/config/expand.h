/* Variables in strings: ${VAR}, ${VAR:-default}, %n, %i, %%, $$. Inside the config room only. */
#ifndef CONFIG_EXPAND_H
#define CONFIG_EXPAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"

struct vars {
	char *const *environment;
	const char *subsystem;		/* %n; NULL: there is none here */
	uint32_t instance;		/* %i */
	bool quiet;		/* [defaults]: %n and %i stand for something not yet known */
	bool keep;		/* leave %n and %i, and what is doubled, for a later expansion */
};

/* Append TEXT with its variables replaced. -EINVAL: *WHY says what is wrong. */
int expand(const struct vars *vars, const char *text, struct strbuf *out, struct strbuf *why);

#endif
