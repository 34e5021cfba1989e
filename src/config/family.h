/* Subsystems that declare `instances`: one table of the file, NAME@0 ... NAME@n-1 at run time. The
 * instances are subsystems like all others; what they have in common is looked up here. Pure; any
 * thread that may look at the configuration. */
#ifndef CONFIG_FAMILY_H
#define CONFIG_FAMILY_H

#include "base/json.h"
#include "config/options.h"
#include "config/value.h"

#define INSTANCES_MAX 10000		/* of one subsystem */
#define SUBSYSTEMS_MAX 100000		/* with all instances */

/* A value that is not the same in each instance, as it may stand in a file. */
struct varying {
	char *name;		/* of the key, in its spelling */
	int key;
	char *toml;
	json_t *json;
};

struct family {
	char *name;
	uint32_t first, n;	/* NAME@0 is config->subsystems[first] */
	uint32_t declared;	/* how many the file says; N may differ after `procd scale` */
	struct subsystem_options *options;	/* called NAME; where values vary, those of NAME@0 */
	struct varying *varying;
	size_t nvarying;
};

/* NULL: no subsystem of this name declares instances. */
const struct family *family_find(const struct config *config, const char *name);
/* The value of KEY where it varies; NULL: it is the same in all instances. */
const struct varying *family_varying(const struct family *f, int key);

/* What NAME means: one subsystem or instance, or all instances of a subsystem (these may be none).
 * They are N in a row from config->subsystems[*FIRST] on. False: the name is unknown. */
bool config_select(const struct config *config, const char *name, uint32_t *first, uint32_t *n);

/* The place of NAME, a whole name, in config->subsystems; false: it is none of them. */
bool config_position(const struct config *config, const char *name, uint32_t *at);

/* The 12 of "NAME@12", -1 when NAME is no instance's; *BASE_LEN (may be NULL) is the length of what
 * stands before the '@', or of all. */
int instance_number(const char *name, size_t *base_len);

/* --- inside the config room ------------------------------------------------------------------- */

/* Fill families_by_name and by_name. */
void config_index(struct config *config);
void family_fini(struct family *f);
/* Does V hold %i or %n? */
bool value_varies(const struct value *v);
/* V as it may stand in a file, its environment variables replaced. */
void value_format(const struct value *v, char *const *environment, struct strbuf *out);
json_t *value_json(const struct value *v, char *const *environment);

#endif
