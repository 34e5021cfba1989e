/* Two formats whose files are much alike: process-compose, whose processes are processes, and
 * compose, whose services are containers. */
#include "import/compose.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/units.h"
#include "import/formats.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

int compose_fail(struct compose *x, const struct value *v, const char *key, const char *what)
{
	return import_fail(x->im, x->path, tree_line(v != NULL ? v : x->service),
			   "%s: \"%.60s\" is not %s", key, tree_shown(v), what);
}

/* ${NAME:-default}, ${NAME-default}: a default without signs of its own; ${NAME:?message}. */
static const char *add_braced(const char *p, struct strbuf *out)
{
	const char *name = p + 2, *close = strchr(p, '}'), *after;
	size_t n = strspn(name, letters);
	int skip;

	if (close == NULL || n == 0 || (*name >= '0' && *name <= '9'))
		return NULL;
	after = name + n;
	skip = *after == ':' ? 2 : 1;
	strbuf_addf(out, "%c{%.*s:-", MARK_DOLLAR, (int)n, name);
	if (after < close && after[skip - 1] == '-')
		strbuf_add(out, after + skip, (size_t)(close - after - skip));
	strbuf_addch(out, '}');
	return close + 1;
}

void compose_expand(const char *text, struct strbuf *out)
{
	for (const char *p = text; *p != '\0';) {
		size_t n = *p == '$' && !(p[1] >= '0' && p[1] <= '9') ? strspn(p + 1, letters) : 0;
		const char *next = p[0] == '$' && p[1] == '{' ? add_braced(p, out) : NULL;

		if (next != NULL) {
			p = next;
		} else if (n > 0) {
			strbuf_addf(out, "%c{%.*s:-}", MARK_DOLLAR, (int)n, p + 1);
			p += 1 + n;
		} else {
			strbuf_addch(out, *p);
			p += p[0] == '$' && p[1] == '$' ? 2 : 1;
		}
	}
}

static int add_variable(struct compose *x, const struct value *at, const char *name, size_t n,
			const char *text, bool expand)
{
	auto_free(strbuf_fini) struct strbuf value = STRBUF_INIT;

	if (expand)
		compose_expand(text, &value);
	else
		strbuf_addstr(&value, text);
	return import_variable(x->s, name, n, value.buf) ? 0 :
	       import_fail(x->im, x->path, tree_line(at), "environment: \"%.60s\" is no name", name);
}

int compose_environment(struct compose *x, const struct value *v, bool expand)
{
	if (v == NULL)
		return 0;
	if (v->kind != VALUE_TABLE && v->kind != VALUE_ARRAY)
		return compose_fail(x, v, "environment", "a list or a mapping");
	for (size_t i = 0; i < v->n; i++) {
		const char *text = tree_text(&v->items[i]),
			   *eq = text != NULL ? strchr(text, '=') : NULL;
		const char *name = v->kind == VALUE_TABLE ? v->keys[i].name : NULL;

		if (v->items[i].kind == VALUE_NULL || (name == NULL && text != NULL && eq == NULL))
			continue;	/* handed through, as all are */
		if (text == NULL)
			return compose_fail(x, &v->items[i], "environment", "a text");
		if (add_variable(x, &v->items[i], name != NULL ? name : text,
				 name != NULL ? strlen(name) : (size_t)(eq - text),
				 name != NULL ? text : eq + 1, expand) < 0)
			return -EINVAL;
	}
	return 0;
}

int compose_duration(struct compose *x, const struct value *v, const char *key, const char *to)
{
	int64_t ms;

	if (v == NULL)
		return 0;
	if (tree_text(v) == NULL || duration_parse(v->text, &ms) < 0)
		return compose_fail(x, v, key, "a duration");
	import_ms(x->s, to, ms);
	return 0;
}

bool compose_is_variable(struct compose *x, const struct value *v, const char *key)
{
	const char *text = tree_text(v);
	auto_free(freep) char *what = text != NULL ? x_asprintf("%s = %s", key, text) : NULL;

	if (text == NULL || strchr(text, '$') == NULL)
		return false;
	import_note(x->s, tree_line(v), what, "only texts may hold variables");
	return true;
}

int compose_number(struct compose *x, const struct value *table, const char *key, long *out)
{
	const struct value *v = tree_get(table, key);
	const char *text = tree_text(v);
	char *end = NULL;

	if (v == NULL || compose_is_variable(x, v, key))
		return 1;
	*out = text != NULL ? strtol(text, &end, 10) : 0;
	if (text == NULL || end == text || *end != '\0' || *out < 0 || *out > 100000000)
		return compose_fail(x, v, key, "a number");
	return 0;
}

