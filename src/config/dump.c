/* The effective configuration, as a file that would give it again, and as JSON that says where each
 * value came from. */
#include "base/alloc.h"
#include "config/config.h"
#include "config/family.h"
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

/* What stands in the file: subsystems, and families in place of their instances. Begins with two
 * zeros; NULL: that was all. */
struct declared {
	size_t subsystem, family;
	const struct family *f;		/* NULL: no family */
};

static const struct subsystem_options *declared_next(const struct config *c, struct declared *d)
{
	const struct family *f = d->family < c->nfamilies ? &c->families[d->family] : NULL;

	d->f = NULL;
	if (f != NULL && f->first == d->subsystem) {
		d->family++;
		d->subsystem += f->n;
		d->f = f;
		return f->options;
	}
	return d->subsystem < config_declared(c) ? c->subsystems[d->subsystem++] : NULL;
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

static void subsystem_pair(const struct subsystem_options *sub, const struct family *f, int key,
			   struct strbuf *out)
{
	const struct varying *v = f != NULL ? family_varying(f, key) : NULL;

	if (v != NULL)
		strbuf_addf(out, "%s = %s\n", v->name, v->toml);
	else if (is_shown(&schema[key], key, sub))
		pair_toml(schema[key].name, &schema[key], key, sub, out);
}

void config_dump_toml(const struct config *c, struct strbuf *out)
{
	struct toml_dump d = { c, out };
	const struct subsystem_options *sub;
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
	for (struct declared at = { 0 }; (sub = declared_next(c, &at)) != NULL;) {
		strbuf_addf(out, "\n[subsystem.%s]\n", sub->name);
		for (size_t i = schema_top_n; i < schema_n; i++)
			subsystem_pair(sub, at.f, (int)i, out);
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

/* How many there are has an answer also where nobody said it. */
static json_t *instances_json(json_t *leaf)
{
	if (json_is_null(json_object_get(leaf, "value")))
		json_object_set_new(leaf, "value", json_integer(1));
	return leaf;
}

static json_t *subsystem_json(const struct config *c, const struct subsystem_options *sub,
			      const struct family *f)
{
	json_t *table = json_object();

	for (size_t i = schema_top_n; i < schema_n; i++) {
		const struct origin *from = origin_find(sub->origins, sub->norigins, (int)i);
		const struct varying *v = f != NULL ? family_varying(f, (int)i) : NULL;
		json_t *j = leaf(c, from, &schema[i], (int)i, sub);

		if (v != NULL)
			json_object_set(j, "value", v->json);
		if (schema[i].type == &type_instances)
			j = instances_json(j);
		json_object_set_new(table, schema[i].name, j);
	}
	return table;
}

json_t *config_dump_json(const struct config *c)
{
	const struct subsystem_options *sub;
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
	for (struct declared at = { 0 }; (sub = declared_next(c, &at)) != NULL;)
		json_object_set_new(subsystems, sub->name, subsystem_json(c, sub, at.f));
	json_object_set_new(root, "subsystem", subsystems);
	return root;
}
