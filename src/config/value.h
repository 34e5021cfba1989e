/* TOML values: text in, tree out. Knows nothing about keys; pure; any thread. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <stdbool.h>

#include "base/strbuf.h"

enum value_kind {
	VALUE_NULL,	/* JSON only */
	VALUE_STRING,	/* was in quotes */
	VALUE_WORD,	/* bare text that is nothing else */
	VALUE_INT, VALUE_FLOAT, VALUE_BOOL,	/* bare; TEXT keeps the spelling */
	VALUE_ARRAY, VALUE_TABLE,
};

struct value {
	enum value_kind kind;
	bool variables;		/* TEXT, or that of an item, has a '$' or '%' */
	int line, column;
	char *text;		/* owned; NULL for arrays and tables */
	union {
		int64_t integer;
		double number;
		bool boolean;
	};
	struct value *items;	/* owned */
	struct value_key *keys;	/* tables: as many as items */
	size_t n;
};
struct value_key {
	char *name;
	int line, column;
};
#define VALUE_INIT { 0 }

enum value_syntax {
	VALUE_TOML,
	VALUE_JSON,	/* objects and JSON strings; the text is known to be valid JSON */
};

/* A piece of a file: N bytes at S that begin at LINE and COLUMN (both from 1; columns count
 * characters). */
struct value_span {
	const char *s;
	size_t n;
	int line, column;
};

struct value_error {
	int line, column;
	char message[160];
};

/* One complete value. Text that does not begin with a quote or bracket is bare to the end of the
 * span: a number, a boolean, or a word. -EINVAL: *ERROR is filled, *OUT stays untouched. */
int value_parse(const struct value_span *span, enum value_syntax syntax, struct value *out,
		struct value_error *error);
/* The same for text that may only be bare: "5", "true", "abc". Never fails: else it is a word. */
void value_from_bare(const char *text, struct value *out);
/* Replace the text of a string or word. Takes TEXT. */
void value_set_text(struct value *v, char *text);
void value_fini(struct value *v);
/* "a string", "an array", ...: for messages. */
const char *value_kind_name(const struct value *v);

/* "text" as a basic TOML string that means TEXT: each '$' and '%' that would start a variable is
 * doubled. */
void toml_quote(const char *text, struct strbuf *out);
/* The same where TEXT is as a file has it, variables included. */
void toml_quote_raw(const char *text, struct strbuf *out);

#endif
