/* The edges between subsystems and what follows from them.
 *
 * A subsystem shows its neighbours a face: a few bits computed from its goal and state. When the
 * face changes, each of its edges is computed anew from the two faces at its ends, the counters of
 * both ends are adjusted, and an end whose counters changed is looked at again. The faces of an
 * acyclic graph come to rest by themselves; the configuration was refused otherwise. */
#include "core/edges.h"

#include "base/alloc.h"
#include "config/family.h"
#include "core/live.h"

enum face {
	/* bits 0 to CONDITION_COUNT - 1: the conditions that hold */
	FACE_COMING = 1 << 8,		/* something is under way that may make one hold */
	FACE_SETTLING = 1 << 9,		/* its start is under way: `after` waits */
	FACE_ORDERED_DOWN = 1 << 10,
	FACE_LEAVING = 1 << 11,		/* it is up, and will not be */
	FACE_ADOPTING = 1 << 12,	/* it is up, as will be seen in a moment */
	FACE_FRESH = 1 << 13,		/* it has not been up yet: nobody loses it */
	FACE_UP = 1 << 14,		/* it runs, and will, however well */
	FACE_UNKNOWN = 1 << 16,		/* none was computed yet */
};
#define HOLDS(condition) (1u << (condition))

const struct edge_ends *edges_of(const struct subsystem *s)
{
	static struct edge_ends none = {
		.out = LIST_HEAD_INIT(none.out), .in = LIST_HEAD_INIT(none.in),
		.work = LIST_HEAD_INIT(none.work), .face = FACE_UNKNOWN,
	};

	return s->edges != NULL ? s->edges : &none;
}

static struct edge_ends *edges_own(struct subsystem *s)
{
	if (s->edges != NULL)
		return s->edges;
	s->edges = x_malloc(sizeof(*s->edges));
	*s->edges = (struct edge_ends){ .owner = s, .face = FACE_UNKNOWN };
	list_init(&s->edges->out);
	list_init(&s->edges->in);
	list_init(&s->edges->work);
	return s->edges;
}

/* --- faces ------------------------------------------------------------------------------------ */

bool edges_wants_start(const struct subsystem *s)
{
	return s->goal.up && (s->kick || s->due) && !subsystem_has_process(s);
}

bool edges_waiting(const struct subsystem *s)
{
	return edges_wants_start(s) && edges_of(s)->unmet + edges_of(s)->stops > 0;
}

bool edges_stuck(const struct subsystem *s)
{
	return edges_wants_start(s) && edges_of(s)->stuck > 0;
}

bool edges_must_stop(const struct subsystem *s)
{
	return edges_of(s)->stops > 0;
}

bool edges_needed(const struct subsystem *s)
{
	list_for_each(item, &edges_of(s)->in) {
		const struct edge *e = list_entry(item, struct edge, in);

		if (edge_is_hard(e->kind) && !subsystem_is_down(e->from))
			return true;
	}
	return false;
}

bool edges_held(const struct subsystem *s)
{
	bool ordered = !s->goal.up || s->bounce || edges_of(s)->stops > 0;

	return ordered && edges_of(s)->holds > 0 && s->core->shutdown.phase <= PHASE_GRACEFUL;
}

static bool is_oneshot(const struct subsystem *s)
{
	return subsystem_newest(s)->type == TYPE_ONESHOT;
}

/* Where nobody is asked, being there is all that can be known. */
static bool is_healthy(const struct subsystem *s)
{
	return checkup_of(s)->health == HEALTH_HEALTHY ||
	       !config_current()->monitoring.health_checks;
}

