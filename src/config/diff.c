/* Two configurations side by side, key by key through the table. */
#include <errno.h>

#include "base/alloc.h"
#include "config/config.h"
#include "config/family.h"
#include "config/type.h"

static void top_diff(const struct config *old, const struct config *new, struct config_diff *out)
{
	for (size_t i = 0; i < schema_top_n; i++) {
		auto_free(strbuf_fini) struct strbuf path = STRBUF_INIT;

		if (schema[i].type->equal(&schema[i], old, new))
			continue;
		schema_path((int)i, NULL, &path);
		strlist_add(schema[i].reload == RELOAD_PROCD ? &out->needs_procd_restart
							     : &out->settings, path.buf);
	}
}

static bool ids_equal(const struct subsystem_options *a, const struct subsystem_options *b)
{
	const struct subsystem_rights *ra = a->rights, *rb = b->rights;

	return ra->set_ids == rb->set_ids && ra->uid == rb->uid && ra->gid == rb->gid &&
	       ra->ngids == rb->ngids &&
	       (ra->ngids == 0 || memcmp(ra->gids, rb->gids, ra->ngids * sizeof(*ra->gids)) == 0);
}

/* A mask of 1 << enum reload_class. */
static unsigned keys_differing(const struct subsystem_options *a, const struct subsystem_options *b)
{
	unsigned classes = 0;

	for (size_t i = schema_top_n; i < schema_n; i++)
		if (!schema[i].type->equal(&schema[i], a, b))
			classes |= 1u << schema[i].reload;
	return classes;
}

static unsigned subsystem_differing(const struct subsystem_options *a,
				    const struct subsystem_options *b)
{
	unsigned classes;

	if (a == b)
		return 0;
	classes = keys_differing(a, b);
	if (!zone_equal(a->policy->zone, b->policy->zone))
		classes |= 1u << RELOAD_LIVE;
	return ids_equal(a, b) ? classes : classes | 1u << RELOAD_RESTART;
}

/* Which number is declared decides what becomes of `procd scale`, also where it changes nothing now. */
static bool numbers_equal(const struct config *a, const struct config *b)
{
	for (size_t i = 0; i < b->nfamilies; i++) {
		const struct family *f = family_find(a, b->families[i].name);

		if (f != NULL && f->declared != b->families[i].declared)
			return false;
	}
	return true;
}

void config_diff(const struct config *old, const struct config *new, struct config_diff *out)
{
	*out = (struct config_diff){ 0 };
	top_diff(old, new, out);
	for (size_t i = 0; i < new->nsubsystems; i++) {
		const struct subsystem_options *b = new->subsystems[i];
		const struct subsystem_options *a = config_find(old, b->name);
		unsigned classes = a != NULL ? subsystem_differing(a, b) : 0;

		if (a == NULL)
			strlist_add(&out->added, b->name);
		else if (classes & 1u << RELOAD_RESTART)
			strlist_add(&out->restarted, b->name);
		else if (classes != 0)
			strlist_add(&out->updated, b->name);
	}
	for (size_t i = 0; i < old->nsubsystems; i++)
		if (config_find(new, old->subsystems[i]->name) == NULL)
			strlist_add(&out->removed, old->subsystems[i]->name);
	out->equal = numbers_equal(old, new) &&
		     out->added.n + out->removed.n + out->restarted.n + out->updated.n +
		     out->needs_procd_restart.n + out->settings.n == 0;
}

void config_diff_fini(struct config_diff *d)
{
	strlist_fini(&d->added);
	strlist_fini(&d->removed);
	strlist_fini(&d->restarted);
	strlist_fini(&d->updated);
	strlist_fini(&d->needs_procd_restart);
	strlist_fini(&d->settings);
}

static json_t *names_json(const struct strlist *l)
{
	json_t *array = json_array();

	for (size_t i = 0; i < l->n; i++)
		json_array_append_new(array, json_text(l->items[i]));
	return array;
}

json_t *config_diff_json(const struct config_diff *d)
{
	json_t *j = json_object();

	json_object_set_new(j, "added", names_json(&d->added));
	json_object_set_new(j, "removed", names_json(&d->removed));
	json_object_set_new(j, "restarted", names_json(&d->restarted));
	json_object_set_new(j, "updated", names_json(&d->updated));
	json_object_set_new(j, "needs_procd_restart", names_json(&d->needs_procd_restart));
	if (d->settings.n > 0)
		json_object_set_new(j, "settings", names_json(&d->settings));
	return j;
}

/* --- key by key ------------------------------------------------------------------------------- */

static void add_key(json_t *keys, const char *name, const char *key, enum reload_class class)
{
	static const char *const words[] = {
		[RELOAD_LIVE] = "live", [RELOAD_RESTART] = "restart", [RELOAD_PROCD] = "procd",
	};
	json_t *j = json_object();

	if (name != NULL)
		json_object_set_new(j, "name", json_text(name));
	json_object_set_new(j, "key", json_text(key));
	json_object_set_new(j, "class", json_string(words[class]));
	json_array_append_new(keys, j);
}

static void add_keys(json_t *keys, const struct subsystem_options *a,
		     const struct subsystem_options *b)
{
	if (a == NULL || a == b)
		return;
	for (size_t i = schema_top_n; i < schema_n; i++)
		if (!schema[i].type->equal(&schema[i], a, b))
			add_key(keys, b->name, schema[i].name, schema[i].reload);
	/* The same words, and the machine understands them otherwise now. */
	if (!zone_equal(a->policy->zone, b->policy->zone) && keys_differing(a, b) == 0)
		add_key(keys, b->name, "schedule", RELOAD_LIVE);
	if (!ids_equal(a, b) && !(keys_differing(a, b) & 1u << RELOAD_RESTART))
		add_key(keys, b->name, "user", RELOAD_RESTART);
}

json_t *config_plan_json(const struct config *old, const struct config *new)
{
	struct config_diff diff;
	json_t *keys = json_array(), *j;

	config_diff(old, new, &diff);
	for (size_t i = 0; i < diff.settings.n; i++)
		add_key(keys, NULL, diff.settings.items[i], RELOAD_LIVE);
	for (size_t i = 0; i < diff.needs_procd_restart.n; i++)
		add_key(keys, NULL, diff.needs_procd_restart.items[i], RELOAD_PROCD);
	for (size_t i = 0; i < new->nsubsystems; i++)
		add_keys(keys, config_find(old, new->subsystems[i]->name), new->subsystems[i]);
	j = config_diff_json(&diff);
	if (json_array_size(keys) > 0)
		json_object_set(j, "keys", keys);
	json_decref(keys);
	config_diff_fini(&diff);
	return j;
}

/* A takes the place of NEW's subsystem number I. */
static void share(struct config *new, size_t i, struct subsystem_options *a)
{
	struct subsystem_options *b = new->subsystems[i];

	new->subsystems[i] = subsystem_options_ref(a);
	subsystem_options_unref(b);
}

void config_share_namesakes(const struct config *old, struct config *new)
{
	for (size_t i = 0; i < new->nsubsystems; i++) {
		struct subsystem_options *a = config_find(old, new->subsystems[i]->name);

		if (a != NULL && a != new->subsystems[i])
			share(new, i, a);
	}
}

void config_share_unchanged(const struct config *old, struct config *new)
{
	for (size_t i = 0; i < new->nsubsystems; i++) {
		struct subsystem_options *b = new->subsystems[i];
		struct subsystem_options *a = config_find(old, b->name);

		if (a != NULL && a != b && subsystem_differing(a, b) == 0)
			share(new, i, a);
	}
}
