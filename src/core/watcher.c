/* The print of the files is saved with the order that a change of it is: so the next supervisor
 * sees what changed while nobody looked, and nothing is restarted twice for one change. */
#include "core/watcher.h"

#include "base/log.h"
#include "core/live.h"
#include "core/publish.h"

static void watch(struct subsystem *s, struct subsystem_options *o)
{
	struct core *c = s->core;

	if (c->ops->watch_files != NULL)
		c->ops->watch_files(c->ops_ctx, s->slot, s->id, o, s->watcher.print);
}

static void keep(struct watcher *w, struct subsystem_options *o)
{
	if (o != NULL)
		subsystem_options_ref(o);
	subsystem_options_unref(w->options);
	w->options = o;
}

void watcher_refresh(struct subsystem *s)
{
	struct subsystem_options *now = subsystem_newest(s), *old = s->watcher.options;
	bool same;

	now = now->policy->watch.n > 0 ? now : NULL;
	if (now == old)
		return;
	same = now != NULL && old != NULL &&
	       strlist_equal(&now->policy->watch, &old->policy->watch);
	if (old != NULL && !same)
		s->watcher.print = 0;
	keep(&s->watcher, now);		/* OLD may be gone */
	if (!same)
		watch(s, now);
}

void watcher_drop(struct subsystem *s)
{
	if (s->watcher.options != NULL)
		watch(s, NULL);
	watcher_fini(&s->watcher);
}

void watcher_fini(struct watcher *w)
{
	keep(w, NULL);
	w->print = 0;
}

/* As an order of people, but that it takes back no stop. */
static void restart(struct subsystem *s)
{
	s->order_reason = REASON_WATCH;
	s->bounce = s->state == STATE_STARTING || s->state == STATE_RUNNING;
	s->kick = true;
	edges_refresh(s);
	subsystem_mark(s);
}

void core_files_changed(struct core *c, uint32_t slot, uint64_t id, uint32_t print,
			const char *changed)
{
	struct subsystem *s = registry_at(&c->registry, slot);

	if (s == NULL || s->id != id || s->watcher.options == NULL)
		return;
	s->watcher.print = print;
	if (changed != NULL && s->goal.up) {
		log_at(LOG_INFO, s->name, "%s has changed", changed);
		restart(s);
	}
	publish_update(s);
}
