/* What `include` says, before the files behind it are read. Inside the config room only. */
#ifndef CONFIG_INCLUDE_H
#define CONFIG_INCLUDE_H

#include "config/candidate.h"

/* Each file has its own include setting. Take that of FILE, just read, out of C, so that it does
 * not meet the ones of the files it names; false: FILE has none. */
bool include_take(struct candidate *c, int file, struct setting *out);
/* Afterwards: the main file's goes back as the configuration's, others are dropped. */
void include_done(struct candidate *c, int file, struct setting *s);

/* One pattern of S with variables replaced, absolute: DIR (escaped for glob(3)) is put in front of
 * a relative one. */
struct include_pattern {
	char *glob;
	bool relative;		/* to DIR */
	bool wild;		/* may match nothing */
	struct place place;
};
/* Report what is wrong with the patterns of S, and fill *OUT (N of them; include_patterns_free())
 * with the rest. They are noted in C->globs, too. */
size_t include_patterns(struct candidate *c, struct setting *s, const char *dir,
			struct include_pattern **out);
void include_patterns_free(struct include_pattern *patterns, size_t n);

#endif