static uint32_t conditions_of(const struct subsystem *s)
{
	bool ended = (s->state == STATE_STOPPED || s->state == STATE_FAILED) && !s->kick &&
		     !(s->facts & 1u << FACT_WILL_RESTART);
	bool succeeded = ended && s->outcome == OUTCOME_SUCCEEDED;
	bool executed = s->state == STATE_RUNNING ||
			(s->state == STATE_STARTING && s->proc.phase >= PROC_UP);
	bool stays = s->goal.up && !s->bounce && edges_of(s)->stops == 0 &&
		     s->ready.expiry == EXPIRY_NONE;
	uint32_t held = 0;

	if ((executed && stays) || (is_oneshot(s) && succeeded))
		held |= HOLDS(CONDITION_STARTED);
	if (s->state == STATE_RUNNING && stays && !is_oneshot(s))
		held |= FACE_UP;
	if (is_oneshot(s) ? succeeded : held & FACE_UP && checkup_of(s)->health != HEALTH_UNHEALTHY)
		held |= HOLDS(CONDITION_READY);
	if (s->state == STATE_RUNNING && stays && is_healthy(s))
		held |= HOLDS(CONDITION_HEALTHY);
	if (ended && s->outcome != OUTCOME_NONE)
		held |= HOLDS(CONDITION_COMPLETED);
	if (succeeded)
		held |= HOLDS(CONDITION_SUCCEEDED);
	return held;
}

static uint32_t face_of(const struct subsystem *s)
{
	bool alive = s->state == STATE_STARTING || s->state == STATE_RUNNING;
	bool ordered = (!s->goal.up && s->goal.why != GOAL_CONFIG) || edges_of(s)->ordered > 0;
	bool begins = s->goal.up && (s->kick || s->state == STATE_STARTING) && !edges_stuck(s);
	uint32_t face = conditions_of(s);

	if (begins || (s->goal.up && s->state == STATE_RUNNING))
		face |= FACE_COMING;
	if (begins || (s->goal.up && s->state == STATE_RUNNING && is_oneshot(s)))
		face |= FACE_SETTLING;
	if (ordered)
		face |= FACE_ORDERED_DOWN;
	if (s->state == STATE_STOPPING || subsystem_has_process(s) || alive)
		face |= !s->goal.up || s->bounce || edges_of(s)->stops > 0 || !alive ? FACE_LEAVING : 0;
	if (s->adopting || s->facts & 1u << FACT_ADOPTED)
		face |= FACE_ADOPTING;
	if (begins && (s->revived || (s->state <= STATE_STARTING && !s->end.known)))
		face |= FACE_FRESH;
	return face;
}

/* --- edges ------------------------------------------------------------------------------------ */

/* Do orders to stop reach over E? What has done its work may be asked to be down. */
static bool carries_stops(const struct edge *e)
{
	return edge_is_hard(e->kind) && e->condition != CONDITION_COMPLETED &&
	       e->condition != CONDITION_SUCCEEDED && !is_oneshot(e->to);
}

static struct edge meaning_of(const struct edge *e)
{
	uint32_t to = e->to->edges->face, from = e->from->edges->face;
	bool met = to & HOLDS(e->condition);
	struct edge now = *e;
	/* That it is no longer healthy stops nobody. */
	bool broken = !met && !(to & FACE_UP);

	if (edge_is_hard(e->kind)) {
		now.unmet = !met;
		now.stuck = !met && !(to & FACE_COMING);
		now.ordered = !met && carries_stops(e) && to & FACE_ORDERED_DOWN;
		now.stops = now.ordered ||
			    (e->kind == EDGE_BINDS_TO && broken &&
			     !(to & (FACE_ADOPTING | FACE_FRESH)));
	} else if (e->kind == EDGE_AFTER) {
		now.unmet = to & FACE_SETTLING;
	}
	now.holds = e->kind != EDGE_WANTS && from & FACE_LEAVING;
	return now;
}

static void work_add(struct subsystem *s)
{
	if (list_empty(&s->edges->work))
		list_append(&s->core->edge_work, &s->edges->work);
}

static uint32_t adjusted(uint32_t n, bool before, bool now)
{
	return n + now - before;
}

