/* From text to the frozen wish: gather settings from all sources, give each object its defaults,
 * let every key's type read its setting, resolve, check. Errors are collected all the way, so that
 * one run tells them all. */
#include <config.h>
#include <errno.h>
#include <unistd.h>

#include "base/alloc.h"
#include "config/check.h"
#include "config/config.h"
#include "config/defaults.h"
#include "config/resolve.h"
#include "config/source.h"
#include "config/type.h"

extern char **environ;

/* --- where the file is ---------------------------------------------------------------------- */

static char *user_config(void)
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (geteuid() == 0)
		return NULL;
	if (xdg != NULL && *xdg == '/')
		return x_asprintf("%s/procd/daemon.toml", xdg);
	if (home != NULL && *home == '/')
		return x_asprintf("%s/.config/procd/daemon.toml", home);
	return NULL;
}

char *config_locate(const char *path)
{
	auto_free(freep) char *start = start_directory();
	auto_free(freep) char *user = user_config();
	const char *places[] = { "daemon.toml", user, PROCD_SYSCONFDIR "/procd/daemon.toml" };

	if (path != NULL)
		return path_absolute(start, path);
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (places[i] != NULL && access(places[i], F_OK) == 0)
			return path_absolute(start, places[i]);
	return NULL;
}

/* --- settings into objects ------------------------------------------------------------------ */

/* Let the key's type read S into OBJ; what it complains about becomes an error at its place. */
static void apply(struct candidate *c, struct setting *s, const struct vars *vars, void *obj)
{
	struct parse p = {
		.o = schema_row(s->key),
		.key = s->key,
		.unit = (enum unit)s->unit,
		.vars = vars,
		.untyped = s->kind != ORIGIN_FILE,
		.why = STRBUF_INIT,
	};

	if (s->bad)
		return;
	if (p.o->type->parse(&p, &s->value, obj) < 0) {
		struct place place = setting_place(c, s, p.line, p.column);
		auto_free(strbuf_fini) struct strbuf path = STRBUF_INIT;

		s->bad = true;
		schema_path(s->key, vars->quiet ? NULL : vars->subsystem, &path);
		diag_error(c->diag, &place, "%s: %s", path.buf, p.why.buf);
	}
	strbuf_fini(&p.why);
}

static int by_key(const void *a, const void *b)
{
	const struct setting *x = a, *y = b;

	return (x->key > y->key) - (x->key < y->key);
}

/* In order of the table, because some keys decide how later ones are read. */
static void scope_sort(struct scope *s)
{
	if (s->n > 1)
		qsort(s->settings, s->n, sizeof(*s->settings), by_key);
}

static struct origin origin_of(const struct setting *from)
{
	return (struct origin){
		.key = from->key,
		.kind = from->kind & 3u,
		.file = from->kind == ORIGIN_FILE ? from->file : 0,
		.line = from->kind == ORIGIN_FILE ? (uint32_t)from->line & 0x3fffffffu : 0,
	};
}

/* Of the settings in S and, where S has none, in DEFAULTS (may be NULL). Both are sorted. */
static struct origin *origins_of(const struct scope *s, const struct scope *defaults, uint32_t *n)
{
	uint32_t ndefaults = defaults != NULL ? defaults->n : 0, i = 0, k = 0;
	struct origin *origins;

	*n = 0;
	if (s->n + ndefaults == 0)
		return NULL;
	origins = x_calloc(s->n + ndefaults, sizeof(*origins));
	while (i < s->n || k < ndefaults) {
		bool own = k == ndefaults ||
			   (i < s->n && s->settings[i].key <= defaults->settings[k].key);

		if (own && k < ndefaults && s->settings[i].key == defaults->settings[k].key)
			k++;
		origins[(*n)++] = origin_of(own ? &s->settings[i++] : &defaults->settings[k++]);
	}
	return origins;
}

/* --- subsystems ----------------------------------------------------------------------------- */

struct assembly {
	struct candidate *c;
	struct config *config;
	struct subsystem_options *template;	/* defaults of the table, then of [defaults] */
	int command_key;
};

static bool is_given(const struct assembly *a, const struct scope *s, int key)
{
	return scope_find(s, key) != NULL || scope_find(&a->c->defaults, key) != NULL;
}

/* Defaults that depend on other keys of the same subsystem. */
static void computed_defaults(const struct assembly *a, const struct scope *s,
			      struct subsystem_options *o)
{
	for (size_t key = schema_top_n; key < schema_n; key++)
		if (schema[key].def_oneshot != NULL && o->type == TYPE_ONESHOT &&
		    !is_given(a, s, (int)key))
			default_apply(&schema[key], schema[key].def_oneshot, o);
	for (size_t key = schema_top_n; key < schema_n; key++)
		if (schema[key].def_backoff != NULL && o->restart == RESTART_EXPONENTIAL_BACKOFF &&
		    !is_given(a, s, (int)key))
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
			apply(a->c, &a->c->defaults.settings[i], &vars, o);
	for (uint32_t i = 0; i < s->n; i++)
		apply(a->c, &s->settings[i], &vars, o);
	computed_defaults(a, s, o);
	if (scope_find(s, a->command_key) == NULL)
		command_missing(a, s);
	o->origins = origins_of(s, &a->c->defaults, &o->norigins);
	return o;
}

