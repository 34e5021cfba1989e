/* What the parts of the systemd reader share. Inside the import room only. */
#ifndef IMPORT_SYSTEMD_H
#define IMPORT_SYSTEMD_H

#include "import/files.h"

struct directive {
	char *section, *key, *value;
	char *file;
	int line;
	bool taken;		/* a rule knows it */
};

struct unit {
	struct import *im;
	char *path;		/* of its file */
	char *name;		/* "web@blue.service" */
	char *prefix;		/* "web" */
	char *instance;		/* "blue"; NULL: no template, or nobody said which */
	bool one_of_many;	/* what cannot run is left out, not a failure */
	bool number;		/* a template whose instances are procd's */
	struct directive *lines;
	size_t n, cap;
	struct import_service *s;
	uint64_t bounding, ambient;	/* capabilities, so far */
};

/* The one that counts; NULL: none, or the last one is empty. */
struct directive *unit_find(const struct unit *u, const char *section, const char *key);

void unit_fini(struct unit *u);

/* --- what lies beside it ----------------------------------------------------------------------- */

bool unit_is_beside(const struct unit *u, const char *name);
/* The name of the file that is U's but for the end (".timer"), or its template's; NULL: there is
 * none. The caller's. */
char *unit_sibling(const struct unit *u, const char *end);
/* Fill X, the caller's to unit_fini() in any case, with NAME beside U; its notes and settings are
 * U's. -EINVAL: the import has failed. */
int unit_read(struct unit *x, const struct unit *u, const char *name);
/* What starts U besides itself. -EINVAL: the import has failed. */
int unit_timer(struct unit *u);
int unit_sockets(struct unit *u);

/* --- values ------------------------------------------------------------------------------------ */

/* Append TEXT with its specifiers replaced, marked. -EINVAL: the import has failed. */
int unit_expand(struct unit *u, const struct directive *d, const char *text, struct strbuf *out);
/* TEXT as words: quotes, escapes, no specifiers yet. *REST (may be NULL) is set behind a ";" that
 * stands alone. -EINVAL: the import has failed. */
int unit_words(struct unit *u, const struct directive *d, const char *text, struct strlist *out,
	       const char **rest);
/* "1min 30s", "infinity" (*OUT is -1), 90. False: it is none. */
bool unit_duration(const char *text, long long *ms);
bool unit_bool(const char *text, bool *out);
/* "4K", "infinity" (-1). False: it is none. */
bool unit_size(const char *text, long long *out);

/* --- commands ---------------------------------------------------------------------------------- */

/* KEY = all lines of the unit that set EXEC ("ExecStart"), in order; as words, where that is one
 * without variables, else as a script. What several of them mean depends on KEY no further: each
 * has to succeed. */
int unit_commands(struct unit *u, const char *exec, const char *key);

/* The directories that the system would make before the start: a oneshot that does, on which U->s
 * depends. -EINVAL: the import has failed. */
int unit_directories(struct unit *u);

/* Everything that is in U, into U->s. */
int unit_settings(struct unit *u);

#endif
