/* The config room's public face: load, dump, compare, describe.
 *
 * Bad input never yields a config: every error of every file is collected with file, line and
 * column. Loading may block (files, name service): loader thread, or a process without a loop. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/error.h"
#include "base/json.h"
#include "config/options.h"

struct scales;

/* One message about the configuration. */
struct config_issue {
	char *file;		/* NULL: command line or environment */
	int line, column;	/* 0: none */
	char *message;
	enum error_code code;
	bool warning;
};
struct config_diag {
	struct config_issue *issues;
	size_t n, cap;
	size_t nerrors;
};
#define CONFIG_DIAG_INIT { 0 }
void config_diag_fini(struct config_diag *d);
/* "FILE:LINE:COL: message" lines, errors only or all. */
void config_diag_print(const struct config_diag *d, bool with_warnings, struct strbuf *out);
/* Of the first error. */
enum error_code config_diag_code(const struct config_diag *d);
/* [{"file","line","column","message"}] of the errors, or of the warnings. */
json_t *config_diag_json(const struct config_diag *d, bool warnings);

/* What to load. */
struct config_source {
	const char *path;		/* main file, as given; NULL: the default places */
	const struct strlist *sets;	/* --set SECTION.KEY=VALUE; may be NULL */
	const char *bundle;		/* file text saved by an earlier load: read from here, not
					 * from disk; NULL otherwise */
	size_t bundle_len;
	bool no_file;			/* `procd run -- CMD`: no file at all, sets only */
	const char *kept;		/* config/kept.h: values that stay as they are; NULL: those
					 * of the bundle, if any */
	const struct scales *scales;	/* numbers of instances ordered by `procd scale`; NULL:
					 * those of the bundle, if any */
};

/* Parse, resolve and check. 0: *OUT is frozen and the caller's. Otherwise an exit code and DIAG
 * tells: EXIT_NO_CONFIG (missing file or a directory), EXIT_PERMISSION (unreadable), EXIT_CONFIG.
 * BUNDLE, when not NULL, receives the text of all files read, for a later load without the disk.
 * Never logs. */
int config_load(const struct config_source *source, struct config **out, struct config_diag *diag,
		struct strbuf *bundle);

/* Append the text of a file as if an earlier load had saved it: a load of BUNDLE then reads NAME,
 * an absolute path, without the disk. */
void config_bundle(struct strbuf *bundle, const char *name, const char *text, size_t n);

/* Names of DAEMON_* variables of this process that are no known keys: likely typos, for a debug
 * line. */
void config_unknown_variables(struct strlist *out);

/* The path that config_load() would read, absolute (caller frees); NULL when there is none.
 * Looks only at names, not into files. */
char *config_locate(const char *path);

/* Effective values as a valid daemon.toml, and as the nested JSON of interface 5. */
void config_dump_toml(const struct config *c, struct strbuf *out);
json_t *config_dump_json(const struct config *c);

/* From the option table alone: JSON Schema, commented daemon.toml with every key, mdoc key tables,
 * for `procd schema|sample|mdoc-keys` (hidden verbs used by the build). */
json_t *config_schema_json(void);
void config_sample_toml(struct strbuf *out);
void config_mdoc_keys(struct strbuf *out);
/* complete.c: what TYPED, the beginning of a --set argument, can become: one call of EACH for every
 * "section.key=" or, behind the '=', every value of a key with a choice. */
void config_complete(const char *typed, void (*each)(void *ctx, const char *word, const char *help),
		     void *ctx);

/* --- difference ---------------------------------------------------------------------------- */

enum reload_class { RELOAD_LIVE, RELOAD_RESTART, RELOAD_PROCD };

struct config_diff {
	struct strlist added, removed;
	struct strlist restarted;	/* at least one key of class restart differs */
	struct strlist updated;		/* only live keys differ */
	struct strlist needs_procd_restart;	/* "control.socket", ... */
	struct strlist settings;	/* live keys of procd's own: "logging.level", ... */
	bool equal;			/* nothing differs at all */
};
void config_diff(const struct config *old, const struct config *new, struct config_diff *out);
void config_diff_fini(struct config_diff *d);
json_t *config_diff_json(const struct config_diff *d);
/* The object of `plan --json`: the difference, and, where a key differs, "keys": [{"name", "key",
 * "class": "live"|"restart"|"procd"}], without "name" for those of procd itself. No values: they
 * may be secrets. */
json_t *config_plan_json(const struct config *old, const struct config *new);
/* What publishing a configuration will change. */
struct config_change {
	uint64_t from;			/* the generation that it was compared with */
	struct config_diff diff;
	bool links;			/* some subsystem of it refers to others */
	bool listens;			/* some have sockets */
};
void config_change_free(struct config_change *change);	/* NULL is fine */
/* All that has to be known of each subsystem before NEW follows OLD, which is published:
 * NEW->change. For every subsystem of NEW that equals its namesake in OLD, NEW's copy is dropped
 * and OLD's is shared, so that "unchanged" is a pointer comparison; the others get their
 * generation. Loader thread, in a read section; or main thread. */
void config_compare(const struct config *old, struct config *new);
/* For every subsystem of NEW that has a namesake in OLD: share OLD's options, whatever NEW says.
 * For what changes how many there are and nothing else. */
void config_share_namesakes(const struct config *old, struct config *new);

#endif
