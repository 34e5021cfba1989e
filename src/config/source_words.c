/* The environment and the command line. Their values are TOML where they can be read as TOML, else
 * they are the bare text: DAEMON_NAME=123 and --set logging.level=debug both do what they say. */
#include "config/source.h"

#include "base/alloc.h"
#include "base/text.h"

static void word_value(const char *text, struct value *out)
{
	struct value_span span = { .s = text, .n = strlen(text), .line = 0, .column = 0 };
	struct value_error error;

	if (value_parse(&span, VALUE_TOML, out, &error) < 0) {
		out->kind = VALUE_WORD;
		value_set_text(out, x_strdup(text));
	}
}

/* LABEL is kept by C, because settings point at it. */
static struct source_point label_point(struct candidate *c, enum origin_kind kind, char *label)
{
	strlist_take(&c->labels, label);
	return (struct source_point){ .kind = kind, .file = -1, .label = label };
}

static void put_variable(struct candidate *c, const char *entry, const char *eq)
{
	struct source_point at;
	struct value value = VALUE_INIT;
	struct schema_key key;
	bool defaults;
	char *name = x_strndup(entry, (size_t)(eq - entry));
	struct place place;

	if (schema_find_env(&c->index, name + strlen("DAEMON_"), &key, &defaults) < 0) {
		free(name);
		return;
	}
	at = label_point(c, ORIGIN_ENV, name);
	place = candidate_place(c, &at);
	if (!utf8_valid(eq + 1, strlen(eq + 1))) {
		diag_error(c->diag, &place, "the value is not valid UTF-8");
		return;
	}
	word_value(eq + 1, &value);
	candidate_put_key(c, defaults ? &c->defaults : &c->top, name, &key, &value, &at);
}

void source_environment(struct candidate *c, char *const *environment)
{
	for (char *const *e = environment; e != NULL && *e != NULL; e++) {
		const char *eq = strchr(*e, '=');

		if (eq != NULL && strncmp(*e, "DAEMON_", 7) == 0)
			put_variable(c, *e, eq);
	}
}

void config_unknown_variables(struct strlist *out)
{
	struct schema_index index;
	struct schema_key key;
	bool defaults;

	schema_index_init(&index);
	for (char *const *e = environ; e != NULL && *e != NULL; e++) {
		auto_free(freep) char *name = x_strndup(*e, strcspn(*e, "="));

		if (strncmp(name, "DAEMON_", 7) == 0 &&
		    schema_find_env(&index, name + 7, &key, &defaults) < 0)
			strlist_take(out, take(name));
	}
	schema_index_fini(&index);
}

static void put_set(struct candidate *c, const char *set, bool any_bytes)
{
	const char *eq = strchr(set, '=');
	size_t len = eq != NULL ? (size_t)(eq - set) : strlen(set);
	struct source_point at = label_point(c, ORIGIN_CLI,
					     x_asprintf("--set %.*s", (int)len, set));
	struct place place = candidate_place(c, &at);
	struct value value = VALUE_INIT;

	if (eq == NULL || len == 0) {
		diag_error(c->diag, &place, "write SECTION.KEY=VALUE");
	} else if (!any_bytes && !utf8_valid(eq + 1, strlen(eq + 1))) {
		diag_error(c->diag, &place, "the value is not valid UTF-8");
	} else {
		word_value(eq + 1, &value);
		candidate_put_path(c, set, len, &value, &at);
	}
}

void source_sets(struct candidate *c, const struct strlist *sets, bool any_bytes)
{
	for (size_t i = 0; sets != NULL && i < sets->n; i++)
		put_set(c, sets->items[i], any_bytes);
}
