/* What jansson accepts is read by the parser of values that procd's own files go through, because
 * that one knows lines. */
#include "import/tree.h"

#include <errno.h>

#include "base/json.h"

/* What an escape could bring in. */
static int check_texts(struct import *im, const char *path, const struct value *v)
{
	for (const char *p = v->text; p != NULL && *p != '\0'; p++)
		if (((unsigned char)*p < ' ' && *p != '\n' && *p != '\t') || *p == 0x7f)
			return import_fail(im, path, v->line, "the text holds a control character");
	for (size_t i = 0; i < v->n; i++)
		if (check_texts(im, path, &v->items[i]) < 0)
			return -EINVAL;
	for (size_t i = 0; i < v->n && v->keys != NULL; i++)
		for (const char *p = v->keys[i].name; *p != '\0'; p++)
			if ((unsigned char)*p < ' ' || *p == 0x7f)
				return import_fail(im, path, v->keys[i].line,
						   "the key holds a control "
						   "character");
	return 0;
}

int tree_read_json(struct import *im, const char *path, struct value *out)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	struct value_span span = { .line = 1, .column = 1 };
	struct error why = ERROR_INIT;
	struct value_error error;
	json_t *json;
	int line = 1;

	if (import_read(im, path, &text) < 0)
		return -EINVAL;
	json = json_parse_untrusted(text.buf, text.len, TREE_DEPTH_MAX, &why);
	if (json == NULL) {
		const char *message = why.message;

		if (sscanf(message, "line %d", &line) == 1 && strstr(message, ": ") != NULL)
			message = strstr(message, ": ") + 2;
		import_fail(im, path, line, "%s", message);
		error_fini(&why);
		return -EINVAL;
	}
	json_decref(json);
	while (text.len > 0 && strchr(" \t\n", text.buf[text.len - 1]) != NULL)
		text.buf[--text.len] = '\0';
	span.s = text.buf;
	span.n = text.len;
	while (span.n > 0 && strchr(" \t\n", *span.s) != NULL) {
		span.line += *span.s == '\n';
		span.s++;
		span.n--;
	}
	if (value_parse(&span, VALUE_JSON, out, &error) < 0)
		return import_fail(im, path, error.line, "%s", error.message);
	return check_texts(im, path, out);
}

const struct value *tree_get(const struct value *table, const char *key)
{
	for (size_t i = 0; table != NULL && table->kind == VALUE_TABLE && i < table->n; i++)
		if (strcmp(table->keys[i].name, key) == 0)
			return table->items[i].kind != VALUE_NULL ? &table->items[i] : NULL;
	return NULL;
}

const char *tree_text(const struct value *v)
{
	if (v == NULL || v->kind == VALUE_ARRAY || v->kind == VALUE_TABLE || v->kind == VALUE_NULL)
		return NULL;
	return v->text;
}

bool tree_bool(const struct value *v, bool fallback)
{
	const char *text = tree_text(v);

	if (v != NULL && v->kind == VALUE_BOOL)
		return v->boolean;
	if (text == NULL)
		return fallback;
	return strcasecmp(text, "true") == 0 || strcasecmp(text, "yes") == 0 ||
	       strcasecmp(text, "on") == 0 || strcmp(text, "1") == 0;
}

int tree_list(const struct value *v, struct strlist *out)
{
	if (v == NULL)
		return 0;
	if (v->kind == VALUE_TABLE)
		return -EINVAL;
	if (v->kind != VALUE_ARRAY) {
		strlist_add(out, v->text);
		return 0;
	}
	for (size_t i = 0; i < v->n; i++) {
		if (tree_text(&v->items[i]) == NULL)
			return -EINVAL;
		strlist_add(out, v->items[i].text);
	}
	return 0;
}

int tree_line(const struct value *v)
{
	return v != NULL ? v->line : 0;
}

const char *tree_shown(const struct value *v)
{
	const char *text = tree_text(v);

	return text != NULL ? text : v != NULL ? value_kind_name(v) : "nothing";
}
