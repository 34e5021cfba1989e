/* Can the program that a subsystem starts with load an object by LD_PRELOAD? The dynamic loader
 * says nothing when it does not: a static program has none, and a privileged one's ignores the
 * variable. */
#ifndef CONFIG_PRELOAD_H
#define CONFIG_PRELOAD_H

#include "base/enumtext.h"
#include "config/options.h"

/* The PATH of a child that is given none. */
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum preload_verdict {
	PRELOAD_FINE,		/* also where it cannot be told: the start will */
	PRELOAD_NO_OBJECT,	/* the object is not there */
	PRELOAD_STATIC,
	PRELOAD_PRIVILEGED,	/* set-user-ID, set-group-ID, file capabilities */
	PRELOAD_FOREIGN,	/* of another architecture or C library */
	PRELOAD_COUNT
};
extern const struct enumtext preload_verdict_text;	/* sentences for people */

/* Of the program that COMMAND names: a path, meant from DIR (NULL: the current directory), or a
 * name to look for in PATH ("DIR:DIR..."). Follows "#!". O says with whose rights it will run. May
 * block: not on the main thread. */
enum preload_verdict preload_check(const char *command, const char *dir, const char *path,
				   const struct subsystem_options *o);
/* The object NAME: beside this executable, or where it was installed. NULL: neither. The caller
 * frees it. May block. */
char *preload_object(const char *name);

#endif
