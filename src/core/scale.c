/* A scale is a reload whose only news is how many there are. What is new is started as if by hand,
 * whatever autostart says: the order was to have so many. */
#include "core/scale.h"

#include "base/alloc.h"
#include "config/family.h"
#include "core/apply.h"
#include "core/live.h"

/* PATTERN means S: what is its family? NULL with *E set when it can have no other number. */
static const struct family *family_of(const struct subsystem *s, const char *pattern,
				      struct error *e)
{
	const struct config *config = config_current();
	auto_free(freep) char *base = NULL;
	const struct family *f = NULL;
	size_t len;

	if (instance_number(s->name, &len) >= 0) {
		base = x_strndup(s->name, len);
		f = family_find(config, base);
	}
	if (f == NULL)
		error_set(e, ERROR_SUBSYSTEM_STATE, 0, "%s: it declares no instances", s->name);
	else if (strcmp(pattern, s->name) == 0)
		error_set(e, ERROR_SUBSYSTEM_STATE, 0, "%s: it is one instance; scale %s", pattern,
			  f->name);
	return error_is_set(e) ? NULL : f;
}

static bool want(struct core *c, const struct core_request *r, const char *pattern,
		 struct scales *wanted, struct error *e)
{
	auto_free(strlist_fini) struct strlist one = STRLIST_INIT;
	auto_free(freep) uint32_t *slots = NULL;
	size_t n = 0;

	strlist_add(&one, pattern);
	if (board_match(c->board, &one, &slots, &n) != NULL) {
		error_set(e, ERROR_SUBSYSTEM_NOT_FOUND, 0, "unknown subsystem \"%s\"", pattern);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		const struct subsystem *s = registry_at(&c->registry, slots[i]);
		const struct family *f;

		if (s->removed)
			continue;
		f = family_of(s, pattern, e);
		if (f == NULL)
			return false;
		scales_order(wanted, f->name, f->declared, r->instances);
	}
	return true;
}

bool core_scale_wanted(struct core *c, struct core_request *r, struct scales *wanted)
{
	if (shutdown_active(&c->shutdown)) {
		error_set(&r->error, ERROR_SHUTDOWN_IN_PROGRESS, 0, "procd shuts down");
		return false;
	}
	for (size_t i = 0; i < r->names.n; i++)
		if (!want(c, r, r->names.items[i], wanted, &r->error))
			return false;
	return true;
}

bool core_scale(struct core *c, struct config *new, struct core_request *r)
{
	bool published = apply_scaled(c, new, &r->affected);

	if (!published && shutdown_active(&c->shutdown)) {
		error_set(&r->error, ERROR_SHUTDOWN_IN_PROGRESS, 0, "procd shuts down");
		r->done(r);
		return false;
	}
	r->verb = CORE_SCALE;
	core_request(c, r);
	return published;
}
