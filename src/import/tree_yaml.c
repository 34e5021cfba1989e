/* YAML, by libyaml, which is loaded when it is needed: it costs nothing to a procd that supervises.
 * An alias becomes a copy of what it means, and copies are counted: neither a bomb nor a cycle of
 * aliases gets far. */
#include "import/tree.h"

#include <errno.h>

#include "config.h"

#if WITH_IMPORT_YAML
#include <dlfcn.h>
#include <yaml.h>

#include "base/alloc.h"

#define FUNCTIONS(X) X(yaml_parser_initialize) X(yaml_parser_delete) X(yaml_parser_set_input_string) \
	X(yaml_parser_load) X(yaml_document_delete) X(yaml_document_get_root_node) \
	X(yaml_document_get_node)

struct library {
	void *handle;
#define FIELD(f) __typeof__(f) *f;
	FUNCTIONS(FIELD)
#undef FIELD
};

struct copying {
	struct import *im;
	const char *path;
	const struct library *yaml;
	yaml_document_t *document;
	size_t n;	/* values made so far */
};

static bool load(struct library *l)
{
	static const char *const names[] = { "libyaml-0.so.2", "libyaml.so" };

	for (size_t i = 0; i < ARRAY_LEN(names) && l->handle == NULL; i++)
		l->handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	if (l->handle == NULL)
		return false;
#define FIND(f)									\
	l->f = (__typeof__(f) *)(uintptr_t)dlsym(l->handle, #f);				\
	if (l->f == NULL)							\
		return false;
	FUNCTIONS(FIND)
#undef FIND
	return true;
}

/* --- copying ----------------------------------------------------------------------------------- */

static int copy(struct copying *c, int index, int depth, struct value *out);

static int line_of(const yaml_node_t *node)
{
	return (int)node->start_mark.line + 1;
}

static int copy_scalar(struct copying *c, const yaml_node_t *node, struct value *out)
{
	const char *text = (const char *)node->data.scalar.value;
	size_t n = node->data.scalar.length;

	for (size_t i = 0; i < n; i++)
		if (((unsigned char)text[i] < ' ' && text[i] != '\n' && text[i] != '\t') ||
		    text[i] == 0x7f)
			return import_fail(c->im, c->path, line_of(node),
					   "the text holds a control character");
	if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
		*out = (struct value){ .kind = VALUE_STRING, .text = x_strndup(text, n) };
		return 0;
	}
	if (n == 0 || strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0)
		*out = (struct value){ .kind = VALUE_NULL };
	else
		value_from_bare(text, out);
	return 0;
}

static int copy_list(struct copying *c, const yaml_node_t *node, int depth, struct value *out)
{
	size_t n = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);

	*out = (struct value){ .kind = VALUE_ARRAY, .items = x_calloc(n + 1, sizeof(struct value)) };
	for (size_t i = 0; i < n; i++) {
		out->items[out->n] = (struct value)VALUE_INIT;
		if (copy(c, node->data.sequence.items.start[i], depth, &out->items[out->n++]) < 0)
			return -EINVAL;
	}
	return 0;
}

static void make_room(struct value *table)
{
	if ((table->n & (table->n - 1)) != 0)	/* it grows at powers of two */
		return;
	table->items = x_reallocarray(table->items, table->n * 2 + 2, sizeof(*table->items));
	table->keys = x_reallocarray(table->keys, table->n * 2 + 2, sizeof(*table->keys));
}

static bool has_key(const struct value *table, const char *key)
{
	for (size_t i = 0; i < table->n; i++)
		if (strcmp(table->keys[i].name, key) == 0)
			return true;
	return false;
}

static int copy_pair(struct copying *c, const char *name, int line, int value, int depth,
		     struct value *out)
{
	if (out->n == TREE_KEYS_MAX)
		return import_fail(c->im, c->path, line,
				   "these are more than %d keys of one mapping", TREE_KEYS_MAX);
	make_room(out);
	out->items[out->n] = (struct value)VALUE_INIT;
	out->keys[out->n] = (struct value_key){ .name = x_strdup(name), .line = line };
	return copy(c, value, depth, &out->items[out->n++]);
}

static int copy_table(struct copying *c, const yaml_node_t *node, int depth, bool merged,
		      struct value *out);

/* "<<": what is there, but for keys that are given. */
static int merge(struct copying *c, int index, int depth, struct value *out)
{
	const yaml_node_t *node = c->yaml->yaml_document_get_node(c->document, index);

	if (depth > TREE_DEPTH_MAX)
		return import_fail(c->im, c->path, 0, "is nested deeper than %d levels",
				   TREE_DEPTH_MAX);
	if (node->type == YAML_MAPPING_NODE)
		return copy_table(c, node, depth + 1, true, out);
	if (node->type != YAML_SEQUENCE_NODE)
		return import_fail(c->im, c->path, line_of(node), "\"<<\" needs a mapping");
	for (const yaml_node_item_t *i = node->data.sequence.items.start;
	     i < node->data.sequence.items.top; i++)
		if (merge(c, *i, depth + 1, out) < 0)
			return -EINVAL;
	return 0;
}