/* Those that are waited for stand in front, so that naming the first few is cheap. */
static void place(struct edge *e)
{
	list_remove(&e->out);
	list_append(e->unmet ? e->from->edges->out.next : &e->from->edges->out, &e->out);
}

static void edge_refresh(struct edge *e)
{
	struct edge_ends *from = e->from->edges, *to = e->to->edges;
	struct edge now = meaning_of(e);
	bool placed = now.unmet == e->unmet;

	e->from->core->edge_steps++;
	if (placed && now.stuck == e->stuck && now.stops == e->stops &&
	    now.ordered == e->ordered && now.holds == e->holds)
		return;
	from->unmet = adjusted(from->unmet, e->unmet, now.unmet);
	from->stuck = adjusted(from->stuck, e->stuck, now.stuck);
	from->stops = adjusted(from->stops, e->stops, now.stops);
	from->ordered = adjusted(from->ordered, e->ordered, now.ordered);
	to->holds = adjusted(to->holds, e->holds, now.holds);
	from->version++;
	e->unmet = now.unmet;
	e->stuck = now.stuck;
	e->stops = now.stops;
	e->ordered = now.ordered;
	e->holds = now.holds;
	if (!placed)
		place(e);
	work_add(e->from);
	subsystem_mark(e->from);
	subsystem_mark(e->to);
}

static void show(struct subsystem *s)
{
	uint32_t before = s->edges->face;

	s->edges->face = face_of(s);
	if (s->edges->face == before)
		return;
	list_for_each(item, &edges_of(s)->in)
		edge_refresh(list_entry(item, struct edge, in));
	/* What S waits for sees no more of S than whether it leaves. */
	if ((s->edges->face ^ before) & (FACE_LEAVING | FACE_UNKNOWN))
		list_for_each(item, &edges_of(s)->out)
			edge_refresh(list_entry(item, struct edge, out));
}

static void work(struct core *c)
{
	struct list *item;

	while ((item = list_pop(&c->edge_work)) != NULL)
		show(list_entry(item, struct edge_ends, work)->owner);
}

static void update_goal(struct subsystem *s)
{
	struct goal_inputs in = {
		.shutdown = shutdown_active(&s->core->shutdown),
		.removed = s->removed,
		.wish = s->wish,
		.config_up = s->config_up,
		.pulled = s->pulled,
		.ill = s->ill,
	};
	struct goal before = s->goal;

	s->goal = goal_of(&in);
	s->goal_changed |= before.up != s->goal.up || before.why != s->goal.why;
}

static bool has_edges(const struct subsystem *s)
{
	return !list_empty(&edges_of(s)->out) || !list_empty(&edges_of(s)->in);
}

void edges_refresh(struct subsystem *s)
{
	update_goal(s);
	if (!has_edges(s))
		return;
	work_add(s);
	work(s->core);
}

/* --- making them ------------------------------------------------------------------------------ */

static void add(struct subsystem *from, struct subsystem *to, enum edge_kind kind,
		enum condition condition)
{
	struct edge *e = x_calloc(1, sizeof(*e));

	e->from = from;
	e->to = to;
	e->kind = kind;
	e->condition = condition;
	list_append(&edges_own(from)->out, &e->out);
	list_append(&edges_own(to)->in, &e->in);
	from->core->nedges++;
}

/* What is on its way out makes nobody else wait by its `before`. */
static void add_one(struct subsystem *s, struct subsystem *other, enum edge_kind kind,
		    enum condition condition)
{
	if (other == NULL || other == s)
		return;
	if (kind != EDGE_BEFORE)
		add(s, other, kind, condition);
	else if (!s->removed)
		add(other, s, EDGE_AFTER, CONDITION_READY);
}

/* NAME is gone from the configuration: what is left of it, or of its instances. */
static void add_removed(struct subsystem *s, const char *name, enum edge_kind kind,
			enum condition condition)
{
	struct registry *r = &s->core->registry;
	struct subsystem *other = registry_find(r, name);

