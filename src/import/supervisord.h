/* What the two halves of the supervisord reader share. Inside the import room only. */
#ifndef IMPORT_SUPERVISORD_H
#define IMPORT_SUPERVISORD_H

#include "import/files.h"

struct sup_pair {
	char *key, *value;
	int line;
};
struct sup_section {
	char *name;		/* "program:web" */
	char *file;
	int line;
	struct sup_pair *pairs;
	size_t n, cap;
	char *group;		/* of [group:...] that names it; NULL: none */
	long priority;
	struct import_service **services;	/* what became of it */
	size_t nservices;
};

struct supervisord {
	struct import *im;
	char *here;			/* directory of the main file */
	struct sup_section *sections;
	size_t n, cap;
	struct strlist environment;	/* of [supervisord], expanded and marked */
	const struct sup_section *daemon;	/* [supervisord], may be NULL */
};

/* What %(...)s may stand for. */
struct sup_vars {
	const char *program, *group;
	long number;		/* process_num; -1: none, or it is left to procd (VARYING) */
	bool varying;
	bool now;		/* %(ENV_X)s is replaced at once, not when procd starts */
};

const struct sup_pair *sup_find(const struct sup_section *s, const char *key);
/* Append VALUE, marked. -EINVAL: the import has failed at LINE. */
int sup_expand(struct supervisord *x, const struct sup_vars *vars, const char *file, int line,
	       const char *value, struct strbuf *out);
/* KEY="value",KEY2=value into S, or into LIST when S is NULL. */
int sup_environment(struct supervisord *x, const char *file, int line, const char *text,
		    struct import_service *s, struct strlist *list);
bool sup_bool(const char *text, bool *out);

/* Make the services of a [program:...] or [fcgi-program:...]. */
int sup_program(struct supervisord *x, struct sup_section *section, const char *program);

#endif
