/* Families are few and their instances stand in a row, so a name is found by two binary searches.
 * What varies from one instance to the next is kept as it was written: for all of them together
 * there is no other way to say it. */
#include "config/family.h"

#include "base/alloc.h"
#include "config/expand.h"

/* --- names ---------------------------------------------------------------------------------- */

int instance_number(const char *name, size_t *base_len)
{
	size_t n = strcspn(name, "@"), digits;
	int number = 0;

	if (base_len != NULL)
		*base_len = n;
	if (name[n] != '@')
		return -1;
	digits = strspn(name + n + 1, "0123456789");
	if (digits == 0 || digits > 5 || name[n + 1 + digits] != '\0')
		return -1;
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (name[n + 1 + i] - '0');
	return number;
}

static int by_subsystem_name(const void *a, const void *b, void *ctx)
{
	const struct config *config = ctx;
	const uint32_t *x = a, *y = b;

	return strcmp(config->subsystems[*x]->name, config->subsystems[*y]->name);
}

static int by_family_name(const void *a, const void *b, void *ctx)
{
	const struct config *config = ctx;
	const uint32_t *x = a, *y = b;

	return strcmp(config->families[*x].name, config->families[*y].name);
}

static uint32_t *numbers(size_t n)
{
	uint32_t *list = x_calloc(MAX(n, (size_t)1), sizeof(*list));

	for (uint32_t i = 0; i < n; i++)
		list[i] = i;
	return list;
}

void config_index(struct config *config)
{
	config->by_name = numbers(config->nsubsystems);
	if (config->nsubsystems > 0)
		qsort_r(config->by_name, config->nsubsystems, sizeof(*config->by_name),
			by_subsystem_name, config);
	config->families_by_name = numbers(config->nfamilies);
	if (config->nfamilies > 0)
		qsort_r(config->families_by_name, config->nfamilies,
			sizeof(*config->families_by_name), by_family_name, config);
}

const struct family *family_find(const struct config *config, const char *name)
{
	size_t low = 0, high = config->nfamilies;

	while (low < high) {
		size_t mid = (low + high) / 2;
		const struct family *f = &config->families[config->families_by_name[mid]];
		int order = strcmp(name, f->name);

		if (order == 0)
			return f;
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

bool config_position(const struct config *config, const char *name, uint32_t *at)
{
	size_t low = 0, high = config->nsubsystems;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int order = strcmp(name, config->subsystems[config->by_name[mid]]->name);

		*at = config->by_name[mid];
		if (order == 0)
			return true;
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return false;
}

struct subsystem_options *config_find(const struct config *config, const char *name)
{
	uint32_t at;

	return config_position(config, name, &at) ? config->subsystems[at] : NULL;
}

bool config_select(const struct config *config, const char *name, uint32_t *first, uint32_t *n)
{
	const struct family *f = family_find(config, name);

	if (f != NULL) {
		*first = f->first;
		*n = f->n;
		return true;
	}
	*n = 1;
	return config_position(config, name, first);
}

/* --- values that vary ------------------------------------------------------------------------- */

const struct varying *family_varying(const struct family *f, int key)
{
	for (size_t i = 0; i < f->nvarying; i++)
		if (f->varying[i].key == key)
			return &f->varying[i];
	return NULL;
}

void family_fini(struct family *f)
{
	for (size_t i = 0; i < f->nvarying; i++) {
		free(f->varying[i].name);
		free(f->varying[i].toml);
		json_decref(f->varying[i].json);
	}
	free(f->varying);
	free(f->name);
	subsystem_options_unref(f->options);
	*f = (struct family){ 0 };
}

bool value_varies(const struct value *v)
{
	if (!v->variables)
		return false;
	for (size_t i = 0; i < v->n; i++)
		if (value_varies(&v->items[i]))
			return true;
	for (const char *p = v->text; p != NULL && *p != '\0'; p++) {
		if (*p == '%' && (p[1] == 'i' || p[1] == 'n'))
			return true;
		p += (*p == '%' || *p == '$') && p[1] == *p;
	}
	return false;
}

/* The text of V with all replaced but what varies. It was expanded before, so it can be. */
static void kept_text(const struct value *v, char *const *environment, struct strbuf *out)
{
	struct vars vars = { .environment = environment, .keep = true };
	auto_free(strbuf_fini) struct strbuf why = STRBUF_INIT;

	if (expand(&vars, v->text, out, &why) < 0)
		strbuf_addstr(out, v->text);
}

void value_format(const struct value *v, char *const *environment, struct strbuf *out)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	bool table = v->kind == VALUE_TABLE;

	if (v->kind == VALUE_STRING || v->kind == VALUE_WORD) {
		kept_text(v, environment, &text);
		toml_quote_raw(text.buf, out);
		return;
	}
	if (v->text != NULL) {
		strbuf_addstr(out, v->text);
		return;
	}
	strbuf_addstr(out, table ? "{ " : "[");
	for (size_t i = 0; i < v->n; i++) {
		strbuf_addf(out, "%s%s%s", i > 0 ? ", " : "", table ? v->keys[i].name : "",
			    table ? " = " : "");
		value_format(&v->items[i], environment, out);
	}
	strbuf_addstr(out, table ? " }" : "]");
}

json_t *value_json(const struct value *v, char *const *environment)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	bool table = v->kind == VALUE_TABLE;
	json_t *j;

	if (v->kind == VALUE_STRING || v->kind == VALUE_WORD) {
		kept_text(v, environment, &text);
		return json_text(text.buf);
	}
	if (v->kind == VALUE_INT)
		return json_integer(v->integer);
	if (v->kind == VALUE_FLOAT)
		return json_real(v->number);
	if (v->kind == VALUE_BOOL)
		return json_boolean(v->boolean);
	j = table ? json_object() : json_array();
	for (size_t i = 0; i < v->n; i++)
		if (table)
			json_object_set_new(j, v->keys[i].name,
					    value_json(&v->items[i], environment));
		else
			json_array_append_new(j, value_json(&v->items[i], environment));
	return j;
}
