/* Collecting settings: names are matched against the option table here, values are not looked at
 * yet. So one pass over each source finds every unknown, misplaced or doubled name, and what a
 * value means is decided once, by the source that wins. */
#include "config/candidate.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/own.h"
#include "base/signame.h"
#include "base/text.h"

/* --- sections ------------------------------------------------------------------------------- */

void candidate_top(struct candidate *c, struct target *out)
{
	*out = (struct target){ .section = "", .scope = &c->top };
}

static bool name_is_valid(const char *name, size_t len)
{
	if (len == 0 || len > 64)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z') ||
		      (name[i] >= '0' && name[i] <= '9') || name[i] == '_' || name[i] == '.' ||
		      name[i] == '-'))
			return false;
	return true;
}

static struct scope *subsystem_scope(struct candidate *c, const char *name, size_t len,
				     const struct source_point *at)
{
	struct scope *s = map_find_n(&c->by_name, name, len);

	if (s != NULL)
		return s;
	s = x_calloc(1, sizeof(*s));
	s->name = x_strndup(name, len);
	s->file = at->kind == ORIGIN_FILE ? at->file : -1;
	s->line = at->line;
	s->column = at->column;
	s->label = at->label;
	s->header_file = -1;
	map_put(&c->by_name, s->name, s);
	if (c->nsubsystems == c->cap) {
		c->cap = c->cap != 0 ? c->cap * 2 : 16;
		c->subsystems = x_reallocarray(c->subsystems, c->cap, sizeof(*c->subsystems));
	}
	c->subsystems[c->nsubsystems++] = s;
	return s;
}

static void target_subsystem(struct candidate *c, const char *name, size_t len,
			     const struct source_point *at, struct target *out)
{
	struct place place = candidate_place(c, at);

	if (len == strlen(OWN_SUBSYSTEM) && strncmp(name, OWN_SUBSYSTEM, len) == 0)
		diag_error(c->diag, &place, OWN_SUBSYSTEM " is procd's own; [http] says how it is "
			   "run");
	else if (name_is_valid(name, len))
		*out = (struct target){ .section = "subsystem",
					.scope = subsystem_scope(c, name, len, at) };
	else if (len == 0)
		diag_error(c->diag, &place, "a subsystem needs a name: [subsystem.NAME]");
	else
		diag_error(c->diag, &place, "'%.*s' is not a name for a subsystem: 1 to 64 "
			   "letters, digits, '_', '-' and '.' are",
			   (int)MIN(len, (size_t)80), name);
}

static void unknown_section(struct candidate *c, const char *name, size_t head, size_t len,
			    const struct source_point *at)
{
	struct place place = candidate_place(c, at);
	auto_free(freep) char *word = x_strndup(name, head);
	size_t n, shown = MIN(len, (size_t)80);
	const char *const *known = schema_sections(&n);
	const char *near = text_nearest(word, known, n);

	if (len == 0)
		diag_error(c->diag, &place, "the name of the table is missing");
	else if (schema_has_section(name, head))
		diag_error(c->diag, &place, "there are no tables below [%s]", word);
	else if (near != NULL)
		diag_error(c->diag, &place, "unknown table [%.*s]; did you mean [%s%.*s]?",
			   (int)shown, name, near, (int)(shown - MIN(head, shown)), name + head);
	else
		diag_error(c->diag, &place, "unknown table [%.*s]; a subsystem is written "
			   "[subsystem.%.*s]", (int)shown, name, (int)shown, name);
}

static bool is_subsystems(const char *name, size_t len)
{
	return (len == 9 && strncmp(name, "subsystem", 9) == 0) ||
	       (len == 7 && strncmp(name, "program", 7) == 0);
}