static const struct {
	const char *there, *here;
} conditions[] = {
	{ "process_started", "started" }, { "service_started", "started" }, { "process_healthy", "ready" },
	{ "service_healthy", "healthy" }, { "process_log_ready", "ready" },
	{ "process_completed", "completed" }, { "process_completed_successfully", "succeeded" },
	{ "service_completed_successfully", "succeeded" },
};

static int add_edge(struct compose *x, const char *name, const struct value *table)
{
	const char *condition = tree_text(tree_get(table, "condition"));
	bool required = tree_bool(tree_get(table, "required"), true);

	for (size_t i = 0; condition != NULL && i < ARRAY_LEN(conditions); i++)
		if (strcmp(conditions[i].there, condition) == 0) {
			import_edge(x->s, "depends_on", name, conditions[i].here, tree_line(table));
			if (conditions[i].here[1] == 'o' || conditions[i].here[1] == 'u')
				strlist_add(&x->ended, name);
			return 0;
		}
	if (condition != NULL)
		return compose_fail(x, tree_get(table, "condition"), "condition", "a condition");
	import_edge(x->s, required ? "depends_on" : "wants", name, required ? "started" : NULL,
		    tree_line(table));
	return 0;
}

int compose_depends_on(struct compose *x)
{
	const struct value *v = tree_get(x->service, "depends_on");

	if (v != NULL && v->kind != VALUE_TABLE && v->kind != VALUE_ARRAY)
		return compose_fail(x, v, "depends_on", "a list or a mapping");
	for (size_t i = 0; v != NULL && i < v->n; i++) {
		const char *name =
			v->kind == VALUE_TABLE ? v->keys[i].name : tree_text(&v->items[i]);

		if (name == NULL)
			return compose_fail(x, &v->items[i], "depends_on", "a name");
		if (add_edge(x, name, &v->items[i]) < 0)
			return -EINVAL;
	}
	return 0;
}

int compose_text(struct compose *x, const char *key, const char *to)
{
	const struct value *v = tree_get(x->service, key);
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	if (v == NULL)
		return 0;
	if (tree_text(v) == NULL)
		return compose_fail(x, v, key, "a text");
	compose_expand(v->text, &text);
	import_text_value(x->s, to, text.buf);
	return 0;
}

void compose_note_others(struct compose *x, const struct value *table, const char *const *known)
{
	for (size_t i = 0; table != NULL && i < table->n; i++) {
		auto_free(freep) char *what = x_asprintf("%s = %s", table->keys[i].name,
							 tree_shown(&table->items[i]));
		const char *const *k = known;

		while (*k != NULL && strcmp(*k, table->keys[i].name) != 0)
			k++;
		if (*k == NULL && !(table->items[i].kind == VALUE_BOOL && !table->items[i].boolean))
			import_note(x->s, table->keys[i].line, what, "procd has nothing like it");
	}
}

/* A process that others wait for the end of is a oneshot. When all services are there. */
static void set_oneshots(struct compose *x)
{
	for (size_t i = 0; i < x->ended.n; i++) {
		struct import_service *s = import_find(x->im, x->ended.items[i]);

		if (s != NULL)
			import_text_value(s, "type", "oneshot");
	}
}

/* --- the file ---------------------------------------------------------------------------------- */

static int read_all(struct compose *x, const struct value *all,
		    int (*one)(struct compose *x, const char *name))
{
	for (size_t i = 0; i < all->n; i++) {
		const char *name = all->keys[i].name;

		x->service = &all->items[i];
		if (x->service->kind != VALUE_TABLE)
			return import_fail(x->im, x->path, all->keys[i].line,
					   "%.60s: has to be a mapping", name);
		x->s = import_add(x->im, name, name, x->path, all->keys[i].line);
		if (x->s == NULL)
			return -EINVAL;
		import_origin(x->s, "%s", name);
		if (one(x, name) < 0)
			return -EINVAL;
	}
	set_oneshots(x);
	return 0;
}

int import_compose(struct import *im, const char *path)
{
	struct value root = VALUE_INIT;
	struct compose x = { .im = im, .path = path, .dir = import_dir_of(path), .root = &root };
	size_t n = strlen(path);
	bool json = n > 5 && strcmp(path + n - 5, ".json") == 0;
	int r = json ? tree_read_json(im, path, &root) : tree_read_yaml(im, path, &root);

	if (r == 0) {
		const struct value *processes = tree_get(&root, "processes");
		const struct value *services = tree_get(&root, "services");
		const struct value *all = processes != NULL ? processes : services;

		if (all == NULL || all->kind != VALUE_TABLE)
			r = import_fail(im, path, tree_line(all),
					"there is no mapping called processes "
					"(process-compose) or services (compose)");
		else
			r = read_all(&x, all,
				     processes != NULL ? compose_process : compose_container);
	}
	value_fini(&root);
	strlist_fini(&x.ended);
	free(x.dir);
	return r;
}
