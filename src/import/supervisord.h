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

/* --- one program: supervisord_program.c and supervisord_decide.c ------------------------------- */

struct program {
	struct supervisord *x;
	const struct sup_section *section;
	struct import_service *s;
	struct sup_vars vars;
	/* what several settings decide together */
	bool redirect, stop_group, kill_group;
	long startsecs, retries;
};

int program_fail(const struct program *p, const struct sup_pair *pair, const char *what);
/* VALUE of PAIR as a number from 0 to MAX. */
int program_read_number(struct program *p, const struct sup_pair *pair, const char *value, long max,
			long *out);
/* The value of KEY, expanded; the caller frees. *OUT is NULL when it is not there. NOW: as
 * sup_vars. */
int program_value(struct program *p, const char *key, bool now, char **out);
int program_number(struct program *p, const char *key, long fallback, long max, long *out);
void program_restarts(struct program *p);
int program_output(struct program *p);
int program_inherit(struct program *p);
/* Is KEY about a file that there is not? */
bool program_is_useless(const struct program *p, const char *key);

/* Make the services of a [program:...] or [fcgi-program:...]. */
int sup_program(struct supervisord *x, struct sup_section *section, const char *program);

#endif