static void resolve_section(struct candidate *c, const char *name, size_t len,
			    const struct source_point *at, struct target *out)
{
	size_t head = 0, n;
	const char *const *known = schema_sections(&n);
	const char *rest;

	*out = (struct target){ 0 };
	while (head < len && name[head] != '.' && name[head] != ':')
		head++;
	rest = name + MIN(head + 1, len);
	while (rest < name + len && (*rest == ' ' || *rest == '\t'))
		rest++;
	while (head > 0 && (name[head - 1] == ' ' || name[head - 1] == '\t'))
		head--;
	if (is_subsystems(name, head)) {
		target_subsystem(c, rest, (size_t)(name + len - rest), at, out);
		return;
	}
	for (size_t i = 0; head == len && i < n; i++) {
		if (strlen(known[i]) != len || strncmp(known[i], name, len) != 0)
			continue;
		*out = (struct target){ .section = known[i], .scope = &c->top };
		if (strcmp(known[i], "defaults") == 0)
			*out = (struct target){ .section = "subsystem", .scope = &c->defaults };
		if (strcmp(known[i], "daemon") == 0)
			*out = (struct target){ .section = "", .scope = &c->top,
						.top_alias = true };
		return;
	}
	unknown_section(c, name, head, len, at);
}

/* One table of a name per file, by a header or as NAME = { ... }. The pairs of a second one are not
 * looked at: each of them could only be told to be there twice, too. */
static bool check_header(struct candidate *c, const struct target *t,
			 const struct source_point *at)
{
	struct place place = candidate_place(c, at);
	auto_free(freep) char *id = NULL;
	uintptr_t line;

	if (t->scope->name != NULL) {
		if (t->scope->header_file == at->file) {
			diag_error(c->diag, &place, "the table [subsystem.%s] is there twice; the "
				   "first is in line %d", t->scope->name, t->scope->header_line);
			return false;
		}
		t->scope->header_file = at->file;
		t->scope->header_line = at->line;
		return true;
	}
	id = x_asprintf("%d %s %d", at->file, t->section, t->scope == &c->defaults);
	line = (uintptr_t)map_find(&c->headers, id);
	if (line != 0)
		diag_error(c->diag, &place, "the table [%s] is there twice; the first is in "
			   "line %d", t->scope == &c->defaults ? "defaults" :
			   t->top_alias ? "daemon" : t->section, (int)line);
	else
		map_put(&c->headers, id, (void *)(uintptr_t)at->line);
	return line == 0;
}

void candidate_section(struct candidate *c, const char *name, size_t len,
		       const struct source_point *at, struct target *out)
{
	*out = (struct target){ 0 };
	if (name == NULL)
		return;
	resolve_section(c, name, len, at, out);
	if (out->section != NULL && !check_header(c, out, at))
		*out = (struct target){ 0 };
}

/* --- keys ----------------------------------------------------------------------------------- */

static void unknown_key(struct candidate *c, const struct target *t, const char *key,
			const struct place *place)
{
	auto_free(strbuf_fini) struct strbuf near = STRBUF_INIT;
	bool is_near = schema_nearest(t->section, key, &near);

	t->scope->misspelt |= is_near && strcmp(near.buf, "command") == 0;
	const char *other = schema_other_section(t->section, key);
	const char *table = t->scope == &c->defaults ? "defaults" : t->section;
	size_t n;
	const char *const *sections = schema_sections(&n);
	const char *near_section = text_nearest(key, sections, n);	/* { "subsystems": ... } */

	if (other != NULL && *other == '\0')
		diag_error(c->diag, place, "'%s' is a top-level key; move it up, above the first "
			   "[table]", key);
	else if (is_near)
		diag_error(c->diag, place, "unknown key '%.80s'; did you mean '%s'?", key,
			   near.buf);
	else if (other != NULL)
		diag_error(c->diag, place, "unknown key '%s' here; it belongs to [%s%s]", key,
			   other, strcmp(other, "subsystem") == 0 ? ".NAME" : "");
	else if (*table == '\0' && near_section != NULL)
		diag_error(c->diag, place, "unknown key '%.80s'; did you mean '%s'?", key,
			   near_section);
	else if (*table == '\0')
		diag_error(c->diag, place, "unknown key '%.80s' at the top level", key);
	else
		diag_error(c->diag, place, "unknown key '%.80s' in [%s%s]", key, table,
			   t->scope->name != NULL ? ".NAME" : "");
}

