/* What two subsystems' options call by the same address is one socket with two owners. Port 0 means
 * a socket of one's own: its key has its owner's name and its place there, because the address that
 * the kernel chose is in no file. After a death of the supervisor such a one is known by its
 * address without the port, in the order of the slots, which is that of the configuration.
 *
 * When the keeper died, too, the processes that were given sockets are the last who have them. Each
 * is asked for its own; what cannot be had is bound anew when the process has ended. */
#include "core/sockets.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "config/listen.h"
#include "core/action.h"
#include "core/facts.h"
#include "core/live.h"
#include "core/places.h"
#include "core/publish.h"
#include "core/saved.h"

#define PATIENCE_NS (2 * NS_PER_SEC)

struct listener {
	char *key;
	uint32_t slot;
	unsigned refs, watchers;
	bool named;	/* no owner yet, but somebody's options have exactly this address */
	bool pending;	/* it is being bound */
};

static bool any_port(const char *address)
{
	size_t n = strlen(address);

	return strncmp(address, "unix:", 5) != 0 && n > 2 && strcmp(address + n - 2, ":0") == 0;
}

static char *canonical(const char *item)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT, why = STRBUF_INIT;
	struct listen_address a;

	BUG_ON(listen_parse(item, &a, &why) < 0);	/* the configuration saw to that */
	listen_format(&a, &text);
	return x_strdup(text.buf);
}

static struct listener *add(struct core *c, uint32_t slot, const char *key)
{
	struct listener *l = x_calloc(1, sizeof(*l));

	l->slot = slot;
	l->key = x_strdup(key);
	map_put(&c->sockets.by_key, key, l);
	registry_reserve(&c->registry, slot);
	return l;
}

static void forget(struct core *c, struct listener *l)
{
	map_remove(&c->sockets.by_key, l->key);
	registry_unreserve(&c->registry, l->slot);
	free(l->key);
	free(l);
}

static void pending_begin(struct core *c, struct listener *l)
{
	l->pending = true;
	if (c->sockets.npending++ == 0)
		timer_arm(&c->timers, &c->sockets.late, clock_mono_ns() + PATIENCE_NS);
}

static void pending_end(struct core *c, struct listener *l)
{
	if (!l->pending)
		return;
	l->pending = false;
	if (--c->sockets.npending > 0)
		return;
	c->sockets.patience_over = false;
	timer_disarm(&c->timers, &c->sockets.late);
}

static void be_late(struct timer *t)
{
	struct core *c = container_of(t, struct core, sockets.late);

	c->sockets.patience_over = true;
	log_warn("sockets are still being bound; what does not need them is started meanwhile");
}

void sockets_init(struct core *c)
{
	c->sockets.late.fire = be_late;
}

bool sockets_are_coming(const struct core *c)
{
	return c->sockets.npending > 0 && !c->sockets.patience_over;
}

bool sockets_pending(const struct subsystem *s)
{
	for (size_t i = 0; i < s->sockets.n; i++)
		if (s->sockets.items[i]->pending)
			return true;
	return false;
}

static void release(struct core *c, struct listener *l)
{
	if (l == NULL || --l->refs > 0)
		return;
	pending_end(c, l);
	c->ops->unlisten(c->ops_ctx, l->slot);
	forget(c, l);
}

static void rename_key(struct core *c, struct listener *l, const char *key)
{
	map_remove(&c->sockets.by_key, l->key);
	free(l->key);
	l->key = x_strdup(key);
	map_put(&c->sockets.by_key, key, l);
}

/* Is ADDRESS what ITEM means, port 0 being any port? */
static bool means(const char *item, const char *address)
{
	return any_port(item) ? strncmp(item, address, strlen(item) - 1) == 0
			      : strcmp(item, address) == 0;
}

static char *key_of(const struct subsystem *s, size_t i, const char *address)
{
	return any_port(address) ? x_asprintf("%s %s/%zu", address, s->name, i)
				 : x_strdup(address);
}

