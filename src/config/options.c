/* The objects that a configuration consists of: made from the defaults of the table, counted,
 * found, and freed. Which fields own memory is the table's knowledge, not this file's. */
#include "config/options.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/own.h"
#include "base/text.h"
#include "config/config.h"
#include "config/defaults.h"
#include "config/family.h"
#include "config/type.h"

ENUMTEXT(restart_policy, "restart policy", [RESTART_NEVER] = "never", [RESTART_ALWAYS] = "always",
	 [RESTART_ON_FAILURE] = "on-failure",
	 [RESTART_EXPONENTIAL_BACKOFF] = "exponential-backoff");
ENUMTEXT(subsystem_type, "type", [TYPE_SERVICE] = "service", [TYPE_ONESHOT] = "oneshot");
ENUMTEXT(kill_mode, "kill mode", [KILL_MODE_GROUP] = "group", [KILL_MODE_PROCESS] = "process");
ENUMTEXT(on_memory_limit, "reaction", [ON_MEMORY_EVENT] = "event",
	 [ON_MEMORY_RESTART] = "restart");
ENUMTEXT(on_unhealthy, "reaction", [ON_UNHEALTHY_RESTART] = "restart",
	 [ON_UNHEALTHY_EVENT] = "event", [ON_UNHEALTHY_STOP] = "stop");
ENUMTEXT(log_format, "log format",
	[LOG_FORMAT_RAW] = "raw", [LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json");

ENUMTEXT(keeper_death, "death mode", [KEEPER_DEATH_KEEP] = "keep", [KEEPER_DEATH_STOP] = "stop");
ENUMTEXT(signal_action, "signal action", [SIGNAL_SHUTDOWN] = "shutdown",
	 [SIGNAL_IMMEDIATE] = "immediate", [SIGNAL_RELOAD] = "reload",
	 [SIGNAL_REOPEN_LOGS] = "reopen-logs", [SIGNAL_DUMP] = "dump",
	 [SIGNAL_FORWARD] = "forward:NAME", [SIGNAL_IGNORE] = "ignore",
	 [SIGNAL_DEFAULT] = "default");
ENUMTEXT(origin_kind, "origin", [ORIGIN_DEFAULT] = "default", [ORIGIN_FILE] = "file",
	 [ORIGIN_ENV] = "env", [ORIGIN_CLI] = "cli");

/* --- defaults ------------------------------------------------------------------------------- */

void default_apply(const struct option *o, const char *text, void *obj)
{
	auto_free(value_fini) struct value v = VALUE_INIT;
	struct parse p = { .o = o, .key = (int)(o - schema), .why = STRBUF_INIT };
	struct value_span span = { .s = text, .n = strlen(text), .line = 1, .column = 1 };
	struct value_error error;

	BUG_ON(value_parse(&span, VALUE_TOML, &v, &error) < 0);
	BUG_ON(o->type->parse(&p, &v, obj) < 0);
	strbuf_fini(&p.why);
}

static void apply_defaults(size_t from, size_t to, void *obj)
{
	for (size_t i = from; i < to; i++) {
		const struct option *o = &schema[i];

		if (o->type->unset != NULL)
			o->type->unset(o, obj);
		if (o->def != NULL)
			default_apply(o, o->def, obj);
	}
}

struct config *config_new(void)
{
	struct config *c = x_calloc(1, sizeof(*c));

	c->control.gid = c->control.read_gid = (gid_t)-1;
	c->events.output_fd = -1;
	apply_defaults(0, schema_top_n, c);
	return c;
}

struct subsystem_options *subsystem_options_template(void)
{
	struct subsystem_options *o = x_calloc(1, sizeof(*o));

	atomic_init(&o->refs, 1);
	parts_new(o);
	apply_defaults(schema_top_n, schema_n, o);
	return o;
}

struct subsystem_options *subsystem_options_new(const struct subsystem_options *t,
						const char *name)
{
	struct subsystem_options *o = x_malloc(sizeof(*o));

	memcpy(o, t, sizeof(*o));
	atomic_init(&o->refs, 1);
	o->name = x_strdup(name);
	parts_share(o);
	for (const struct option *const *row = schema_of_part(PART_OWN); *row != NULL; row++)
		if ((*row)->type->copy != NULL)
			(*row)->type->copy(*row, o, t);
	return o;
}

struct subsystem_options *subsystem_options_unknown(const char *name, enum kill_mode mode,
						    int signo, int64_t stop_timeout_ms)
{
	struct subsystem_options *o = subsystem_options_template();
	struct subsystem_policy *policy = policy_write(o);

	o->name = x_strdup(name);
	strlist_add(&o->command, name);
	policy->kill_mode = mode;
	policy->restart = RESTART_NEVER;
	policy->stop_signal = signo;
	policy->stop_timeout_ms = stop_timeout_ms;
	return o;
}

/* --- life ----------------------------------------------------------------------------------- */

struct subsystem_options *subsystem_options_ref(struct subsystem_options *o)
{
	atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
	return o;
}

void subsystem_options_unref(struct subsystem_options *o)
{
	if (o == NULL || atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (const struct option *const *row = schema_of_part(PART_OWN); *row != NULL; row++)
		if ((*row)->type->clear != NULL)
			(*row)->type->clear(*row, o);
	parts_drop(o);
	free(o->name);
	free(o->origins);
	free(o);
}

uid_t subsystem_uid(const struct subsystem_options *o)
{
	return o->rights->set_ids ? o->rights->uid : geteuid();
}

bool subsystem_inherits(const struct subsystem_options *o, const char *item)
{
	auto_free(freep) char *name = NULL;

	if (o->rights->pass_environment.n == 0)
		return !o->rights->clear_environment;
	name = x_strndup(item, strcspn(item, "="));
	for (size_t i = 0; i < o->rights->pass_environment.n; i++)
		if (glob_match(o->rights->pass_environment.items[i], name))
			return true;
	return false;
}

size_t config_declared(const struct config *config)
{
	size_t n = config->nsubsystems;

	return n > 0 && strcmp(config->subsystems[n - 1]->name, OWN_SUBSYSTEM) == 0 ? n - 1 : n;
}

void config_free(struct config *config)
{
	if (config == NULL)
		return;
	for (size_t i = 0; i < config->nsubsystems; i++)
		subsystem_options_unref(config->subsystems[i]);
	for (size_t i = 0; i < schema_top_n; i++)
		if (schema[i].type->clear != NULL)
			schema[i].type->clear(&schema[i], config);
	for (size_t i = 0; i < config->nfamilies; i++)
		family_fini(&config->families[i]);
	free(config->families);
	free(config->families_by_name);
	free(config->subsystems);
	free(config->by_name);
	free(config->origins);
	strlist_fini(&config->pending);
	free(config->file);
	config_change_free(config->change);
	strlist_fini(&config->files);
	strlist_fini(&config->globs);
	free(config);
}
