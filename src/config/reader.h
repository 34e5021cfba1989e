/* The lines of a daemon.toml, in front of the system's inih. Pure; any thread. */
#ifndef CONFIG_READER_H
#define CONFIG_READER_H

#include "config/value.h"

struct reader_ops {
	/* "[NAME]" at LINE:COLUMN. The pairs that follow belong to it. NAME is NULL for a header
	 * that was reported as an error: where its pairs belong is not known. */
	void (*section)(void *ctx, const char *name, size_t len, int line, int column);
	/* KEY = VALUE; KEY is bare, VALUE a cut-out piece for value_parse(). */
	void (*pair)(void *ctx, const char *key, size_t len, int line, int column,
		     const struct value_span *value);
	/* KEY = and something that was reported as an error. NULL: nobody wants to know. */
	void (*broken)(void *ctx, const char *key, size_t len, int line, int column);
	void (*error)(void *ctx, int line, int column, const char *message);
};

/* Call OPS for each section, pair and error of the N bytes at TEXT, in order. Errors do not end
 * the reading: it goes on behind the faulty line. Pointers are valid during the call only. */
void reader_run(const char *text, size_t n, const struct reader_ops *ops, void *ctx);

#endif
