/* Where settings come from: files (TOML or JSON, with their includes, or from a bundle), the
 * environment, the command line. Inside the config room only. */
#ifndef CONFIG_SOURCE_H
#define CONFIG_SOURCE_H

#include "config/candidate.h"

/* Read the JSON text of file number FILE into C. */
void source_json(struct candidate *c, int file, const char *text, size_t n);	/* json_source.c */
/* Known DAEMON_* variables; others are left alone. */
void source_environment(struct candidate *c, char *const *environment);
void source_sets(struct candidate *c, const struct strlist *sets, bool any_bytes);

/* Read PATH and what it includes from disk; BUNDLE (may be NULL) receives the text. 0, or an exit
 * code when PATH itself cannot be read. */
int files_read(struct candidate *c, const char *path, struct strbuf *bundle);
/* More globs, from the environment or the command line, relative to the start directory. */
void files_include(struct candidate *c, const struct setting *include, struct strbuf *bundle);
/* The same from a bundle. */
int files_from_bundle(struct candidate *c, const char *bundle, size_t len);

/* A bundle is a sequence of named texts: files under their absolute path; other facts that a later
 * load must not look up again, such as "user:NAME". */
void bundle_add(struct strbuf *bundle, const char *name, const char *text, size_t n);
/* Next entry at *OFFSET; false at the end or when the bundle is damaged (*OFFSET < LEN then). NAME
 * and TEXT point into the bundle; NAME is NUL-terminated. */
bool bundle_next(const char *bundle, size_t len, size_t *offset, const char **name,
		 const char **text, size_t *n);

/* Absolute, owned by the caller; BASE is absolute. */
char *path_absolute(const char *base, const char *path);
char *start_directory(void);

#endif
