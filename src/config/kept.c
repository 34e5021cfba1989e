/* A reload that changes a key which acts only when procd starts reads the new value, checks it and
 * tells that it waits. What is published has the old one until then: whoever looks there sees what
 * is in force, not half of a change.
 *
 * As text: a line "KEY TAB VALUE" for each key, without a value where it was not given. */
#include "config/kept.h"

#include "base/alloc.h"
#include "config/config.h"
#include "config/defaults.h"
#include "config/source.h"
#include "config/type.h"

#define FACT "kept"

/* Of the control groups only the file of the socket waits. Who is in them is asked with each
 * request, and a right that was taken away is gone at once. */
static bool waits(const struct option *o)
{
	return o->reload == RELOAD_PROCD && o->type != &type_account;
}

void kept_write(const struct config *config, struct strbuf *out)
{
	for (size_t i = 0; i < schema_top_n; i++) {
		const struct option *o = &schema[i];

		if (!waits(o))
			continue;
		schema_path((int)i, NULL, out);
		strbuf_addch(out, '\t');
		if (o->type->is_set == NULL || o->type->is_set(o, (int)i, config))
			o->type->format(o, (int)i, config, out);
		strbuf_addch(out, '\n');
	}
}

static const struct option *row_of(const char *path)
{
	for (size_t i = 0; i < schema_top_n; i++) {
		auto_free(strbuf_fini) struct strbuf own = STRBUF_INIT;

		schema_path((int)i, NULL, &own);
		if (waits(&schema[i]) && strcmp(own.buf, path) == 0)
			return &schema[i];
	}
	return NULL;
}

/* It was formatted from a value, so it is one. */
static void set(const struct option *o, const char *text, struct config *config)
{
	auto_free(value_fini) struct value v = VALUE_INIT;
	struct vars vars = { .environment = environ };
	struct parse p = {
		.o = o, .key = (int)(o - schema), .vars = &vars, .why = STRBUF_INIT,
	};
	struct value_span span = { .s = text, .n = strlen(text), .line = 1, .column = 1 };
	struct value_error error;

	if (*text == '\0' && o->type->clear != NULL)
		o->type->clear(o, config);
	else if (value_parse(&span, VALUE_TOML, &v, &error) == 0)
		(void)o->type->parse(&p, &v, config);
	strbuf_fini(&p.why);
}

static void keep(char *line, struct config *running, struct config *config)
{
	char *tab = strchr(line, '\t');
	const struct option *o;

	if (tab == NULL)
		return;
	*tab = '\0';
	o = row_of(line);
	if (o == NULL)
		return;
	set(o, tab + 1, running);
	if (o->type->equal(o, running, config))
		return;
	strlist_add(&config->pending, line);
	set(o, tab + 1, config);
}

void kept_apply(const char *kept, struct resolve *r, struct config *config)
{
	auto_free(freep) char *copy = x_strdup(kept);
	struct config *running = config_new();
	char *rest;

	for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		keep(line, running, config);
	config_free(running);
	resolve_base(r, config);
}

void kept_save(const struct config *config, struct strbuf *bundle)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	if (config->pending.n == 0)
		return;
	kept_write(config, &text);
	bundle_add(bundle, FACT, text.buf, text.len);
}

char *kept_read(const char *bundle, size_t len)
{
	const char *name, *text;
	size_t offset = 0, n;

	while (bundle_next(bundle, len, &offset, &name, &text, &n))
		if (strcmp(name, FACT) == 0)
			return x_strndup(text, n);
	return NULL;
}
