/* The kinds of settings of a unit. Inside the import room only. */
#ifndef IMPORT_SYSTEMD_TAKE_H
#define IMPORT_SYSTEMD_TAKE_H

#include "import/systemd.h"

struct unit_rule {
	const char *section, *key;
	int (*apply)(struct unit *u, const struct unit_rule *rule, const struct directive *d,
		     const char *value);
	const char *to;		/* procd's key, or why there is none */
};

/* D has no counterpart. */
void unit_note(struct unit *u, const struct directive *d, const char *why);

/* Each puts VALUE of D, its specifiers replaced, into U->s under RULE's key, or notes why it
 * cannot. -EINVAL: the import has failed. */
#define TAKE(what)									\
	int unit_take_##what(struct unit *u, const struct unit_rule *rule, const struct directive *d,	\
			     const char *value)
TAKE(text);
TAKE(bool);
TAKE(number);
TAKE(list);
TAKE(time);
TAKE(both_timeouts);
TAKE(signal);
TAKE(size);
TAKE(count);
TAKE(limit);
TAKE(note);
TAKE(type);
TAKE(restart);
TAKE(kill_mode);
TAKE(environment);
TAKE(environment_file);
TAKE(working_dir);
TAKE(stream);
TAKE(exit_codes);
TAKE(scheduling);
TAKE(capabilities);
TAKE(protect_system);
TAKE(dynamic_user);
TAKE(edges);
TAKE(burst);
TAKE(nothing);
TAKE(cpus);
TAKE(credential);
TAKE(directory);
#undef TAKE

#endif