static int by_name(const void *a, const void *b, void *ctx)
{
	const struct config *config = ctx;
	const uint32_t *x = a, *y = b;

	return strcmp(config->subsystems[*x]->name, config->subsystems[*y]->name);
}

static void assemble_all(struct assembly *a)
{
	struct candidate *c = a->c;
	struct config *config = a->config;
	struct vars vars = { .environment = environ, .quiet = true };
	struct schema_key key;

	BUG_ON(schema_find(&c->index, "subsystem", "command", 7, &key) < 0);
	a->command_key = key.key;
	a->template = subsystem_options_template();
	scope_sort(&c->defaults);
	for (uint32_t i = 0; i < c->defaults.n; i++)
		apply(c, &c->defaults.settings[i], &vars, a->template);
	config->subsystems = x_calloc(MAX(c->nsubsystems, (size_t)1), sizeof(*config->subsystems));
	config->by_name = x_calloc(MAX(c->nsubsystems, (size_t)1), sizeof(*config->by_name));
	for (size_t i = 0; i < c->nsubsystems; i++) {
		config->subsystems[i] = assemble(a, c->subsystems[i]);
		config->by_name[i] = (uint32_t)i;
	}
	config->nsubsystems = c->nsubsystems;
	qsort_r(config->by_name, config->nsubsystems, sizeof(*config->by_name), by_name, config);
	subsystem_options_unref(a->template);
}

/* --- all of it ------------------------------------------------------------------------------ */

static void assemble_top(struct candidate *c, struct config *config)
{
	struct vars vars = { .environment = environ };

	scope_sort(&c->top);
	for (uint32_t i = 0; i < c->top.n; i++)
		apply(c, &c->top.settings[i], &vars, config);
	config->origins = origins_of(&c->top, NULL, &config->norigins);
	config->content_hash = c->hash;
	strlist_copy(&config->files, &c->files);
	strlist_copy(&config->globs, &c->globs);
	config->file = x_strdup(c->files.n > 0 ? c->files.items[0] : "");
}

static int gather_files(struct candidate *c, const struct config_source *source,
			struct strbuf *bundle)
{
	auto_free(freep) char *path = NULL;
	struct place nowhere = { 0 };

	if (source->no_file)
		return 0;
	if (source->bundle != NULL) {
		if (files_from_bundle(c, source->bundle, source->bundle_len) == 0)
			return 0;
		diag_error(c->diag, &nowhere, "the saved configuration is damaged");
		return EXIT_CONFIG;
	}
	path = config_locate(source->path);
	if (path == NULL) {
		diag_error(c->diag, &nowhere, "no configuration file: there is no ./daemon.toml%s "
			   "and no " PROCD_SYSCONFDIR "/procd/daemon.toml; name one with -c FILE",
			   geteuid() == 0 ? "" : ", no ~/.config/procd/daemon.toml");
		return EXIT_NO_CONFIG;
	}
	return files_read(c, source->path != NULL ? source->path : path, bundle);
}

static void gather_others(struct candidate *c, const struct config_source *source,
			  struct strbuf *bundle)
{
	struct schema_key key;
	const struct setting *include;

	source_environment(c, environ);
	if (source->sets != NULL)
		source_sets(c, source->sets);
	BUG_ON(schema_find(&c->index, "", "include", 7, &key) < 0);
	include = scope_find(&c->top, key.key);
	if (include != NULL && include->kind != ORIGIN_FILE)
		files_include(c, include, bundle);
}

static void build(struct candidate *c, const struct config_source *source, struct config *config,
		  struct strbuf *bundle)
{
	struct assembly a = { .c = c, .config = config };
	struct resolve r;

	assemble_top(c, config);
	assemble_all(&a);
	resolve_init(&r, c, source->bundle, source->bundle_len, bundle);
	resolve_top(&r, config);
	for (size_t i = 0; i < config->nsubsystems; i++)
		resolve_subsystem(&r, c->subsystems[i], config->subsystems[i]);
	resolve_fini(&r);
	check_top(c, config);
	check_subsystems(c, config);
	check_edges(c, config);
	check_descriptors(c, config);
}

int config_load(const struct config_source *source, struct config **out, struct config_diag *diag,
		struct strbuf *bundle)
{
	struct candidate c;
	struct config *config = NULL;
	int rc;

	candidate_init(&c, diag);
	rc = gather_files(&c, source, bundle);
	if (rc == 0) {
		gather_others(&c, source, bundle);
		config = config_new();
		build(&c, source, config, bundle);
		if (diag->nerrors > 0)
			rc = EXIT_CONFIG;
	}
	if (rc == 0 && source->bundle != NULL && bundle != NULL)
		strbuf_add(bundle, source->bundle, source->bundle_len);
	candidate_fini(&c);
	diag_sort(diag);
	if (rc == 0)
		*out = take(config);
	config_free(config);
	return rc;
}