static void refuse_key(struct candidate *c, const struct target *t, const char *key, int why,
		       const struct source_point *at)
{
	struct place place = candidate_place(c, at);

	if (why == -EPERM) {
		diag_error(c->diag, &place, "%s %s", key, signame_parse(key) == SIGCHLD ?
			   "tells procd of its children and has no other use" :
			   "cannot be caught by any program");
		diag_code(c->diag, ERROR_SIGNAL_REGISTER);
	} else if (why == 0) {
		diag_error(c->diag, &place, "'command' has no default; it belongs to each "
			   "[subsystem.NAME]");
	} else {
		unknown_key(c, t, key, &place);
	}
}

static bool find_key(struct candidate *c, const struct target *t, const char *key, size_t len,
		     const struct source_point *at, struct schema_key *out)
{
	int ret = schema_find(&c->index, t->section, key, len, out);
	auto_free(freep) char *word = NULL;

	if (ret == 0 && (t->scope != &c->defaults ||
			 strcmp(schema_row(out->key)->name, "command") != 0))
		return true;
	word = x_strndup(key, len);
	refuse_key(c, t, word, ret, at);
	return false;
}

static void twice(struct candidate *c, const struct setting *old, const char *key, size_t len,
		  const struct source_point *at)
{
	struct place place = candidate_place(c, at);
	const struct option *o = schema_row(old->key);

	if (strlen(o->name) == len && strncmp(o->name, key, len) == 0 && at->kind == ORIGIN_FILE)
		diag_error(c->diag, &place, "the key '%s' is there twice; the first is in line %d",
			   o->name, old->line);
	else if (at->kind == ORIGIN_FILE)
		diag_error(c->diag, &place, "'%.*s' is another spelling of '%s', which is given "
			   "already in line %d", (int)len, key, o->name, old->line);
	else
		diag_error(c->diag, &place, "'%s' is given already by %s", o->name, old->label);
}

/* Does the new setting come from the very same place as the old one, so that they contradict? */
static bool same_source(const struct setting *old, const struct source_point *at)
{
	if (old->kind != at->kind)
		return false;
	if (at->kind == ORIGIN_FILE)
		return old->file == at->file;
	/* On the command line the last one wins, but two spellings contradict each other. */
	return at->kind == ORIGIN_ENV || strcmp(old->label, at->label) != 0;
}

static void store(struct scope *s, struct setting *slot, struct schema_key k, struct value *value,
		  const struct source_point *at)
{
	if (slot != NULL && slot->kind > at->kind) {
		value_fini(value);
		return;
	}
	if (slot != NULL) {
		value_fini(&slot->value);
	} else {
		slot = scope_add(s);
	}
	*slot = (struct setting){
		.key = (uint16_t)k.key, .file = (uint16_t)MAX(at->file, 0),
		.kind = (uint8_t)at->kind, .unit = (uint8_t)k.unit, .line = at->line,
		.column = at->column, .label = at->label, .value = *value,
	};
	*value = (struct value)VALUE_INIT;
}

static void put_key(struct candidate *c, struct scope *s, struct schema_key k, const char *name,
		    size_t len, struct value *value, const struct source_point *at)
{
	struct setting *old = scope_find(s, k.key);

	if (old == NULL || !same_source(old, at)) {
		store(s, old, k, value, at);
		return;
	}
	twice(c, old, name, len, at);
	value_fini(value);
}

static void put_table(struct candidate *c, const struct target *t, struct value *table,
		      const struct source_point *at)
{
	bool first = t->section != NULL && (at->kind != ORIGIN_FILE || check_header(c, t, at));

	for (size_t i = 0; first && i < table->n; i++) {
		struct source_point inner = *at;

		inner.line = table->keys[i].line;
		inner.column = table->keys[i].column;
		candidate_put(c, t, table->keys[i].name, strlen(table->keys[i].name),
			      &table->items[i], &inner);
	}
	value_fini(table);
}

