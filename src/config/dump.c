/* The effective configuration, as a file that would give it again, and as JSON that says where each
 * value came from. */
#include "base/alloc.h"
#include "config/config.h"
#include "config/type.h"

/* --- TOML ----------------------------------------------------------------------------------- */

static bool is_shown(const struct option *o, int key, const void *obj)
{
	return o->type->is_set == NULL || o->type->is_set(o, key, obj);
}

static void pair_toml(const char *name, const struct option *o, int key, const void *obj,
		      struct strbuf *out)
{
	strbuf_addf(out, "%s = ", name);
	o->type->format(o, key, obj, out);
	strbuf_addch(out, '\n');
}

/* Signals without a row of their own, where one was given: "SIGALRM = ...". */
static void other_signals(const struct config *c,
			  void (*each)(void *ctx, const char *name, int key), void *ctx)
{
	for (uint32_t i = 0; i < c->norigins; i++) {
		auto_free(strbuf_fini) struct strbuf path = STRBUF_INIT;

		if (c->origins[i].key < schema_n)
			continue;
		schema_path(c->origins[i].key, NULL, &path);
		each(ctx, path.buf + strlen("signals."), c->origins[i].key);
	}
}

struct toml_dump {
	const struct config *c;
	struct strbuf *out;
};

static void signal_toml(void *ctx, const char *name, int key)
{
	struct toml_dump *d = ctx;

	pair_toml(name, schema_row(key), key, d->c, d->out);
}

void config_dump_toml(const struct config *c, struct strbuf *out)
{
	struct toml_dump d = { c, out };
	const char *section = "";

	for (size_t i = 0; i < schema_top_n; i++) {
		const struct option *o = &schema[i];

		if (strcmp(o->section, section) != 0) {
			if (strcmp(section, "signals") == 0)
				other_signals(c, signal_toml, &d);
			section = o->section;
			strbuf_addf(out, "\n[%s]\n", section);
		}
		/* the files are all here already */
		if (strcmp(o->name, "include") == 0 && *section == '\0')
			continue;
		if (is_shown(o, (int)i, c))
			pair_toml(o->name, o, (int)i, c, out);
	}
	for (size_t s = 0; s < c->nsubsystems; s++) {
		const struct subsystem_options *sub = c->subsystems[s];

		strbuf_addf(out, "\n[subsystem.%s]\n", sub->name);
		for (size_t i = schema_top_n; i < schema_n; i++)
			if (is_shown(&schema[i], (int)i, sub))
				pair_toml(schema[i].name, &schema[i], (int)i, sub, out);
	}
}

/* --- JSON ----------------------------------------------------------------------------------- */

static const struct origin *origin_find(const struct origin *origins, uint32_t n, int key)
{
	for (uint32_t i = 0; i < n; i++)
		if (origins[i].key == key)
			return &origins[i];
	return NULL;
}

static json_t *leaf(const struct config *c, const struct origin *from, const struct option *o,
		    int key, const void *obj)
{
	json_t *j = json_object();
	bool in_file = from != NULL && from->kind == ORIGIN_FILE;
	int kind = from != NULL ? (int)from->kind : ORIGIN_DEFAULT;

	json_object_set_new(j, "value", is_shown(o, key, obj) ? o->type->json(o, key, obj)
							      : json_null());
	json_object_set_new(j, "origin", json_text(enumtext_name(&origin_kind_text, kind)));
	json_object_set_new(j, "line", in_file ? json_integer(from->line) : json_null());
	json_object_set_new(j, "file", in_file && from->file < c->files.n
			    ? json_text(c->files.items[from->file]) : json_null());
	return j;
}

static json_t *table_of(json_t *root, const char *section)
{
	json_t *table;

	if (*section == '\0')
		return root;
	table = json_object_get(root, section);
	if (table == NULL) {
		table = json_object();
		json_object_set_new(root, section, table);
	}
	return table;
}

struct json_dump {
	const struct config *c;
	json_t *root;
};

static void signal_json(void *ctx, const char *name, int key)
{
	struct json_dump *d = ctx;
	const struct config *c = d->c;

	json_object_set_new(table_of(d->root, "signals"), name,
			    leaf(c, origin_find(c->origins, c->norigins, key), schema_row(key), key,
				 c));
}

json_t *config_dump_json(const struct config *c)
{
	json_t *root = json_object(), *subsystems = json_object();
	struct json_dump d = { c, root };

	for (size_t i = 0; i < schema_top_n; i++) {
		const struct option *o = &schema[i];

		if (strcmp(o->name, "SIGxxx") == 0)
			continue;
		json_object_set_new(table_of(root, o->section), o->name,
				    leaf(c, origin_find(c->origins, c->norigins, (int)i), o, (int)i,
					 c));
	}
	other_signals(c, signal_json, &d);
	for (size_t s = 0; s < c->nsubsystems; s++) {
		const struct subsystem_options *sub = c->subsystems[s];
		json_t *table = json_object();

		for (size_t i = schema_top_n; i < schema_n; i++)
			json_object_set_new(table, schema[i].name,
					    leaf(c, origin_find(sub->origins, sub->norigins,
								(int)i), &schema[i], (int)i, sub));
		json_object_set_new(subsystems, sub->name, table);
	}
	json_object_set_new(root, "subsystem", subsystems);
	return root;
}
