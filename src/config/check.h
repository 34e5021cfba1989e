/* Rules that concern more than one key, or the world around. Inside the config room only. */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "config/candidate.h"

/* Fills deadlines of [shutdown] that follow from the given ones; reports contradictions. */
void check_top(const struct candidate *c, struct config *config);
/* Of these what can only be wrong at a start of procd. */
void check_start(const struct candidate *c, const struct config *config);
/* Who could connect, and whether he would have to say who he is (http.c). */
void check_http(const struct candidate *c, const struct config *config);
/* Warnings about commands that cannot be found (yet), directories that are missing (yet). */
void check_subsystems(const struct candidate *c, const struct config *config);
/* Names of subsystems that there are not, conditions that never come, cycles. */
void check_edges(const struct candidate *c, const struct config *config);
/* Sockets that two would listen on, and too many of one. */
void check_listen(const struct candidate *c, const struct config *config);
/* Raises this process's limit on open files to what CONFIG needs, and notes that in it; an error
 * where that is too much, a warning where it leaves too little for clients. A saved configuration
 * is never refused. */
void check_descriptors(const struct candidate *c, struct config *config);

/* Warn of files that others than root can change, when root is to obey them (check_owner.c). */
void check_owners(const struct candidate *c);

/* --- check.c: for every rule --------------------------------------------------------------------- */

/* Where S stands; S NULL: nowhere. */
struct place check_place(const struct candidate *c, const struct setting *s);
/* S was given and has been complained of. */
bool check_is_bad(const struct setting *s);
/* The same of what SCOPE, or else [defaults], gives for the key of [subsystem] at AT. */
bool check_bad_in(const struct candidate *c, const struct scope *scope, uint32_t at);
/* The directory that PATH is to be made in, when it is not there, and WHY; NULL: all is well.
 * Caller frees. */
char *check_parent(const char *path, const char **why);

/* --- check_program.c ---------------------------------------------------------------------------- */

/* What was found so far: many subsystems run the same program. Zero but for the first two. */
struct programs {
	const struct config *config;
	bool by_root;		/* who looks is root; asked once, not for each subsystem */
	struct map found, judged;
};
void programs_fini(struct programs *p);
/* The file that a process of O executes for NAME, as long as P; NULL: there is none. */
const char *program_find(struct programs *p, const struct subsystem_options *o, const char *name);
/* Warn at PLACE, once for each PATH, when others than root can change what root executes there. */
void program_warn(struct programs *p, const struct candidate *c, const struct place *place,
		  const char *path);

/* --- check_owner.c ------------------------------------------------------------------------------ */

/* Who but root can write PATH, a file or directory; NULL: nobody, or it is not there. Caller
 * frees. */
char *owner_others(const char *path);

#endif
