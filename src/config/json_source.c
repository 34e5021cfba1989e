/* A file that ends in .json holds the same tree. jansson decides whether it is JSON; the tree is
 * then read by the value parser, which knows the place of every value. */
#include "base/json.h"
#include "config/source.h"

static void json_fault(struct candidate *c, const struct source_point *at, const char *message)
{
	struct place place = candidate_place(c, at);

	diag_error(c->diag, &place, "%s", message);
}

/* jansson's columns count characters from 1, but 0 at a line's start. */
static bool is_json_text(struct candidate *c, int file, const char *text, size_t n)
{
	json_error_t error;
	json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
	struct source_point at = { .kind = ORIGIN_FILE, .file = file };

	if (root != NULL) {
		json_decref(root);
		return true;
	}
	at.line = MAX(error.line, 1);
	at.column = MAX(error.column, 1);
	json_fault(c, &at, error.text);
	return false;
}

void source_json(struct candidate *c, int file, const char *text, size_t n)
{
	struct source_point at = { .kind = ORIGIN_FILE, .file = file, .line = 1, .column = 1 };
	struct value_span span = { .line = 1, .column = 1 };
	struct value root = VALUE_INIT;
	struct value_error error;
	struct target top;

	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		n -= 3;
	}
	span.s = text;
	span.n = n;
	if (!is_json_text(c, file, text, n))
		return;
	if (value_parse(&span, VALUE_JSON, &root, &error) < 0) {
		at.line = error.line;
		at.column = error.column;
		json_fault(c, &at, error.message);
		return;
	}
	candidate_top(c, &top);
	for (size_t i = 0; i < root.n && root.kind == VALUE_TABLE; i++) {
		at.line = root.keys[i].line;
		at.column = root.keys[i].column;
		candidate_put(c, &top, root.keys[i].name, strlen(root.keys[i].name),
			      &root.items[i], &at);
	}
	if (root.kind != VALUE_TABLE)
		json_fault(c, &at, "the file must hold one JSON object");
	value_fini(&root);
}
