/* The types that an option may have, each with all its verbs. Inside the config room only.
 *
 * Verbs get the whole object (struct config or struct subsystem_options) and the row, which knows
 * where the field is; a few types fill several fields. */
#ifndef CONFIG_TYPE_H
#define CONFIG_TYPE_H

#include "config/expand.h"
#include "config/schema.h"

/* How one value is being read. */
struct parse {
	const struct option *o;
	int key;			/* >= schema_n: a signal without a row of its own */
	enum unit unit;
	const struct vars *vars;	/* NULL: text of the table itself, nothing is expanded */
	bool untyped;		/* from the environment or command line, where all is text */
	/* the complaint */
	struct strbuf why;
	int line, column;		/* of the faulty part */
};

enum shape {	/* what it looks like in JSON Schema */
	SHAPE_STRING, SHAPE_BOOL, SHAPE_INT, SHAPE_NUMBER, SHAPE_DURATION, SHAPE_SIZE,
	SHAPE_STRINGS, SHAPE_INTS, SHAPE_COMMAND, SHAPE_ENVIRONMENT, SHAPE_LIMIT,
	SHAPE_CPUS, SHAPE_LEVEL,
};

struct option_type {
	const char *name;
	enum shape shape;
	/* There is no default. NULL: zero is right. */
	void (*unset)(const struct option *o, void *obj);
	/* Replaces the field. -EINVAL: p->why tells, the field is untouched. */
	int (*parse)(struct parse *p, const struct value *v, void *obj);
	bool (*is_set)(const struct option *o, int key, const void *obj);	/* NULL: always */
	bool (*equal)(const struct option *o, const void *a, const void *b);
	void (*format)(const struct option *o, int key, const void *obj, struct strbuf *out);
	json_t *(*json)(const struct option *o, int key, const void *obj);
	/* Fields that own memory. DST holds a bitwise copy of SRC: give it memory of its own. */
	void (*copy)(const struct option *o, void *dst, const void *src);
	void (*clear)(const struct option *o, void *obj);
	/* The path in the field that is to be made absolute; NULL: none. */
	char **(*path)(const struct option *o, void *obj);
};

/* type_number.c */
extern const struct option_type type_bool, type_int, type_instances, type_float, type_duration,
	type_size, type_memory, type_octal, type_rate, type_percent;
/* type_text.c */
extern const struct option_type type_string, type_name, type_account, type_path, type_log_file,
	type_enum, type_word, type_signal;
/* type_list.c */
extern const struct option_type type_strings, type_ints, type_environment, type_edges, type_listen,
	type_credentials;
/* type_command.c */
extern const struct option_type type_command, type_hook;
/* type_special.c */
extern const struct option_type type_stdio, type_limit, type_events_output;
/* type_placement.c */
extern const struct option_type type_cpus, type_sched, type_io_class;
/* type_rights.c */
extern const struct option_type type_capabilities, type_protect;
/* type_probe.c */
extern const struct option_type type_probe;
/* type_schedule.c */
extern const struct option_type type_schedule;
/* http.c */
extern const struct option_type type_http_listen;
/* type_action.c */
extern const struct option_type type_signal_action;

/* --- fields that are a char * (type_text.c) ----------------------------------------------------- */

bool string_is_set(const struct option *o, int key, const void *obj);
bool string_equal(const struct option *o, const void *a, const void *b);
void string_format(const struct option *o, int key, const void *obj, struct strbuf *out);
json_t *string_json(const struct option *o, int key, const void *obj);
void string_copy(const struct option *o, void *dst, const void *src);
void string_clear(const struct option *o, void *obj);

#define STRING_VERBS .shape = SHAPE_STRING, STRING_VERBS_BUT_SHAPE
#define STRING_VERBS_BUT_SHAPE                                                                    \
	.is_set = string_is_set, .equal = string_equal, .format = string_format,                  \
	.json = string_json, .copy = string_copy, .clear = string_clear

/* --- fields that are a struct strlist (type_list.c) ---------------------------------------------- */

/* LIST takes the place of what FIELD has, and is empty then. */
void list_replace(struct strlist *field, struct strlist *list);
/* Append the text of V, or of each item of the array V, variables replaced. -EINVAL: complained. */
int list_add_text(struct parse *p, const struct value *v, struct strlist *out);
int list_add_items(struct parse *p, const struct value *v, struct strlist *out);

bool strings_equal(const struct option *o, const void *a, const void *b);
void strings_format(const struct option *o, int key, const void *obj, struct strbuf *out);
json_t *strings_json(const struct option *o, int key, const void *obj);
void strings_copy(const struct option *o, void *dst, const void *src);
void strings_clear(const struct option *o, void *obj);
#define STRINGS_VERBS                                                                             \
	.equal = strings_equal, .format = strings_format, .json = strings_json,                   \
	.copy = strings_copy, .clear = strings_clear

/* --- for the implementations ---------------------------------------------------------------- */

#define FIELD(T, o, obj) ((T *)part_write((o)->at, obj))
#define CFIELD(T, o, obj) ((__typeof__(T) const *)part_read((o)->at, obj))

/* Notes the complaint and returns -EINVAL. */
int parse_fail(struct parse *p, const struct value *v, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* V as text, variables replaced, for keys that are written as text, whatever it looks like: "0600",
 * 15, 1000. NULL: complained. Caller frees. */
char *parse_text(struct parse *p, const struct value *v);
/* The same for keys that are strings: a bare number or boolean in a file is a mistake. */
char *parse_string(struct parse *p, const struct value *v);
int parse_check_string(struct parse *p, const struct value *v);	/* 0, or complained */
/* V for keys that are no strings: when V is a string with variables, *TMP gets the bare value that
 * they make. Returns V or TMP; NULL: complained. value_fini(TMP) in any case. */
const struct value *parse_plain(struct parse *p, const struct value *v, struct value *tmp);
/* The text of V, without its first SKIP bytes, as words of a command line, each with its variables
 * replaced. */
int parse_words(struct parse *p, const struct value *v, size_t skip, struct strlist *out);
int parse_choice(struct parse *p, const struct value *v, const char *text,
		 const struct enumtext *choices, unsigned only);

#endif