/* A held one of ADDRESS with whatever port, that nobody names. */
static struct listener *spare(const struct core *c, const char *address)
{
	struct listener *first = NULL;

	map_for_each(slot, &c->sockets.by_key) {
		struct listener *l = slot->value;

		if (l->refs == 0 && !l->named && means(address, l->key) &&
		    strchr(l->key, ' ') == NULL && (first == NULL || l->slot < first->slot))
			first = l;
	}
	return first;
}

static struct listener *find(struct core *c, const struct subsystem *s, size_t i,
			     const char *address, char **key)
{
	struct listener *l;

	*key = key_of(s, i, address);
	l = map_find(&c->sockets.by_key, *key);
	if (l == NULL && any_port(address)) {
		l = spare(c, address);
		if (l != NULL)
			rename_key(c, l, *key);
	}
	return l;
}

/* Item I of S's options, with a reference for S; NULL: *FAILED is -errno. */
static struct listener *get(struct subsystem *s, size_t i, bool bind, int *failed)
{
	struct core *c = s->core;
	const struct subsystem_policy *p = s->options->policy;
	auto_free(freep) char *address = canonical(p->listen.items[i]), *key = NULL;
	struct listener *l = find(c, s, i, address, &key);
	uint32_t slot;

	*failed = 0;
	if (l == NULL && !bind)
		return NULL;
	if (l == NULL) {
		*failed = -ENFILE;
		if (!registry_free_slot(&c->registry, &slot))
			return NULL;
		*failed = c->ops->listen(c->ops_ctx, slot, address, s->options);
		if (*failed < 0 && *failed != -EINPROGRESS) {
			free(s->start_trouble);
			s->start_trouble = x_asprintf("%s: %s", address, strerror(-*failed));
			return NULL;
		}
		l = add(c, slot, key);
		if (*failed == -EINPROGRESS)
			pending_begin(c, l);
		*failed = 0;
	}
	l->refs++;
	return l;
}

static void watch(struct subsystem *s, bool on)
{
	struct core *c = s->core;

	if (s->sockets.watched == on)
		return;
	s->sockets.watched = on;
	for (size_t i = 0; i < s->sockets.n; i++) {
		struct listener *l = s->sockets.items[i];

		l->watchers += on ? 1u : -1u;
		if (on || l->watchers == 0)
			c->ops->await(c->ops_ctx, l->slot, on);
	}
}

static void replace(struct subsystem *s, struct listener **items, size_t n)
{
	struct socket_list old;

	watch(s, false);	/* whom it watches next, settle says */
	old = s->sockets;
	s->sockets = (struct socket_list){ .items = items, .n = n, .shown_idle = old.shown_idle };
	for (size_t i = 0; i < old.n; i++)
		release(s->core, old.items[i]);
	free(old.items);
}

/* With what there is, if not BIND. */
static int attach(struct subsystem *s, bool bind)
{
	const struct strlist *wanted = &s->options->policy->listen;
	struct listener **items;
	size_t n = 0;
	int failed = 0;

	if (wanted->n == 0 && s->sockets.n == 0)
		return 0;
	items = x_calloc(wanted->n + 1, sizeof(struct listener *));
	for (size_t i = 0; i < wanted->n && failed == 0; i++) {
		items[n] = get(s, i, bind, &failed);
		n += items[n] != NULL;
	}
	if (failed == 0) {
		replace(s, items, n);
		return 0;
	}
	while (n > 0)
		release(s->core, items[--n]);
	free(items);
	return failed;
}

int sockets_open(struct subsystem *s)
{
	return attach(s, true);
}

void sockets_close(struct subsystem *s)
{
	replace(s, NULL, 0);
}

uint32_t sockets_slot(const struct socket_list *l, size_t i)
{
	return l->items[i]->slot;
}

/* --- the end of a bind -------------------------------------------------------------------------- */

