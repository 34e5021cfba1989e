/* What a --set argument can become, out of the option table: names of keys up to the '=', behind it
 * the words of a key that has a choice. Keys of subsystems appear once a subsystem was named. */
#include "config/config.h"
#include "config/schema.h"
#include "config/type.h"

struct completion {
	const char *typed;
	size_t len;
	void (*each)(void *ctx, const char *word, const char *help);
	void *ctx;
};

static void offer(struct completion *c, const struct strbuf *word, const char *help)
{
	if (word->len >= c->len && memcmp(word->buf, c->typed, c->len) == 0)
		c->each(c->ctx, word->buf, help);
}

/* PATH ends with "=". */
static void offer_value(struct completion *c, const struct strbuf *path, const char *value)
{
	auto_free(strbuf_fini) struct strbuf word = STRBUF_INIT;

	strbuf_add(&word, path->buf, path->len);
	strbuf_addstr(&word, value);
	offer(c, &word, "");
}

static void offer_values(struct completion *c, const struct option *o,
			 const struct strbuf *path)
{
	if (o->type->shape == SHAPE_BOOL) {
		offer_value(c, path, "true");
		offer_value(c, path, "false");
	}
	for (int i = 0; o->choices && i < o->choices->count; i++) {
		const char *name = o->choices->names[i];

		if (name && (o->only == 0 || (o->only & 1u << i)) && !strchr(name, ':'))
			offer_value(c, path, name);
	}
}

void config_complete(const char *typed, void (*each)(void *ctx, const char *word, const char *help),
		     void *ctx)
{
	struct completion c = { .typed = typed, .len = strlen(typed), .each = each, .ctx = ctx };
	auto_free(strbuf_fini) struct strbuf path = STRBUF_INIT;
	static const char subsystem[] = "subsystem.";
	const char *name = strncmp(typed, subsystem, sizeof(subsystem) - 1) == 0 ?
		typed + sizeof(subsystem) - 1 : "";
	size_t named = strcspn(name, ".=");

	if (name[named] != '.')
		named = 0;
	for (size_t i = 0; i < schema_n; i++) {
		const struct option *o = &schema[i];

		if (o->lacks || (i >= schema_top_n && named == 0))
			continue;
		strbuf_reset(&path);
		if (i >= schema_top_n)
			strbuf_addf(&path, "%s%.*s.%s=", subsystem, (int)named, name, o->name);
		else
			strbuf_addf(&path, "%s%s%s=", o->section, *o->section ? "." : "", o->name);
		if (strchr(typed, '='))
			offer_values(&c, o, &path);
		else
			offer(&c, &path, o->help);
	}
}
