/* Lists: strings, sockets, references, the environment, credentials, exit codes. */
#include "config/type.h"

#include <errno.h>
#include <inttypes.h>

#include "base/alloc.h"
#include "base/map.h"
#include "config/depend.h"
#include "config/listen.h"

/* --- lists of strings: shared verbs --------------------------------------------------------- */

void list_replace(struct strlist *field, struct strlist *list)
{
	strlist_fini(field);
	*field = *list;
	*list = (struct strlist)STRLIST_INIT;
}

int list_add_text(struct parse *p, const struct value *v, struct strlist *out)
{
	char *text = parse_text(p, v);

	if (text == NULL)
		return -EINVAL;
	strlist_take(out, text);
	return 0;
}

int list_add_items(struct parse *p, const struct value *v, struct strlist *out)
{
	strlist_reserve(out, v->n);
	for (size_t i = 0; i < v->n; i++)
		if (list_add_text(p, &v->items[i], out) < 0)
			return -EINVAL;
	return 0;
}

/* Is ITEM, which V says, a good one? 0, or complained. SEEN: names of those before it. */
typedef int (*item_check_fn)(struct parse *p, const struct value *v, const char *item,
			     struct map *seen);

/* An array, or one string that stands for an array of one. */
static int list_parse(struct parse *p, const struct value *v, void *obj, item_check_fn check)
{
	auto_free(strlist_fini) struct strlist list = STRLIST_INIT;
	auto_free(map_fini) struct map seen = MAP_INIT;
	bool many = v->kind == VALUE_ARRAY;

	if (v->kind == VALUE_TABLE)
		return parse_fail(p, v, "expected an array of strings, not a table");
	if ((many ? list_add_items(p, v, &list) : list_add_text(p, v, &list)) < 0)
		return -EINVAL;
	for (size_t i = 0; i < list.n; i++)
		if (check(p, many ? &v->items[i] : v, list.items[i], &seen) < 0)
			return -EINVAL;
	list_replace(FIELD(struct strlist, p->o, obj), &list);
	return 0;
}

static int string_check(struct parse *p, const struct value *v, const char *item, struct map *seen)
{
	(void)seen;
	return *item != '\0' ? 0 : parse_fail(p, v, "must not be empty");
}

static int strings_parse(struct parse *p, const struct value *v, void *obj)
{
	return list_parse(p, v, obj, string_check);
}

bool strings_equal(const struct option *o, const void *a, const void *b)
{
	return strlist_equal(CFIELD(struct strlist, o, a), CFIELD(struct strlist, o, b));
}

void strings_format(const struct option *o, int key, const void *obj, struct strbuf *out)
{
	const struct strlist *list = CFIELD(struct strlist, o, obj);

	(void)key;
	strbuf_addch(out, '[');
	for (size_t i = 0; i < list->n; i++) {
		strbuf_addstr(out, i > 0 ? ", " : "");
		toml_quote(list->items[i], out);
	}
	strbuf_addch(out, ']');
}

json_t *strings_json(const struct option *o, int key, const void *obj)
{
	const struct strlist *list = CFIELD(struct strlist, o, obj);
	json_t *array = json_array();

	(void)key;
	for (size_t i = 0; i < list->n; i++)
		json_array_append_new(array, json_text(list->items[i]));
	return array;
}

void strings_copy(const struct option *o, void *dst, const void *src)
{
	struct strlist *list = FIELD(struct strlist, o, dst);

	*list = (struct strlist)STRLIST_INIT;
	strlist_copy(list, CFIELD(struct strlist, o, src));
}

void strings_clear(const struct option *o, void *obj)
{
	strlist_fini(FIELD(struct strlist, o, obj));
}

const struct option_type type_strings = {
	.name = "array of strings", .shape = SHAPE_STRINGS, .parse = strings_parse, STRINGS_VERBS,
};

/* --- listening sockets ------------------------------------------------------------------------- */

static int listen_check(struct parse *p, const struct value *v, const char *item, struct map *seen)
{
	auto_free(strbuf_fini) struct strbuf why = STRBUF_INIT;

	(void)seen;
	return listen_parse(item, NULL, &why) == 0 ? 0 : parse_fail(p, v, "%s", why.buf);
}

static int listen_list_parse(struct parse *p, const struct value *v, void *obj)
{
	return list_parse(p, v, obj, listen_check);
}

const struct option_type type_listen = {
	.name = "array of sockets", .shape = SHAPE_STRINGS, .parse = listen_list_parse, STRINGS_VERBS,
};

/* --- references to other subsystems ----------------------------------------------------------- */