/* S has it no more; whoever calls has a reference, too. */
static void lose(struct subsystem *s, struct listener *l)
{
	struct socket_list *k = &s->sockets;
	size_t n = 0;

	watch(s, false);
	for (size_t i = 0; i < k->n; i++)
		if (k->items[i] != l)
			k->items[n++] = k->items[i];
	l->refs -= (unsigned)(k->n - n);
	k->n = n;
	subsystem_mark(s);
}

static bool has(const struct subsystem *s, uint32_t slot);

static void tell_bound(struct subsystem *s, struct listener *l, int errnum)
{
	bool waits = s->proc.binding;

	if (!has(s, l->slot))
		return;
	if (errnum != 0) {
		free(s->start_trouble);
		s->start_trouble = x_asprintf("%s: %s", l->key, strerror(errnum));
		lose(s, l);
		if (!waits)
			log_at(LOG_WARN, s->name, "cannot listen on %s; tried again at its start",
			       s->start_trouble);
	}
	if (waits && (errnum != 0 || !sockets_pending(s)))
		action_bound(s, errnum);
}

void core_bound(struct core *c, uint32_t slot, int errnum)
{
	struct listener *l = NULL;

	map_for_each(at, &c->sockets.by_key) {
		struct listener *one = at->value;

		l = one->slot == slot ? one : l;
	}
	if (l == NULL || !l->pending)
		return;
	pending_end(c, l);
	l->refs++;
	registry_for_each(s, &c->registry) {
		tell_bound(s, l, errnum);
		if (s->overlap != NULL)
			tell_bound(s->overlap->second, l, errnum);
	}
	release(c, l);
}

/* --- a start by a connection -------------------------------------------------------------------- */

bool sockets_idle(const struct subsystem *s)
{
	return subsystem_newest(s)->policy->socket_activation && s->goal.up && !s->kick &&
	       s->state == STATE_STOPPED;
}

void sockets_refresh(struct subsystem *s)
{
	bool idle = sockets_idle(s) && !subsystem_has_process(s);

	/* It would wait for ever: its start says what is wrong, and is tried again. */
	if (idle && s->sockets.n < s->options->policy->listen.n) {
		s->kick = true;
		s->order_reason = REASON_START;
		subsystem_mark(s);
		return;
	}
	watch(s, idle || idle_watches(s));
	if (idle != s->sockets.shown_idle)
		publish_update(s);
	s->sockets.shown_idle = idle;
}

void sockets_listen_on(const struct subsystem *s)
{
	for (size_t i = 0; i < s->sockets.n; i++)
		s->core->ops->await(s->core->ops_ctx, sockets_slot(&s->sockets, i), true);
}

static bool has(const struct subsystem *s, uint32_t slot)
{
	for (size_t i = 0; i < s->sockets.n; i++)
		if (s->sockets.items[i]->slot == slot)
			return true;
	return false;
}

void core_connection(struct core *c, uint32_t slot)
{
	registry_for_each(s, &c->registry) {
		if (!s->sockets.watched || !has(s, slot))
			continue;
		if (idle_watches(s)) {
			idle_connection(s);
			continue;
		}
		s->kick = true;
		s->order_reason = REASON_SOCKET;
		saved_store(s);
		subsystem_mark(s);
	}
}

/* --- after a death ----------------------------------------------------------------------------- */

bool core_socket_held(struct core *c, uint32_t slot, const char *address)
{
	if (!registry_is_free(&c->registry, slot) || map_find(&c->sockets.by_key, address) != NULL)
		return false;
	add(c, slot, address);
	return true;
}

static void note_named(struct core *c, const struct subsystem *s)
{
	for (size_t i = 0; i < s->options->policy->listen.n; i++) {
		auto_free(freep) char *address = canonical(s->options->policy->listen.items[i]);
		struct listener *l = map_find(&c->sockets.by_key, address);

		if (l != NULL)
			l->named = true;
	}
}

