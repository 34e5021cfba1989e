/* An address belongs to one subsystem; its instances share it. What else may be bound there, or may
 * not be bound at all, the kernel knows when it is tried. */
#include "base/map.h"
#include "config/check.h"
#include "config/family.h"
#include "config/listen.h"

/* Where item number AT of key NAME of subsystem NODE was written. */
static struct place place_of(const struct candidate *c, uint32_t node, const char *name, size_t at)
{
	struct schema_key key;

	BUG_ON(schema_find(&c->index, "subsystem", name, strlen(name), &key) < 0);
	return item_of_list_place(c, node, key.key, at);
}

/* Are these two the same subsystem, or instances of one? */
static bool same_family(const char *a, const char *b)
{
	size_t len, other;

	if (strcmp(a, b) == 0)
		return true;
	return instance_number(a, &len) >= 0 && instance_number(b, &other) >= 0 && len == other &&
	       strncmp(a, b, len) == 0;
}

static void check_one(const struct candidate *c, uint32_t node, const struct subsystem_options *o,
		      size_t at, struct map *owners)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT, why = STRBUF_INIT;
	struct listen_address a;
	struct place place = place_of(c, node, "listen", at);
	const char *owner;
	bool any_port;

	/* its type saw to that */
	BUG_ON(listen_parse(o->policy->listen.items[at], &a, &why) < 0);
	listen_format(&a, &text);
	any_port = a.addr.any.sa_family != AF_UNIX && a.addr.in.sin_port == 0;
	owner = map_find(owners, text.buf);
	if (owner == NULL)
		map_put(owners, text.buf, o->name);
	else if (owner == o->name && !any_port)
		diag_error(c->diag, &place, "subsystem.%s.listen: %s stands there twice", o->name,
			   text.buf);
	else if (owner != o->name && !any_port && !same_family(owner, o->name))
		diag_error(c->diag, &place, "subsystem.%s.listen: %s is taken by %s", o->name,
			   text.buf, owner);
}

void check_listen(const struct candidate *c, const struct config *config)
{
	struct map owners = MAP_INIT;

	for (uint32_t i = 0; i < config->nsubsystems; i++) {
		const struct subsystem_options *o = config->subsystems[i];
		struct place place;

		if (o->policy->listen.n == 0 && !o->policy->socket_activation &&
		    o->policy->idle_timeout_ms <= 0)
			continue;
		place = place_of(c, i, "listen", 0);
		if (o->policy->listen.n > LISTEN_MAX)
			diag_error(c->diag, &place, "subsystem.%s.listen: at most %d sockets",
				   o->name, LISTEN_MAX);
		if (o->policy->listen.n > 0 && subsystem_ready_kind(o) == PROBE_FD &&
		    o->policy->ready->fd < 3 + (int)o->policy->listen.n)
			diag_error(c->diag, &place, "subsystem.%s.listen: its sockets are the "
				   "descriptors 3 to %u; ready = \"fd:%d\" is among them", o->name,
				   2 + o->policy->listen.n, o->policy->ready->fd);
		if (o->policy->listen.n == 0 && o->policy->socket_activation &&
		    !check_bad_in(c, c->owners[i], AT_POLICY(listen))) {
			place = place_of(c, i, "socket_activation", 0);
			diag_error(c->diag, &place, "subsystem.%s.socket_activation: there is no "
				   "socket to wait at; name one with listen", o->name);
		}
		if (o->policy->idle_timeout_ms > 0 && !o->policy->socket_activation &&
		    !check_bad_in(c, c->owners[i], AT_POLICY(socket_activation))) {
			place = place_of(c, i, "idle_timeout", 0);
			diag_error(c->diag, &place, "subsystem.%s.idle_timeout: nothing would start it "
				   "again; set socket_activation, too", o->name);
		}
		for (size_t at = 0; at < o->policy->listen.n; at++)
			check_one(c, i, o, at, &owners);
	}
	map_fini(&owners);
}