static enum edge_kind kind_of(const struct option *o)
{
	for (int kind = 0; kind < EDGE_NKINDS; kind++)
		if (strcmp(o->name, enumtext_name(&edge_kind_text, kind)) == 0)
			return (enum edge_kind)kind;
	BUG("a row of type edges that is no kind of edge");
}

static int edge_check(struct parse *p, const struct value *v, const char *item, struct map *seen)
{
	enum edge_kind kind = kind_of(p->o);
	enum condition condition;
	auto_free(freep) char *name = NULL;
	size_t n;

	if (*item == '\0' || *item == ':')
		return parse_fail(p, v, "must be the name of a subsystem");
	if (*item == '@')
		return parse_fail(p, v, "\"%.80s\" is a group; name the subsystems themselves",
				  item);
	if (!edge_split(item, kind, &n, &condition))
		return parse_fail(p, v, "unknown condition \"%.40s\"; known are started, ready, "
				  "healthy, completed, succeeded", item + n + 1);
	if (!edge_is_hard(kind) && strchr(item, ':') != NULL)
		return parse_fail(p, v, "only names, no conditions; conditions belong to "
				  "depends_on and binds_to");
	if (kind == EDGE_BINDS_TO &&
	    (condition == CONDITION_COMPLETED || condition == CONDITION_SUCCEEDED))
		return parse_fail(p, v, "cannot be bound to what has ended; use depends_on for "
				  "\"%s\"", item + n + 1);
	name = x_strndup(item, n);
	if (map_put(seen, name, seen) != NULL)
		return parse_fail(p, v, "\"%.80s\" is there twice", name);
	return 0;
}

static int edges_parse(struct parse *p, const struct value *v, void *obj)
{
	return list_parse(p, v, obj, edge_check);
}

const struct option_type type_edges = {
	.name = "array of names", .shape = SHAPE_STRINGS, .parse = edges_parse, STRINGS_VERBS,
};

/* --- environment ---------------------------------------------------------------------------- */

static int add_table(struct parse *p, const struct value *v, struct strlist *out)
{
	for (size_t i = 0; i < v->n; i++) {
		auto_free(freep) char *text = parse_text(p, &v->items[i]);

		if (text == NULL)
			return -EINVAL;
		if (strchr(v->keys[i].name, '=') != NULL)
			return parse_fail(p, &v->items[i], "the name of a variable must not have "
					  "'=': %.60s", v->keys[i].name);
		strlist_take(out, x_asprintf("%s=%s", v->keys[i].name, text));
	}
	return 0;
}

/* Is it NAME=VALUE with a name that was not there before? */
static int check_variable(struct parse *p, const struct value *v, const char *entry,
			  struct map *seen)
{
	const char *eq = strchr(entry, '=');
	auto_free(freep) char *name = NULL;

	if (eq == NULL || eq == entry)
		return parse_fail(p, v, "expected NAME=VALUE, got '%.60s'", entry);
	name = x_strndup(entry, (size_t)(eq - entry));
	if (strpbrk(name, " \t\n") != NULL)
		return parse_fail(p, v, "the name of a variable must not have blanks");
	if (map_put(seen, name, seen) != NULL)
		return parse_fail(p, v, "the variable %.60s is there twice", name);
	return 0;
}

static int environment_parse(struct parse *p, const struct value *v, void *obj)
{
	auto_free(strlist_fini) struct strlist list = STRLIST_INIT;
	auto_free(map_fini) struct map seen = MAP_INIT;
	bool many = v->kind == VALUE_TABLE || v->kind == VALUE_ARRAY;
	int ret;

	ret = v->kind == VALUE_TABLE ? add_table(p, v, &list) :
	      v->kind == VALUE_ARRAY ? list_add_items(p, v, &list) : list_add_text(p, v, &list);
	for (size_t i = 0; ret == 0 && i < list.n; i++)
		ret = check_variable(p, many ? &v->items[i] : v, list.items[i], &seen);
	if (ret < 0)
		return ret;
	list_replace(FIELD(struct strlist, p->o, obj), &list);
	return 0;
}

static json_t *environment_json(const struct option *o, int key, const void *obj)
{
	const struct strlist *list = CFIELD(struct strlist, o, obj);
	json_t *table = json_object();

	(void)key;
	for (size_t i = 0; i < list->n; i++) {
		const char *eq = strchr(list->items[i], '=');
		auto_free(freep) char *name = x_strndup(list->items[i],
							(size_t)(eq - list->items[i]));

		json_object_set_new(table, name, json_text(eq + 1));
	}
	return table;
}

const struct option_type type_environment = {
	.name = "environment", .shape = SHAPE_ENVIRONMENT, .parse = environment_parse,
	.equal = strings_equal, .format = strings_format, .json = environment_json,
	.copy = strings_copy, .clear = strings_clear,
};

