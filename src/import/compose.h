/* What process-compose and compose have in common. Inside the import room only. */
#ifndef IMPORT_COMPOSE_H
#define IMPORT_COMPOSE_H

#include "import/tree.h"

struct compose {
	struct import *im;
	const char *path;
	char *dir;
	const struct value *root;
	const struct value *service;	/* its table */
	struct import_service *s;
	struct strlist ended;		/* those that somebody waits for the end of */
};

int compose_fail(struct compose *x, const struct value *v, const char *key, const char *what);
/* Append TEXT: $NAME, ${NAME}, ${NAME:-default} become procd's; $$ is a dollar. */
void compose_expand(const char *text, struct strbuf *out);
/* A list of NAME=VALUE, or a table. NULL is fine. */
int compose_environment(struct compose *x, const struct value *v, bool expand);
/* "1m30s", 10, "500ms". */
int compose_duration(struct compose *x, const struct value *v, const char *key, const char *to);
/* V is to be a number and is a variable: noted. */
bool compose_is_variable(struct compose *x, const struct value *v, const char *key);
/* KEY of TABLE, not below 0. 1: it is not there or a variable, and *OUT is as it was. */
int compose_number(struct compose *x, const struct value *table, const char *key, long *out);
/* depends_on: a list of names, or a table of conditions. */
int compose_depends_on(struct compose *x);
int compose_text(struct compose *x, const char *key, const char *to);
/* A note for each key of TABLE that is not in KNOWN, which ends at NULL. */
void compose_note_others(struct compose *x, const struct value *table, const char *const *known);

int compose_process(struct compose *x, const char *name);	/* process_compose.c */
int compose_container(struct compose *x, const char *name);	/* containers.c */

#endif
