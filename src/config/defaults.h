/* What objects hold before anything was given. Inside the config room only. */
#ifndef CONFIG_DEFAULTS_H
#define CONFIG_DEFAULTS_H

#include "config/schema.h"

/* Objects with the defaults of the table. */
struct config *config_new(void);
struct subsystem_options *subsystem_options_template(void);
/* A copy of the template T, called NAME. */
struct subsystem_options *subsystem_options_new(const struct subsystem_options *t,
						const char *name);
/* Give KEY of OBJ the default TEXT. */
void default_apply(const struct option *o, const char *text, void *obj);

#endif
