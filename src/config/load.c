/* From text to the frozen wish: gather settings from all sources, give each object its defaults,
 * let every key's type read its setting, resolve, check. Errors are collected all the way, so that
 * one run tells them all. */
#include <config.h>
#include <errno.h>
#include <unistd.h>

#include "base/alloc.h"
#include "config/assemble.h"
#include "config/check.h"
#include "config/config.h"
#include "config/defaults.h"
#include "config/http.h"
#include "config/kept.h"
#include "config/resolve.h"
#include "config/scales.h"
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

/* A key of a feature that was not built may say what holds anyhow, and no more. */
static bool asks_too_much(const struct option *o, const void *obj)
{
	bool top = o < schema + schema_top_n, more;
	struct config *config = top ? config_new() : NULL;
	struct subsystem_options *subsystem = top ? NULL : subsystem_options_template();

	more = !o->type->equal(o, obj, top ? (const void *)config : (const void *)subsystem);
	config_free(config);
	subsystem_options_unref(subsystem);
	return more;
}

static int parse_setting(struct parse *p, const struct value *v, void *obj)
{
	int r = p->o->type->parse(p, v, obj);

	if (r < 0 || p->o->lacks == NULL || !asks_too_much(p->o, obj))
		return r;
	return parse_fail(p, v, "this procd was built without it (%s)", p->o->lacks);
}

void setting_apply(struct candidate *c, struct setting *s, const struct vars *vars, void *obj)
{
	auto_free(freep) char *subsystem = NULL;
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
	if (parse_setting(&p, &s->value, obj) < 0) {
		struct place place = setting_place(c, s, p.line, p.column);
		auto_free(strbuf_fini) struct strbuf path = STRBUF_INIT;

		s->bad = true;
		if (!vars->quiet && vars->subsystem != NULL)
			subsystem = x_strndup(vars->subsystem, strcspn(vars->subsystem, "@"));
		schema_path(s->key, subsystem, &path);
		diag_error(c->diag, &place, "%s: %s", path.buf, p.why.buf);
		/* complaints about the type of a value, and those only, begin so */
		if (strncmp(p.why.buf, "expected ", 9) == 0)
			diag_code(c->diag, ERROR_CONFIG_TYPE);
	}
	strbuf_fini(&p.why);
}

static int by_key(const void *a, const void *b)
{
	const struct setting *x = a, *y = b;

	return (x->key > y->key) - (x->key < y->key);
}

void scope_sort(struct scope *s)
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

struct origin *origins_of(const struct scope *s, const struct scope *defaults, uint32_t *n)
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

/* --- all of it ------------------------------------------------------------------------------ */

static void assemble_top(struct candidate *c, struct config *config)
{
	struct vars vars = { .environment = environ };

	scope_sort(&c->top);
	for (uint32_t i = 0; i < c->top.n; i++)
		setting_apply(c, &c->top.settings[i], &vars, config);
	config->origins = origins_of(&c->top, NULL, &config->norigins);
	config->content_hash = c->hash;
	config->nmapped = c->nmapped;
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
		source_sets(c, source->sets, source->no_file);
	BUG_ON(schema_find(&c->index, "", "include", 7, &key) < 0);
	include = scope_find(&c->top, key.key);
	if (include != NULL && include->kind != ORIGIN_FILE)
		files_include(c, include, bundle);
}

static void build(struct candidate *c, const struct config_source *source, struct config *config,
		  struct strbuf *bundle)
{
	auto_free(freep) char *saved = source->kept == NULL && source->bundle != NULL ?
		kept_read(source->bundle, source->bundle_len) : NULL;
	const char *kept = source->kept != NULL ? source->kept : saved;
	struct resolve r;

	assemble_top(c, config);
	resolve_init(&r, c, source->bundle, source->bundle_len, bundle);
	resolve_top(&r, config);
	if (kept != NULL) {
		check_start(c, config);
		kept_apply(kept, &r, config);
	}
	c->own = http_scope(c, config);
	assemble_subsystems(c, config);
	resolve_subsystems(&r, config);
	resolve_fini(&r);
	check_top(c, config);
	check_subsystems(c, config);
	check_edges(c, config);
	check_listen(c, config);
	check_descriptors(c, config);
	check_owners(c);
}

int config_load(const struct config_source *source, struct config **out, struct config_diag *diag,
		struct strbuf *bundle)
{
	auto_free(scales_fini) struct scales saved = SCALES_INIT;
	struct candidate c;
	struct config *config = NULL;
	int rc;

	candidate_init(&c, diag);
	if (source->bundle != NULL)
		scales_read(source->bundle, source->bundle_len, &saved);
	c.scales = source->scales != NULL ? source->scales : &saved;
	rc = gather_files(&c, source, bundle);
	if (rc == 0) {
		gather_others(&c, source, bundle);
		config = config_new();
		build(&c, source, config, bundle);
		if (diag->nerrors > 0)
			rc = EXIT_CONFIG;
	}
	if (rc == 0 && bundle != NULL)
		scales_write(config, bundle);
	if (rc == 0 && bundle != NULL && source->bundle == NULL)
		kept_save(config, bundle);
	if (rc == 0 && source->bundle != NULL && bundle != NULL)
		scales_skip(source->bundle, source->bundle_len, bundle);
	candidate_fini(&c);
	diag_sort(diag);
	if (rc == 0)
		*out = take(config);
	config_free(config);
	return rc;
}
