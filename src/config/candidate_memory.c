/* What a candidate consists of: scopes with their settings, the files read, where things stand. */
#include "config/candidate.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "config/defaults.h"

void candidate_init(struct candidate *c, struct config_diag *diag)
{
	*c = (struct candidate){
		.diag = diag, .top = { .file = -1, .header_file = -1 },
		.defaults = { .file = -1, .header_file = -1 },
		.hash = HASH_START,
	};
	c->plain = subsystem_options_template();
	schema_index_init(&c->index);
}

static void scope_fini(struct scope *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		value_fini(&s->settings[i].value);
	free(s->settings);
	free(s->name);
}

void candidate_fini(struct candidate *c)
{
	scope_fini(&c->top);
	scope_fini(&c->defaults);
	subsystem_options_unref(c->plain);
	for (size_t i = 0; i < c->nsubsystems; i++) {
		scope_fini(c->subsystems[i]);
		free(c->subsystems[i]);
	}
	free(c->subsystems);
	if (c->own != NULL)
		scope_fini(c->own);
	free(c->own);
	free(c->owners);
	map_fini(&c->by_name);
	map_fini(&c->headers);
	strlist_fini(&c->files);
	strlist_fini(&c->shown);
	strlist_fini(&c->globs);
	strlist_fini(&c->labels);
	schema_index_fini(&c->index);
}

int candidate_file(struct candidate *c, const char *path, const char *shown, const char *text,
		   size_t n)
{
	strlist_add(&c->files, path);
	strlist_add(&c->shown, shown);
	c->hash = hash_add(c->hash, path, strlen(path) + 1);
	c->hash = hash_add(c->hash, text, n);
	return (int)c->files.n - 1;
}

struct place candidate_place(const struct candidate *c, const struct source_point *at)
{
	bool file = at->kind == ORIGIN_FILE && at->file >= 0;

	return (struct place){
		.file = file ? c->shown.items[at->file] : NULL,
		.label = file ? NULL : at->label, .line = file ? at->line : 0, .column = at->column,
	};
}

struct place setting_place(const struct candidate *c, const struct setting *s, int line,
			   int column)
{
	struct source_point at = {
		.kind = (enum origin_kind)s->kind, .file = s->file, .line = line,
		.column = column, .label = s->label,
	};

	return candidate_place(c, &at);
}

struct setting *scope_find(const struct scope *s, int key)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->settings[i].key == key)
			return &s->settings[i];
	return NULL;
}

struct setting *scope_find_at(const struct scope *s, uint32_t at)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (schema_row(s->settings[i].key)->at == at)
			return &s->settings[i];
	return NULL;
}

struct place item_of_list_place(const struct candidate *c, uint32_t node, int key, size_t at)
{
	const struct setting *s = scope_find(c->owners[node], key);
	const struct value *v;

	if (s == NULL)
		s = scope_find(&c->defaults, key);
	if (s == NULL)
		return (struct place){ 0 };
	v = s->value.kind == VALUE_ARRAY && at < s->value.n ? &s->value.items[at] : &s->value;
	return setting_place(c, s, v->line, v->column);
}

struct setting *scope_add(struct scope *s)
{
	if (s->n == s->cap) {
		s->cap = s->cap != 0 ? s->cap * 2 : 4;
		s->settings = x_reallocarray(s->settings, s->cap, sizeof(*s->settings));
	}
	return &s->settings[s->n++];
}
