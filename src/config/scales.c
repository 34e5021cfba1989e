/* A short list: one entry per subsystem that somebody scaled. In a bundle an entry is the fact
 * "scale:NAME", with "DECLARED N". */
#include "config/scales.h"

#include "base/alloc.h"
#include "config/family.h"
#include "config/source.h"

#define FACT "scale:"

void scales_fini(struct scales *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->items[i].name);
	free(s->items);
	*s = (struct scales)SCALES_INIT;
}

static struct scaled *find(const struct scales *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->items[i].name, name) == 0)
			return &s->items[i];
	return NULL;
}

static void add(struct scales *s, const char *name, uint32_t declared, uint32_t n)
{
	s->items = x_reallocarray(s->items, s->n + 1, sizeof(*s->items));
	s->items[s->n++] = (struct scaled){ x_strdup(name), declared, n };
}

static void drop(struct scales *s, struct scaled *item)
{
	free(item->name);
	*item = s->items[--s->n];
}

void scales_copy(struct scales *out, const struct scales *from)
{
	for (size_t i = 0; i < from->n; i++)
		add(out, from->items[i].name, from->items[i].declared, from->items[i].n);
}

static void forget(struct scales *s, const char *name)
{
	struct scaled *item = find(s, name);

	if (item != NULL)
		drop(s, item);
}

void scales_order(struct scales *s, const char *name, uint32_t declared, uint32_t n)
{
	forget(s, name);
	add(s, name, declared, n);
}

void scales_set(struct scales *s, const char *name, uint32_t declared, uint32_t n)
{
	forget(s, name);
	if (n != declared)
		add(s, name, declared, n);
}

uint32_t scales_number(const struct scales *s, const char *name, uint32_t declared)
{
	const struct scaled *item = find(s, name);

	return item != NULL && item->declared == declared ? item->n : declared;
}

void scales_of(const struct config *config, struct scales *out)
{
	for (size_t i = 0; i < config->nfamilies; i++) {
		const struct family *f = &config->families[i];

		if (f->n != f->declared)
			add(out, f->name, f->declared, f->n);
	}
}

void scales_declared(const struct config *config, struct scales *out)
{
	for (size_t i = 0; i < config->nfamilies; i++)
		add(out, config->families[i].name, config->families[i].declared,
		    config->families[i].n);
}

void scales_prune(struct scales *s, const struct scales *declared)
{
	for (size_t i = s->n; i-- > 0;) {
		const struct scaled *d = find(declared, s->items[i].name);

		if (d == NULL || d->declared != s->items[i].declared)
			drop(s, &s->items[i]);
	}
}

/* --- bundles ---------------------------------------------------------------------------------- */

static bool is_fact(const char *name)
{
	return strncmp(name, FACT, sizeof(FACT) - 1) == 0;
}

void scales_write(const struct config *config, struct strbuf *bundle)
{
	auto_free(scales_fini) struct scales s = SCALES_INIT;

	scales_of(config, &s);
	for (size_t i = 0; i < s.n; i++) {
		auto_free(freep) char *name = x_asprintf(FACT "%s", s.items[i].name);
		char text[32];
		int n = snprintf(text, sizeof(text), "%u %u", s.items[i].declared, s.items[i].n);

		bundle_add(bundle, name, text, (size_t)n);
	}
}

void scales_read(const char *bundle, size_t len, struct scales *out)
{
	const char *name, *text;
	size_t offset = 0, n;

	while (bundle_next(bundle, len, &offset, &name, &text, &n)) {
		auto_free(freep) char *copy = NULL;
		unsigned long declared, number;
		char *end;

		if (!is_fact(name))
			continue;
		copy = x_strndup(text, n);
		declared = strtoul(copy, &end, 10);
		number = strtoul(end, NULL, 10);
		if (number >= 1 && number <= INSTANCES_MAX && declared <= INSTANCES_MAX)
			scales_set(out, name + sizeof(FACT) - 1, (uint32_t)declared,
				   (uint32_t)number);
	}
}

void scales_skip(const char *bundle, size_t len, struct strbuf *out)
{
	const char *name, *text;
	size_t offset = 0, from = 0, n;

	while (bundle_next(bundle, len, &offset, &name, &text, &n)) {
		if (!is_fact(name))
			strbuf_add(out, bundle + from, offset - from);
		from = offset;
	}
}
