/* What was given, from all sources, before it is believed: settings in scopes. A later source
 * replaces an earlier one (file < environment < command line), key by key; within the files a later
 * file does. Inside the config room only. */
#ifndef CONFIG_CANDIDATE_H
#define CONFIG_CANDIDATE_H

#include "base/map.h"
#include "config/issue.h"
#include "config/schema.h"

struct setting {
	uint16_t key;
	uint16_t file;		/* index into candidate.files; for ORIGIN_FILE */
	uint8_t kind;		/* enum origin_kind */
	uint8_t unit;		/* enum unit */
	bool bad;		/* its error was reported already */
	int line, column;	/* of the key */
	const char *label;	/* how the command line or environment named it */
	struct value value;
};

struct scope {
	char *name;		/* of a subsystem; NULL: top level or [defaults] */
	struct setting *settings;
	uint32_t n, cap;
	int file, line, column;	/* where it was first named; file -1: not in a file */
	const char *label;
	int header_file;	/* the file whose header was seen last, -1: none */
	int header_line;
	bool misspelt;		/* its command, probably: that was complained about */
	bool unresolved;	/* something about its names or paths was complained about */
};

struct candidate {
	struct config_diag *diag;
	struct schema_index index;
	struct scope top, defaults;
	struct subsystem_options *plain;	/* what the table says and nobody changed */
	struct scope **subsystems;	/* in order of appearance */
	size_t nsubsystems, cap;
	struct scope *own;		/* of procd's own subsystem (config/http.h); NULL: none */
	struct scope **owners;		/* of each of config.subsystems: where its values stand */
	struct map by_name;
	struct map headers;		/* "FILE SECTION": line of the header */
	struct strlist files;		/* absolute names of the files read */
	uint32_t nmapped;		/* of them by config/map_file */
	struct strlist shown;		/* the same as the user knows them */
	struct strlist globs;		/* absolute include patterns of all files */
	struct strlist labels;		/* owns what settings name */
	uint64_t hash;
	bool saved;			/* from a bundle: what is on disk now does not matter */
	const struct scales *scales;	/* numbers of instances ordered instead of declared */
};
void candidate_init(struct candidate *c, struct config_diag *diag);
void candidate_fini(struct candidate *c);

/* Note that the file PATH, which the user knows as SHOWN, holds TEXT. Returns its number. */
int candidate_file(struct candidate *c, const char *path, const char *shown, const char *text,
		   size_t n);

/* Where something stands. For ORIGIN_FILE: FILE, LINE, COLUMN; else LABEL. */
struct source_point {
	enum origin_kind kind;
	int file, line, column;
	const char *label;
};
struct place candidate_place(const struct candidate *c, const struct source_point *at);
/* Where item number AT of the list KEY of subsystem number NODE was written. */
struct place item_of_list_place(const struct candidate *c, uint32_t node, int key, size_t at);
struct place setting_place(const struct candidate *c, const struct setting *s, int line,
			   int column);

/* The table that pairs belong to. */
struct target {
	const char *section;	/* of the option table; NULL: unknown, pairs are ignored */
	struct scope *scope;
	bool top_alias;		/* [daemon] */
};
void candidate_top(struct candidate *c, struct target *out);
/* "[NAME]": reports what is wrong with it. A second header of one name in a file is an error. NAME
 * is NULL when the header was reported already. */
void candidate_section(struct candidate *c, const char *name, size_t len,
		       const struct source_point *at, struct target *out);
/* KEY = VALUE in T. Takes what VALUE holds. A dotted key reaches into a section. */
void candidate_put(struct candidate *c, const struct target *t, const char *key, size_t len,
		   struct value *value, const struct source_point *at);
/* KEY has a value in T that was reported as an error: what would follow from its absence is no
 * news. */
void candidate_put_bad(struct candidate *c, const struct target *t, const char *key, size_t len,
		       const struct source_point *at);
/* The same for a key that was looked up already; NAME is for messages. */
void candidate_put_key(struct candidate *c, struct scope *scope, const char *name,
		       const struct schema_key *k, struct value *value,
		       const struct source_point *at);
/* "a.b.c" from the top: "name", "logging.level", "subsystem.NAME.command". Takes VALUE. */
void candidate_put_path(struct candidate *c, const char *path, size_t len, struct value *value,
			const struct source_point *at);

struct setting *scope_find(const struct scope *s, int key);
/* The same for the first key that fills the field at AT (config/part.h). */
struct setting *scope_find_at(const struct scope *s, uint32_t at);
struct setting *scope_add(struct scope *s);	/* to be filled; others may have moved */

#endif