/* --- credentials ---------------------------------------------------------------------------- */

/* "NAME=PATH"; the name becomes one of a file. */
static int check_credential(struct parse *p, const struct value *v, const char *item,
			    struct map *seen)
{
	size_t n = strcspn(item, "=");
	auto_free(freep) char *name = x_strndup(item, n);

	if (item[n] == '\0' || n == 0 || item[n + 1] == '\0')
		return parse_fail(p, v, "expected NAME=PATH, got '%.60s'", item);
	if (n > CREDENTIAL_NAME_MAX || *name == '.' ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != n)
		return parse_fail(p, v, "the name '%.60s' must have letters, digits, _ - and . only, "
				  "at most %d, and not begin with .", name, CREDENTIAL_NAME_MAX);
	if (map_put(seen, name, seen) != NULL)
		return parse_fail(p, v, "the credential %s is there twice", name);
	return 0;
}

static int credentials_parse(struct parse *p, const struct value *v, void *obj)
{
	if (v->kind == VALUE_ARRAY && v->n > CREDENTIALS_MAX)
		return parse_fail(p, v, "more than %d credentials", CREDENTIALS_MAX);
	return list_parse(p, v, obj, check_credential);
}

const struct option_type type_credentials = {
	.name = "array of strings", .shape = SHAPE_STRINGS, .parse = credentials_parse,
	STRINGS_VERBS,
};

/* --- exit codes ----------------------------------------------------------------------------- */

static int ints_parse(struct parse *p, const struct value *v, void *obj)
{
	struct subsystem_policy *policy = policy_write(obj);
	bool many = v->kind == VALUE_ARRAY;
	size_t n = many ? v->n : 1;
	auto_free(freep) int *codes = x_calloc(MAX(n, (size_t)1), sizeof(*codes));

	for (size_t i = 0; i < n; i++) {
		const struct value *item = many ? &v->items[i] : v;

		if (item->kind != VALUE_INT)
			return parse_fail(p, item, "expected an array of integers");
		if (item->integer < p->o->min || item->integer > p->o->max)
			return parse_fail(p, item, "must be between %" PRId64 " and %" PRId64,
					  p->o->min, p->o->max);
		codes[i] = (int)item->integer;
	}
	free(policy->success_exit_codes);
	policy->success_exit_codes = take(codes);
	policy->nsuccess_exit_codes = n;
	return 0;
}

static bool ints_equal(const struct option *o, const void *a, const void *b)
{
	const struct subsystem_options *sa = a, *sb = b;

	(void)o;
	return sa->policy->nsuccess_exit_codes == sb->policy->nsuccess_exit_codes &&
	       memcmp(sa->policy->success_exit_codes, sb->policy->success_exit_codes,
		      sa->policy->nsuccess_exit_codes * sizeof(int)) == 0;
}

static void ints_format(const struct option *o, int key, const void *obj, struct strbuf *out)
{
	const struct subsystem_options *s = obj;

	(void)o, (void)key;
	strbuf_addch(out, '[');
	for (size_t i = 0; i < s->policy->nsuccess_exit_codes; i++)
		strbuf_addf(out, "%s%d", i > 0 ? ", " : "", s->policy->success_exit_codes[i]);
	strbuf_addch(out, ']');
}

static json_t *ints_json(const struct option *o, int key, const void *obj)
{
	const struct subsystem_options *s = obj;
	json_t *array = json_array();

	(void)o, (void)key;
	for (size_t i = 0; i < s->policy->nsuccess_exit_codes; i++)
		json_array_append_new(array, json_integer(s->policy->success_exit_codes[i]));
	return array;
}

static void ints_copy(const struct option *o, void *dst, const void *src)
{
	struct subsystem_policy *to = policy_write(dst);
	const struct subsystem_policy *from = ((const struct subsystem_options *)src)->policy;
	size_t size = MAX(from->nsuccess_exit_codes, (size_t)1) * sizeof(int);

	(void)o;
	to->success_exit_codes = x_malloc(size);
	memcpy(to->success_exit_codes, from->success_exit_codes, size);
}

static void ints_clear(const struct option *o, void *obj)
{
	struct subsystem_policy *policy = policy_write(obj);

	(void)o;
	free(take(policy->success_exit_codes));
	policy->nsuccess_exit_codes = 0;
}

const struct option_type type_ints = {
	.name = "array of integers", .shape = SHAPE_INTS, .parse = ints_parse,
	.equal = ints_equal, .format = ints_format, .json = ints_json, .copy = ints_copy,
	.clear = ints_clear,
};