	add_one(s, other, kind, condition);
	for (uint32_t i = 0; other == NULL; i++) {
		auto_free(freep) char *instance = x_asprintf("%s@%u", name, i);
		struct subsystem *found = registry_find(r, instance);

		if (found == NULL)
			break;
		add_one(s, found, kind, condition);
	}
}

static void add_item(struct subsystem *s, enum edge_kind kind, const char *item)
{
	const struct config *config = config_current();
	auto_free(freep) char *name = NULL;
	enum condition condition;
	uint32_t first, n;
	size_t len;

	if (!edge_split(item, kind, &len, &condition))
		return;
	name = x_strndup(item, len);
	if (!config_select(config, name, &first, &n)) {
		add_removed(s, name, kind, condition);
		return;
	}
	for (uint32_t i = first; i < first + n; i++)
		add_one(s, registry_find(&s->core->registry, config->subsystems[i]->name), kind,
			condition);
}

static void edge_free(struct edge *e)
{
	list_remove(&e->out);
	list_remove(&e->in);
	free(e);
}

static void free_all(struct subsystem *s)
{
	list_for_each(item, &edges_of(s)->out)
		edge_free(list_entry(item, struct edge, out));
	list_for_each(item, &edges_of(s)->in)
		edge_free(list_entry(item, struct edge, in));
}

/* Taken over from an earlier procd together with what needs it: that it was called is forgotten. */
static void remember_calls(struct core *c)
{
	registry_for_each(s, &c->registry)
		list_for_each(item, &edges_of(s)->out) {
			struct edge *e = list_entry(item, struct edge, out);
			bool calls = e->kind != EDGE_AFTER && s->goal.up;

			if (calls && e->to->facts & 1u << FACT_ADOPTED && !e->to->config_up)
				e->to->pulled = true;
		}
}

void edges_free(struct core *c)
{
	registry_for_each(s, &c->registry)
		free_all(s);
}

static void build_for(struct subsystem *s)
{
	/* (Nothing waits for what is started by a failure: core/on_failure.c.) */
	for (int kind = 0; kind < EDGE_ON_FAILURE; kind++) {
		const struct strlist *list = edge_list(subsystem_newest(s), (enum edge_kind)kind);

		for (size_t i = 0; i < list->n; i++)
			add_item(s, (enum edge_kind)kind, list->items[i]);
	}
}

void edges_build(struct core *c)
{
	c->nedges = 0;
	registry_for_each(s, &c->registry) {
		if (has_edges(s))
			subsystem_mark(s);
		if (s->edges == NULL)
			continue;
		free_all(s);
		s->edges->unmet = s->edges->stuck = s->edges->stops = s->edges->ordered = 0;
		s->edges->holds = 0;
		s->edges->face = FACE_UNKNOWN;
		s->edges->version++;
		s->edges->called = false;
	}
	registry_for_each(s, &c->registry)
		build_for(s);
	remember_calls(c);
	registry_for_each(s, &c->registry) {
		update_goal(s);
		if (has_edges(s)) {
			subsystem_mark(s);
			work_add(s);
		}
	}
	work(c);
}

void edges_drop(struct subsystem *s)
{
	list_for_each(item, &edges_of(s)->in) {
		struct edge *e = list_entry(item, struct edge, in);
		struct edge_ends *from = e->from->edges;

		from->unmet -= e->unmet;
		from->stuck -= e->stuck;
		from->stops -= e->stops;
		from->ordered -= e->ordered;
		from->version++;
		subsystem_mark(e->from);
	}
	list_for_each(item, &edges_of(s)->out) {
		struct edge *e = list_entry(item, struct edge, out);

		e->to->edges->holds -= e->holds;
		subsystem_mark(e->to);
	}
	free_all(s);
	if (s->edges != NULL)
		list_remove(&s->edges->work);
}

void edges_shown(struct subsystem *s)
{
	if (s->edges == NULL)
		return;
	s->edges->shown = s->edges->version;
	s->edges->shown_waiting = edges_waiting(s);
}
