/* Subsystems from their tables. Each begins as a copy of [defaults]. One that declares `instances`
 * is read once, like all others; its instances are copies, in which only the values with %i or %n
 * are read again. So a mistake is told once, however many there are. */
#include "config/assemble.h"

#include "base/alloc.h"
#include "config/config.h"
#include "config/defaults.h"
#include "config/family.h"
#include "config/scales.h"
#include "config/type.h"

extern char **environ;

struct assembly {
	struct candidate *c;
	struct config *config;
	struct subsystem_options *template;	/* defaults of the table, then of [defaults] */
	int command_key, instances_key;
	size_t cap;			/* of config->subsystems and c->owners */
};

static int key_of(const struct candidate *c, const char *name)
{
	struct schema_key key;

	BUG_ON(schema_find(&c->index, "subsystem", name, strlen(name), &key) < 0);
	return key.key;
}

/* Of S, or else of [defaults]; NULL: not given. */
static struct setting *given(const struct assembly *a, const struct scope *s, int key)
{
	struct setting *own = scope_find(s, key);

	return own != NULL ? own : scope_find(&a->c->defaults, key);
}

/* Defaults that depend on other keys of the same subsystem. */
static void computed_defaults(const struct assembly *a, const struct scope *s,
			      struct subsystem_options *o)
{
	for (size_t key = schema_top_n; key < schema_n && o->type == TYPE_ONESHOT; key++)
		if (schema[key].def_oneshot != NULL && given(a, s, (int)key) == NULL)
			default_apply(&schema[key], schema[key].def_oneshot, o);
	if (o->policy->restart != RESTART_EXPONENTIAL_BACKOFF)
		return;
	for (size_t key = schema_top_n; key < schema_n; key++)
		if (schema[key].def_backoff != NULL && given(a, s, (int)key) == NULL)
			default_apply(&schema[key], schema[key].def_backoff, o);
}

static void command_missing(const struct assembly *a, const struct scope *s)
{
	struct source_point at = {
		.kind = s->file >= 0 ? ORIGIN_FILE : ORIGIN_CLI,
		.file = s->file, .line = s->line, .column = s->column, .label = s->label,
	};
	struct place place = candidate_place(a->c, &at);

	diag_error(a->c->diag, &place, "subsystem \"%s\" has no command; say what to run with "
		   "command = \"...\"", s->name);
}

static struct subsystem_options *assemble(const struct assembly *a, struct scope *s)
{
	struct subsystem_options *o = subsystem_options_new(a->template, s->name);
	struct vars vars = { .environment = environ, .subsystem = s->name };

	scope_sort(s);
	/* what [defaults] says with variables means something else for each subsystem */
	for (uint32_t i = 0; i < a->c->defaults.n; i++)
		if (a->c->defaults.settings[i].value.variables)
			setting_apply(a->c, &a->c->defaults.settings[i], &vars, o);
	for (uint32_t i = 0; i < s->n; i++)
		setting_apply(a->c, &s->settings[i], &vars, o);
	if (subsystem_is_periodic(o))
		o->type = TYPE_ONESHOT;	/* check_subsystems() complains where that was denied */
	computed_defaults(a, s, o);
	if (scope_find(s, a->command_key) == NULL && !s->misspelt)
		command_missing(a, s);
	o->origins = origins_of(s, &a->c->defaults, &o->norigins);
	return o;
}

/* Nothing of [defaults] is meant for it. */
static struct subsystem_options *assemble_own(const struct assembly *a, struct scope *s)
{
	struct subsystem_options *plain = subsystem_options_template();
	struct subsystem_options *o = subsystem_options_new(plain, s->name);
	struct vars vars = { .environment = environ, .subsystem = s->name };

	scope_sort(s);
	for (uint32_t i = 0; i < s->n; i++)
		setting_apply(a->c, &s->settings[i], &vars, o);
	subsystem_options_unref(plain);
	return o;
}

/* Takes O. */
static void add(struct assembly *a, struct scope *s, struct subsystem_options *o)
{
	size_t n = a->config->nsubsystems++;

	if (n == a->cap) {
		a->cap = MAX(a->cap * 2, (size_t)16);
		a->config->subsystems = x_reallocarray(a->config->subsystems, a->cap, sizeof(o));
		a->c->owners = x_reallocarray(a->c->owners, a->cap, sizeof(s));
	}
	if (n > 0)
		parts_join(o, a->config->subsystems[n - 1]);
	a->config->subsystems[n] = o;
	a->c->owners[n] = s;
}

