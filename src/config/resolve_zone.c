/* The time zones of schedules. Each is read once per load, and its bytes go into the bundle: a
 * supervisor that replaces a dead one plans by the very same zone, also while the files are being
 * replaced. */
#include "base/alloc.h"
#include "config/resolve.h"
#include "config/source.h"

#define LOCAL ""

void resolve_zones_fini(struct resolve *r)
{
	map_for_each(slot, &r->zones)
		zone_unref(slot->value);
	map_fini(&r->zones);
}

static struct zone *remember(struct resolve *r, const char *name, struct zone *z)
{
	if (z != NULL)
		zone_unref(map_put(&r->zones, name, z));
	return z;
}

void resolve_zone_known(struct resolve *r, const char *name, const char *bytes, size_t n)
{
	remember(r, name, zone_parse(*name != '\0' ? name : "local", bytes, n));
}

static void warn_local(struct resolve *r, const struct place *place)
{
	diag_warn(r->c->diag, place, "schedule: procd's TZ=%.80s names no time zone; it is UTC",
		  getenv("TZ"));
}

static struct zone *look_up(struct resolve *r, const struct place *place, const char *name)
{
	auto_free(strbuf_fini) struct strbuf bytes = STRBUF_INIT;
	auto_free(freep) char *key = x_asprintf(RESOLVE_ZONE "%s", name);
	bool local = strcmp(name, LOCAL) == 0;
	int found = local ? zone_find_local(&bytes) : zone_find(name, &bytes);

	if (found < 0 && !local)
		return NULL;
	if (found < 0)
		warn_local(r, place);
	if (r->bundle != NULL)
		bundle_add(r->bundle, key, bytes.buf, bytes.len);
	return remember(r, name, zone_parse(local ? "local" : name, bytes.buf, bytes.len));
}

void resolve_zone(struct resolve *r, const struct place *place, struct subsystem_options *o)
{
	auto_free(freep) char *name = NULL;
	struct zone *z;

	if (o->policy->zone != NULL)
		return;
	name = x_strndup(o->policy->schedule + o->policy->cron->zone_at, o->policy->cron->zone_len);
	z = map_find(&r->zones, name);
	if (z == NULL)
		z = look_up(r, place, name);
	if (z == NULL)
		diag_error(r->c->diag, place, "subsystem.%s.schedule: there is no time zone "
			   "\"%.80s\"", o->name, name);
	*(struct zone **)part_resolve(AT_POLICY(zone), o) = zone_ref(z);
}
