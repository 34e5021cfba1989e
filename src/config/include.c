/* Include patterns. They must be known while files are still being read, so they are parsed here,
 * ahead of all other values. The globs are kept: a file that comes to match one is a change. */
#include "config/include.h"

#include "base/alloc.h"
#include "config/type.h"

static int include_key(const struct candidate *c)
{
	struct schema_key key;

	BUG_ON(schema_find(&c->index, "", "include", 7, &key) < 0);
	return key.key;
}

bool include_take(struct candidate *c, int file, struct setting *out)
{
	struct setting *s = scope_find(&c->top, include_key(c));

	if (s == NULL || s->kind != ORIGIN_FILE || s->file != file)
		return false;
	*out = *s;
	*s = c->top.settings[--c->top.n];
	return true;
}

void include_done(struct candidate *c, int file, struct setting *s)
{
	if (file == 0)
		*scope_add(&c->top) = *s;
	else
		value_fini(&s->value);
}

/* What stands behind the last wildcard of a NAME tells whether it can be that of a *.toml. */
static bool may_be_toml(const char *name)
{
	static const char toml[] = ".toml";
	const char *end = name;
	size_t n, common;

	for (const char *at = name; *at != '\0'; at++)
		if (strchr("*?[]\\", *at) != NULL)
			end = at + 1;
	n = strlen(end);
	common = MIN(n, sizeof(toml) - 1);
	return (end != name || n > common) &&
	       strcmp(end + n - common, toml + sizeof(toml) - 1 - common) == 0;
}

/* What an include may not be. NULL: fine. */
static const char *fault_of(const char *pattern)
{
	const char *name = strrchr(pattern, '/');

	name = name != NULL ? name + 1 : pattern;
	if (pattern[0] == '~')
		return "'~' is not expanded here; write the directory itself";
	if (name[0] == '.')
		return "hidden files are not included";
	if (!may_be_toml(name))
		return "only files that end in .toml are included";
	return NULL;
}

/* PATH with the characters that glob(3) would interpret protected. */
static void glob_escape(const char *path, struct strbuf *out)
{
	for (; *path != '\0'; path++) {
		if (strchr("*?[]\\", *path) != NULL)
			strbuf_addch(out, '\\');
		strbuf_addch(out, *path);
	}
}

static char *absolute_glob(const char *dir, const char *pattern)
{
	struct strbuf glob = STRBUF_INIT;

	if (*pattern != '/') {
		glob_escape(strcmp(dir, "/") == 0 ? "" : dir, &glob);
		strbuf_addch(&glob, '/');
	}
	strbuf_addstr(&glob, pattern);
	return strbuf_detach(&glob);
}

/* The strings of S; an error is reported here and not again with the other values. */
static void read_setting(struct candidate *c, struct setting *s, struct config *into)
{
	struct vars vars = { .environment = environ };
	struct parse p = {
		.o = schema_row(s->key), .key = s->key, .vars = &vars,
		.untyped = s->kind != ORIGIN_FILE, .why = STRBUF_INIT,
	};

	if (p.o->type->parse(&p, &s->value, into) < 0) {
		struct place place = setting_place(c, s, p.line, p.column);

		s->bad = true;
		diag_error(c->diag, &place, "include: %s", p.why.buf);
	}
	strbuf_fini(&p.why);
}

size_t include_patterns(struct candidate *c, struct setting *s, const char *dir,
			struct include_pattern **out)
{
	struct config into = { .include = STRLIST_INIT };
	struct include_pattern *list;
	size_t n = 0;

	read_setting(c, s, &into);
	list = x_calloc(MAX(into.include.n, (size_t)1), sizeof(*list));
	for (size_t i = 0; i < into.include.n; i++) {
		const char *pattern = into.include.items[i], *fault = fault_of(pattern);
		const struct value *v = s->value.kind == VALUE_ARRAY ? &s->value.items[i] :
								       &s->value;
		struct place place = setting_place(c, s, v->line, v->column);

		if (fault != NULL) {
			diag_error(c->diag, &place, "include \"%.80s\": %s", pattern, fault);
			continue;
		}
		list[n++] = (struct include_pattern){
			.glob = absolute_glob(dir, pattern), .relative = *pattern != '/',
			.wild = strpbrk(pattern, "*?[") != NULL, .place = place,
		};
		strlist_add(&c->globs, list[n - 1].glob);
	}
	strlist_fini(&into.include);
	*out = list;
	return n;
}

void include_patterns_free(struct include_pattern *patterns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(patterns[i].glob);
	free(patterns);
}