static struct listener *unwanted(const struct core *c)
{
	map_for_each(slot, &c->sockets.by_key) {
		struct listener *l = slot->value;

		if (l->refs == 0)
			return l;
	}
	return NULL;
}

/* The option of S that is ADDRESS, which was passed as number I; with port 0, that very one. */
static bool find_option(const struct subsystem *s, size_t i, const char *address, char **key)
{
	const struct strlist *wanted = &s->options->policy->listen;

	for (size_t n = 0; n < wanted->n; n++) {
		auto_free(freep) char *item = canonical(wanted->items[n]);

		if (means(item, address) && (n == i || !any_port(item))) {
			*key = key_of(s, n, item);
			return true;
		}
	}
	return false;
}

bool core_socket_found(struct core *c, uint32_t of, uint64_t spawn_id, size_t i,
		       const char *address, uint32_t *slot)
{
	struct subsystem *s = facts_subsystem(c, of, spawn_id);
	auto_free(freep) char *key = NULL;

	if (s == NULL || s->proc.spawn_id != spawn_id || !find_option(s, i, address, &key) ||
	    map_find(&c->sockets.by_key, key) != NULL || !registry_free_slot(&c->registry, slot))
		return false;
	add(c, *slot, key);
	return true;
}

static void forget_unowned(struct core *c)
{
	struct listener *l;

	while ((l = unwanted(c)) != NULL) {
		l->refs = 1;
		release(c, l);
	}
}

void core_sockets_found(struct core *c, uint32_t of, uint64_t spawn_id, int errnum)
{
	struct subsystem *s = facts_subsystem(c, of, spawn_id);
	size_t missing;

	if (s != NULL && s->proc.spawn_id != spawn_id)
		s = NULL;
	if (s != NULL)
		attach(s, false);
	forget_unowned(c);
	if (s == NULL)
		return;
	subsystem_mark(s);	/* whether it is in use can be seen from now on */
	missing = s->options->policy->listen.n - s->sockets.n;
	if (missing > 0)
		log_at(LOG_WARN, s->name, "%zu of its listening sockets cannot be had from its process%s"
		       "%s: bound anew at its next start", missing, errnum != 0 ? ": " : "",
		       errnum != 0 ? strerror(errnum) : "");
}

/* The keeper of S's process died and took what it held along. */
static void fetch(struct subsystem *s)
{
	const struct subsystem_options *was =
		s->core->before != NULL ? config_find(s->core->before, s->name) : NULL;
	size_t n = s->options->policy->listen.n;
	enum record_state state;
	const struct record *r = places_record(s->core, s->proc.slot, &state);

	if (s->sockets.n == n || r == NULL || state != RECORD_RUNNING ||
	    !(r->fate & RECORD_TAKEN_OVER))
		return;
	if (was != NULL)
		n = MAX(n, was->policy->listen.n);
	s->core->ops->fetch(s->core->ops_ctx, s->proc.slot, s->proc.spawn_id, n);
}

void sockets_bind(struct core *c)
{
	registry_for_each(s, &c->registry)
		if (!s->removed && !subsystem_has_process(s) && sockets_open(s) < 0)
			log_at(LOG_WARN, s->name, "cannot listen on %s; tried again at its start",
			       s->start_trouble);
}

void sockets_start(struct core *c)
{
	registry_for_each(s, &c->registry)
		note_named(c, s);
	registry_for_each(s, &c->registry) {
		if (!subsystem_has_process(s))
			continue;
		attach(s, false);
		fetch(s);
	}
	sockets_bind(c);
	forget_unowned(c);
}

void sockets_fini(struct core *c)
{
	registry_for_each(s, &c->registry)
		free(s->sockets.items);
	map_for_each(slot, &c->sockets.by_key) {
		struct listener *l = slot->value;

		free(l->key);
		free(l);
	}
	map_fini(&c->sockets.by_key);
}