/* --- instances ------------------------------------------------------------------------------ */

/* What S's instances differ in, in order of the table. */
static struct setting **varying_settings(const struct assembly *a, const struct scope *s, size_t *n)
{
	struct setting **list = x_calloc(schema_n - schema_top_n, sizeof(*list));

	*n = 0;
	for (size_t key = schema_top_n; key < schema_n; key++) {
		struct setting *set = given(a, s, (int)key);

		if (set != NULL && (int)key != a->instances_key && value_varies(&set->value))
			list[(*n)++] = set;
	}
	return list;
}

static void keep_varying(struct family *f, struct setting *const *settings, size_t n)
{
	f->varying = x_calloc(MAX(n, (size_t)1), sizeof(*f->varying));
	f->nvarying = n;
	for (size_t i = 0; i < n; i++) {
		const struct setting *s = settings[i];
		auto_free(strbuf_fini) struct strbuf toml = STRBUF_INIT;

		value_format(&s->value, environ, &toml);
		f->varying[i] = (struct varying){
			.key = s->key,
			.name = x_asprintf("%s%s", schema[s->key].name,
					   s->unit == UNIT_MS ? "_ms" : ""),
			.toml = strbuf_detach(&toml),
			.json = value_json(&s->value, environ),
		};
	}
}

static struct subsystem_options *instance_new(const struct assembly *a, const struct family *f,
					      uint32_t number, struct setting *const *varying)
{
	auto_free(freep) char *name = x_asprintf("%s@%u", f->name, number);
	struct subsystem_options *o = subsystem_options_new(f->options, name);
	struct vars vars = { .environment = environ, .subsystem = name, .instance = number };

	for (size_t i = 0; i < f->nvarying; i++)
		setting_apply(a->c, varying[i], &vars, o);
	if (o->norigins > 0) {
		o->origins = x_calloc(o->norigins, sizeof(*o->origins));
		memcpy(o->origins, f->options->origins, o->norigins * sizeof(*o->origins));
	}
	return o;
}

/* Not more than procd can have. */
static uint32_t count_instances(const struct assembly *a, const struct scope *s, uint32_t n)
{
	const struct setting *set = given(a, s, a->instances_key);
	struct place place = setting_place(a->c, set, set->value.line, set->value.column);

	if (a->config->nsubsystems + n <= SUBSYSTEMS_MAX)
		return n;
	diag_error(a->c->diag, &place, "subsystem.%s.instances: with these there are more than %d "
		   "subsystems in all", s->name, SUBSYSTEMS_MAX);
	return 0;
}

/* Takes O, which says what S declares. */
static void add_family(struct assembly *a, struct scope *s, struct subsystem_options *o)
{
	struct config *config = a->config;
	auto_free(freep) struct setting **varying = NULL;
	struct family *f;
	size_t n;

	config->families = x_reallocarray(config->families, config->nfamilies + 1,
					  sizeof(*config->families));
	f = &config->families[config->nfamilies++];
	*f = (struct family){
		.name = x_strdup(s->name), .first = (uint32_t)config->nsubsystems, .options = o,
		.declared = (uint32_t)o->instances,
	};
	f->n = count_instances(a, s, scales_number(a->c->scales, f->name, f->declared));
	varying = varying_settings(a, s, &n);
	keep_varying(f, varying, n);
	for (uint32_t i = 0; i < f->n; i++)
		add(a, s, instance_new(a, f, i, varying));
}

/* --- all of them ---------------------------------------------------------------------------- */

void assemble_subsystems(struct candidate *c, struct config *config)
{
	struct assembly a = {
		.c = c, .config = config, .template = subsystem_options_template(),
		.command_key = key_of(c, "command"), .instances_key = key_of(c, "instances"),
	};
	struct vars vars = { .environment = environ, .quiet = true };

	scope_sort(&c->defaults);
	for (uint32_t i = 0; i < c->defaults.n; i++)
		setting_apply(c, &c->defaults.settings[i], &vars, a.template);
	for (size_t i = 0; i < c->nsubsystems; i++) {
		struct subsystem_options *o = assemble(&a, c->subsystems[i]);

		if (o->instances > 0)
			add_family(&a, c->subsystems[i], o);
		else
			add(&a, c->subsystems[i], o);
	}
	if (c->own != NULL)
		add(&a, c->own, assemble_own(&a, c->own));
	config_index(config);
	subsystem_options_unref(a.template);
}
