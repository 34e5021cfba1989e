/* A start spreads downwards: what is needed or wanted is started, too. By itself that reaches only
 * what nobody has decided about; an order of people takes back stops and failures on its way. */
#include "base/alloc.h"
#include "core/edges.h"
#include "core/live.h"
#include "core/publish.h"
#include "core/saved.h"

/* Subsystems that are still to be brought up. */
struct worklist {
	struct subsystem **items;
	size_t n, cap;
};

/* Up already, or has done what it was wanted for. */
static bool is_fine(const struct edge *e)
{
	const struct subsystem *to = e->to;
	bool alive = to->state == STATE_STARTING || to->state == STATE_RUNNING;

	if ((to->goal.up && alive) || (edge_is_hard(e->kind) && !e->unmet))
		return true;
	return to->state == STATE_STOPPED && to->outcome == OUTCOME_SUCCEEDED && !to->kick &&
	       subsystem_newest(to)->type == TYPE_ONESHOT;
}

/* Append the subsystems that S calls and that have to be brought up, BY_ORDER or by itself. */
static void collect(struct subsystem *s, bool by_order, struct worklist *list)
{
	list_for_each(item, &edges_of(s)->out) {
		struct edge *e = list_entry(item, struct edge, out);
		struct subsystem *to = e->to;
		bool decided = to->wish != OPERATOR_NONE ||
			       ((to->config_up || to->pulled) && !schedule_is_idle(to) &&
				!sockets_idle(to));

		if (e->kind == EDGE_AFTER || to->removed || is_fine(e) ||
		    to->edges->visit == s->core->edge_visit || (decided && !by_order))
			continue;
		to->edges->visit = s->core->edge_visit;
		if (list->n == list->cap) {
			list->cap = MAX(list->cap * 2, (size_t)8);
			list->items = x_reallocarray(list->items, list->cap,
						     sizeof(*list->items));
		}
		list->items[list->n++] = to;
	}
}

static void bring_up(struct subsystem *s)
{
	if (s->wish == OPERATOR_DOWN)
		s->wish = OPERATOR_NONE;
	s->ill = false;
	s->pulled |= !s->config_up;
	s->order_reason = REASON_DEPENDENCY;
	if (s->state != STATE_STARTING && s->state != STATE_RUNNING)
		s->kick = true;
	edges_refresh(s);
	saved_store(s);
	subsystem_mark(s);
}

void edges_call(struct subsystem *s)
{
	struct worklist list = { 0 };

	if (s->edges == NULL || s->edges->called)
		return;
	s->edges->called = true;
	s->core->edge_visit++;
	collect(s, false, &list);
	for (size_t i = 0; i < list.n; i++)
		bring_up(list.items[i]);	/* they call on when they are looked at */
	free(list.items);
}

void edges_order_up(struct subsystem *s)
{
	struct worklist list = { 0 };

	s->core->edge_visit++;
	collect(s, true, &list);
	while (list.n > 0) {
		struct subsystem *next = list.items[--list.n];

		collect(next, true, &list);
		bring_up(next);
	}
	free(list.items);
}