/* NAME = { ... } below `subsystem`. */
static void put_subsystem(struct candidate *c, const char *name, size_t len, struct value *table,
			  const struct source_point *at)
{
	struct place place = candidate_place(c, at);
	struct target t = { 0 };

	if (table->kind == VALUE_TABLE)
		target_subsystem(c, name, len, at, &t);
	else
		diag_error(c->diag, &place, "expected a table with the keys of the subsystem");
	put_table(c, &t, table, at);
}

/* subsystem = { NAME = { ... }, ... } */
static void put_subsystems(struct candidate *c, struct value *table,
			   const struct source_point *at)
{
	for (size_t i = 0; i < table->n; i++) {
		struct source_point inner = *at;

		inner.line = table->keys[i].line;
		inner.column = table->keys[i].column;
		put_subsystem(c, table->keys[i].name, strlen(table->keys[i].name),
			      &table->items[i], &inner);
	}
	value_fini(table);
}

/* A section's name used as a key: NAME = { ... }. */
static void put_section(struct candidate *c, const char *key, size_t len, struct value *value,
			const struct source_point *at)
{
	struct place place = candidate_place(c, at);
	bool subsystems = is_subsystems(key, len);
	struct target t;

	if (value->kind != VALUE_TABLE) {
		diag_error(c->diag, &place, "'%.*s' is a table; write [%.*s%s]", (int)len, key,
			   (int)len, key, subsystems ? ".NAME" : "");
		value_fini(value);
		return;
	}
	if (subsystems) {
		put_subsystems(c, value, at);
		return;
	}
	resolve_section(c, key, len, at, &t);
	put_table(c, &t, value, at);
}

void candidate_put(struct candidate *c, const struct target *t, const char *key, size_t len,
		   struct value *value, const struct source_point *at)
{
	struct schema_key k;

	if (t->section == NULL || value->kind == VALUE_NULL) {
		value_fini(value);
		return;
	}
	if (t->scope == &c->top && *t->section == '\0' && !t->top_alias) {
		if (schema_has_section(key, len)) {
			put_section(c, key, len, value, at);
			return;
		}
		if (memchr(key, '.', len) != NULL) {
			candidate_put_path(c, key, len, value, at);
			return;
		}
	}
	if (find_key(c, t, key, len, at, &k))
		put_key(c, t->scope, k, key, len, value, at);
	else
		value_fini(value);
}

void candidate_put_bad(struct candidate *c, const struct target *t, const char *key, size_t len,
		       const struct source_point *at)
{
	struct value none = VALUE_INIT;
	struct schema_key k;
	struct setting *old;

	/* (Without an include nothing is included, which needs no more words.) */
	if (t->section == NULL || schema_find(&c->index, t->section, key, len, &k) != 0 ||
	    (*t->section == '\0' && strcmp(schema_row(k.key)->name, "include") == 0))
		return;
	old = scope_find(t->scope, k.key);
	if (old != NULL && same_source(old, at))
		return;
	store(t->scope, old, k, &none, at);
	scope_find(t->scope, k.key)->bad = true;
}

void candidate_put_key(struct candidate *c, struct scope *scope, const char *name,
		       const struct schema_key *k, struct value *value,
		       const struct source_point *at)
{
	put_key(c, scope, *k, name, strlen(name), value, at);
}

/* --- paths ---------------------------------------------------------------------------------- */

void candidate_put_path(struct candidate *c, const char *path, size_t len, struct value *value,
			const struct source_point *at)
{
	const char *first = memchr(path, '.', len), *last = memrchr(path, '.', len);
	struct target t;

	if (first == NULL) {
		candidate_top(c, &t);
		candidate_put(c, &t, path, len, value, at);
		return;
	}
	if (is_subsystems(path, (size_t)(first - path)) && first == last) {
		put_subsystem(c, first + 1, (size_t)(path + len - first - 1), value, at);
		return;
	}
	resolve_section(c, path, (size_t)(last - path), at, &t);
	candidate_put(c, &t, last + 1, (size_t)(path + len - last - 1), value, at);
}