static int copy_table(struct copying *c, const yaml_node_t *node, int depth, bool merged,
		      struct value *out)
{
	const yaml_node_pair_t *pairs = node->data.mapping.pairs.start;
	size_t n = (size_t)(node->data.mapping.pairs.top - pairs);

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < n; i++) {
			const yaml_node_t *key =
				c->yaml->yaml_document_get_node(c->document, pairs[i].key);
			const char *name = key->type == YAML_SCALAR_NODE ?
				(const char *)key->data.scalar.value : NULL;
			bool is_merge = name != NULL && strcmp(name, "<<") == 0;

			if (name == NULL || strlen(name) != key->data.scalar.length)
				return import_fail(c->im, c->path, line_of(key),
						   "a key has to be a text");
			if (is_merge != (pass == 1))
				continue;
			if (++c->n > TREE_VALUES_MAX)
				return import_fail(c->im, c->path, line_of(key),
						   "these are more than %d values",
						   TREE_VALUES_MAX);
			if (is_merge) {
				if (merge(c, pairs[i].value, depth, out) < 0)
					return -EINVAL;
			} else if (has_key(out, name)) {
				if (!merged)
					return import_fail(c->im, c->path, line_of(key), "\"%.60s\" is there "
							   "twice", name);
			} else if (copy_pair(c, name, line_of(key), pairs[i].value, depth, out) <
				   0) {
				return -EINVAL;
			}
		}
	return 0;
}

static int copy(struct copying *c, int index, int depth, struct value *out)
{
	const yaml_node_t *node = c->yaml->yaml_document_get_node(c->document, index);
	int r;

	if (depth > TREE_DEPTH_MAX)
		return import_fail(c->im, c->path, line_of(node), "is nested deeper than %d levels",
				   TREE_DEPTH_MAX);
	if (++c->n > TREE_VALUES_MAX)
		return import_fail(c->im, c->path, line_of(node), "these are more than %d values, aliases "
				   "counted where they are used", TREE_VALUES_MAX);
	*out = (struct value){ .kind = VALUE_TABLE };
	r = node->type == YAML_SCALAR_NODE ? copy_scalar(c, node, out) :
	    node->type == YAML_SEQUENCE_NODE ? copy_list(c, node, depth + 1, out) :
	    copy_table(c, node, depth + 1, false, out);
	out->line = line_of(node);
	out->column = (int)node->start_mark.column + 1;
	return r;
}

/* --- the file ---------------------------------------------------------------------------------- */

static int read_document(struct copying *c, const struct strbuf *text, struct value *out)
{
	yaml_parser_t parser;
	yaml_document_t document;
	int r;

	if (!c->yaml->yaml_parser_initialize(&parser))
		return import_fail(c->im, c->path, 0, "libyaml has no memory");
	c->yaml->yaml_parser_set_input_string(&parser, (const unsigned char *)text->buf, text->len);
	if (!c->yaml->yaml_parser_load(&parser, &document)) {
		r = import_fail(c->im, c->path, (int)parser.problem_mark.line + 1, "%s",
				parser.problem != NULL ? parser.problem : "is no YAML");
		c->yaml->yaml_parser_delete(&parser);
		return r;
	}
	c->document = &document;
	r = c->yaml->yaml_document_get_root_node(&document) != NULL ? copy(c, 1, 0, out) :
	    import_fail(c->im, c->path, 0, "is empty");
	c->yaml->yaml_document_delete(&document);
	c->yaml->yaml_parser_delete(&parser);
	return r;
}

int tree_read_yaml(struct import *im, const char *path, struct value *out)
{
	struct library yaml = { 0 };
	struct copying c = { .im = im, .path = path, .yaml = &yaml };
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	int r;

	if (import_read(im, path, &text) < 0)
		return -EINVAL;
	if (load(&yaml))
		r = read_document(&c, &text, out);
	else
		r = import_fail(im, path, 0,
				"is YAML, which needs the library libyaml (Debian: libyaml-0-2)");
	if (yaml.handle != NULL)
		dlclose(yaml.handle);
	return r;
}
#else
int tree_read_yaml(struct import *im, const char *path, struct value *out)
{
	(void)out;
	return import_fail(im, path, 0,
			   "is YAML; this procd was built without --enable-import-yaml");
}
#endif
