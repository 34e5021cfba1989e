/* The option table: one row per key. Everything that concerns all keys is a loop over it: parse,
 * defaults, environment, --set, checks of range and choice, equality, difference, dump, JSON
 * Schema, the key list of the manual and the sample file. Inside the config room only. */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include "config/config.h"
#include "config/part.h"
#include "config/value.h"

enum unit { UNIT_NATURAL, UNIT_MS };	/* how the number of a duration key is meant */

struct option {
	const char *section;		/* "": top level; "subsystem" for all subsystem keys */
	const char *name;
	const struct option_type *type;
	const char *def;		/* as text; NULL: unset */
	const char *def_backoff;	/* with restart = "exponential-backoff"; NULL: as DEF */
	const char *def_oneshot;	/* with type = "oneshot" */
	const char *def_words;		/* for people, when the default is computed */
	uint32_t at;			/* its place: config/part.h */
	int index;			/* signal number or rlimit, where the type needs one */
	int64_t min, max;		/* numbers, durations and sizes */
	const struct enumtext *choices;
	unsigned only;			/* mask of the choices allowed; 0: all */
	enum reload_class reload;
	const char *lacks;		/* the configure option that would make it work; NULL: works */
	struct {
		const char *name;
		enum unit unit;
	} alias;
	const char *help;		/* one sentence */
};

extern const struct option schema[];
extern const size_t schema_n;		/* all rows */
extern const size_t schema_top_n;	/* the first rows are not of [subsystem] */
/* The rows of [subsystem] whose values PART holds, NULL behind the last. Any thread. */
const struct option *const *schema_of_part(enum option_part part);

/* A key as written. Above schema_n: schema_n + signo, a signal without a row of its own. */
struct schema_key {
	int key;
	enum unit unit;
};
const struct option *schema_row(int key);	/* of any key; signals may share one */
/* "subsystem.NAME.KEY" style path without the name: "logging.level", "work_dir". */
void schema_path(int key, const char *subsystem, struct strbuf *out);
/* Is it a section's name ("" is not)? */
bool schema_has_section(const char *section, size_t len);
/* Names of the sections that begin a table header; for suggestions. */
const char *const *schema_sections(size_t *n);

/* Fast look-up, built once per load. */
struct schema_index {
	struct map *keys;	/* "section.key", aliases and _ms spellings included */
};
void schema_index_init(struct schema_index *x);
void schema_index_fini(struct schema_index *x);
/* 0 and *OUT; -ENOENT unknown key; -EPERM a signal that no action can be bound to. */
int schema_find(const struct schema_index *x, const char *section, const char *key, size_t len,
		struct schema_key *out);
/* The rest of a DAEMON_... name: "LOGGING_LEVEL". DEFAULTS tells that [defaults] is meant. */
int schema_find_env(const struct schema_index *x, const char *name, struct schema_key *out,
		    bool *defaults);
/* Append the spelling in SECTION that is nearest to KEY; false: none is near. */
bool schema_nearest(const char *section, const char *key, struct strbuf *out);
/* Is KEY a key of another section? Its name then ("" for top level), else NULL. */
const char *schema_other_section(const char *section, const char *key);

#endif
