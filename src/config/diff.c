/* Two configurations side by side, key by key through the table. */
#include <errno.h>

#include "base/alloc.h"
#include "config/config.h"
#include "config/depend.h"
#include "config/family.h"
#include "config/type.h"

static void top_diff(const struct config *old, const struct config *new, struct config_diff *out)
{
	for (size_t i = 0; i < schema_top_n; i++) {
		auto_free(strbuf_fini) struct strbuf path = STRBUF_INIT;

		schema_path((int)i, NULL, &path);
		if (schema[i].type->equal(&schema[i], old, new) &&
		    !strlist_has(&new->pending, path.buf))
			continue;
		strlist_add(schema[i].reload == RELOAD_PROCD ? &out->needs_procd_restart
							     : &out->settings, path.buf);
	}
}

static bool ids_equal(const struct subsystem_rights *a, const struct subsystem_rights *b)
{
	return a->set_ids == b->set_ids && a->uid == b->uid && a->gid == b->gid &&
	       a->ngids == b->ngids &&
	       (a->ngids == 0 || memcmp(a->gids, b->gids, a->ngids * sizeof(*a->gids)) == 0);
}

/* What was found for two parts: neighbours often share both. (Nobody makes parts meanwhile, so the
 * address of one that sharing has freed is not that of another one.) */
struct pair {
	const void *a, *b;
	unsigned classes;
};

/* In one part. A mask of 1 << enum reload_class. */
static unsigned part_differing(enum option_part kind, const struct subsystem_options *a,
			       const struct subsystem_options *b)
{
	unsigned classes = 0;

	for (const struct option *const *row = schema_of_part(kind); *row != NULL; row++)
		if (!(*row)->type->equal(*row, a, b))
			classes |= 1u << (*row)->reload;
	if (kind == PART_POLICY && !zone_equal(a->policy->zone, b->policy->zone))
		classes |= 1u << RELOAD_LIVE;
	if (kind == PART_RIGHTS && !ids_equal(a->rights, b->rights))
		classes |= 1u << RELOAD_RESTART;
	return classes;
}

static unsigned subsystem_differing(struct pair pairs[PART_N], const struct subsystem_options *a,
				    const struct subsystem_options *b)
{
	unsigned classes;

	if (a == b)
		return 0;
	classes = part_differing(PART_OWN, a, b);
	for (enum option_part kind = PART_LINKS; kind < PART_N; kind++) {
		const void *part_a = part_read((uint32_t)kind << PART_SHIFT, a);
		const void *part_b = part_read((uint32_t)kind << PART_SHIFT, b);

		if (pairs[kind].a != part_a || pairs[kind].b != part_b)
			pairs[kind] = (struct pair){ part_a, part_b, part_differing(kind, a, b) };
		classes |= pairs[kind].classes;
	}
	return classes;
}

/* Which number is declared decides what becomes of `procd scale`, also where it changes nothing
 * now. */
static bool numbers_equal(const struct config *a, const struct config *b)
{
	for (size_t i = 0; i < b->nfamilies; i++) {
		const struct family *f = family_find(a, b->families[i].name);

		if (f != NULL && f->declared != b->families[i].declared)
			return false;
	}
	return true;
}

/* A takes the place of NEW's subsystem number I. */
static void share(const struct config *new, size_t i, struct subsystem_options *a)
{
	struct subsystem_options *b = new->subsystems[i];

	new->subsystems[i] = subsystem_options_ref(a);
	subsystem_options_unref(b);
}

/* Where NAME is in CONFIG, most likely at NEXT. */
static bool position(const struct config *config, const char *name, uint32_t next, uint32_t *at)
{
	*at = next;
	return (next < config->nsubsystems && strcmp(config->subsystems[next]->name, name) == 0) ||
	       config_position(config, name, at);
}

static void subsystems_diff(const struct config *old, const struct config *new, bool sharing,
			    struct config_diff *out)
{
	auto_free(freep) bool *stays = x_calloc(old->nsubsystems + 1, sizeof(*stays));
	struct pair pairs[PART_N] = { 0 };
	uint32_t next = 0, at;

	for (size_t i = 0; i < new->nsubsystems; i++) {
		const struct subsystem_options *b = new->subsystems[i];
		unsigned classes;

		if (!position(old, b->name, next, &at)) {
			strlist_add(&out->added, b->name);
			continue;
		}
		stays[at] = true;
		next = at + 1;
		classes = subsystem_differing(pairs, old->subsystems[at], b);
		if (classes & 1u << RELOAD_RESTART)
			strlist_add(&out->restarted, b->name);
		else if (classes != 0)
			strlist_add(&out->updated, b->name);
		else if (sharing && b != old->subsystems[at])
			share(new, i, old->subsystems[at]);
	}
	for (size_t i = 0; i < old->nsubsystems; i++)
		if (!stays[i])
			strlist_add(&out->removed, old->subsystems[i]->name);
}

static void diff(const struct config *old, const struct config *new, bool sharing,
		 struct config_diff *out)
{
	*out = (struct config_diff){ 0 };
	top_diff(old, new, out);
	subsystems_diff(old, new, sharing, out);
	/* What waits for a start of procd is news only once. */
	out->equal = numbers_equal(old, new) &&
		     out->added.n + out->removed.n + out->restarted.n + out->updated.n +
		     out->settings.n == 0 &&
		     (out->needs_procd_restart.n == 0 ||
		      (new->pending.n > 0 && strlist_equal(&old->pending, &new->pending) &&
		       old->content_hash == new->content_hash));
}

void config_diff(const struct config *old, const struct config *new, struct config_diff *out)
{
	diff(old, new, false, out);
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
	unsigned classes = 0;

	if (a == NULL || a == b)
		return;
	for (size_t i = schema_top_n; i < schema_n; i++)
		if (!schema[i].type->equal(&schema[i], a, b)) {
			add_key(keys, b->name, schema[i].name, schema[i].reload);
			classes |= 1u << schema[i].reload;
		}
	/* The same words, and the machine understands them otherwise now. */
	if (!zone_equal(a->policy->zone, b->policy->zone) && classes == 0)
		add_key(keys, b->name, "schedule", RELOAD_LIVE);
	if (!ids_equal(a->rights, b->rights) && !(classes & 1u << RELOAD_RESTART))
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

/* --- before it is published --------------------------------------------------------------------- */

void config_share_namesakes(const struct config *old, struct config *new)
{
	for (size_t i = 0; i < new->nsubsystems; i++) {
		struct subsystem_options *a = config_find(old, new->subsystems[i]->name);

		if (a != NULL && a != new->subsystems[i])
			share(new, i, a);
	}
}

void config_change_free(struct config_change *change)
{
	if (change == NULL)
		return;
	config_diff_fini(&change->diff);
	free(change);
}

static bool has_links(const struct subsystem_options *o)
{
	for (int kind = 0; kind < EDGE_NKINDS; kind++)
		if (edge_list(o, (enum edge_kind)kind)->n > 0)
			return true;
	return false;
}

void config_compare(const struct config *old, struct config *new)
{
	struct config_change *change = x_calloc(1, sizeof(*change));

	config_change_free(new->change);
	new->change = change;
	change->from = old->generation;
	diff(old, new, true, &change->diff);
	new->generation = old->generation + 1;
	for (size_t i = 0; i < new->nsubsystems; i++) {
		struct subsystem_options *o = new->subsystems[i];

		change->links |= has_links(o);
		change->listens |= o->policy->listen.n > 0;
		if (atomic_load_explicit(&o->refs, memory_order_acquire) == 1)
			o->generation = new->generation;
	}
}
