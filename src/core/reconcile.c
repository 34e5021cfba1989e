/* For each dirty subsystem: compute the goal, feed its facts to the matrix in the order of a
 * process's life, then, if goal and state still disagree, feed that as a fact, too. Every loop here
 * is bounded: a matrix that went round in circles would be a bug, not a hot daemon. */
#include "base/json.h"
#include "base/log.h"
#include "core/action.h"
#include "core/judge.h"
#include "core/live.h"
#include "core/publish.h"
#include "core/reconcile.h"
#include "core/request.h"

#define STEPS_MAX 64		/* of one subsystem in one visit */
#define NO_FACT FACT_COUNT

static enum reason down_reason(const struct subsystem *s)
{
	if (s->goal.up)
		return edges_must_stop(s) ? REASON_DEPENDENCY : s->order_reason;
	switch (s->goal.why) {
	case GOAL_SHUTDOWN:
		return REASON_SHUTDOWN;
	case GOAL_REMOVED:
		return s->order_reason;
	case GOAL_HEALTH:
		return REASON_HEALTH;
	default:
		return REASON_REQUEST;
	}
}

static enum reason reason_of(const struct subsystem *s, enum fact fact)
{
	switch (fact) {
	case FACT_ADOPTED:
		return REASON_ADOPTED;
	case FACT_READY:
		return s->adopting ? REASON_ADOPTED : REASON_START;
	case FACT_START_FAILED:
		return s->state == STATE_STOPPING		? s->reason
		       : s->proc.stage == STAGE_PRE_START ? REASON_HOOK
							    : REASON_START;
	case FACT_DONE:
	case FACT_DIED:
		if (s->end.expiry == EXPIRY_HEALTH)
			return REASON_HEALTH;
		if (s->end.expiry != EXPIRY_NONE)
			return s->end.expiry == EXPIRY_START ? REASON_START_TIMEOUT
							     : REASON_WATCHDOG;
		return s->end.signal != 0 ? REASON_SIGNAL : REASON_EXIT;
	case FACT_WANT_DOWN:
		return down_reason(s);
	case FACT_WANT_UP:
		return s->order_reason;
	default:
		return s->reason;	/* a consequence of what was told before */
	}
}

static void step(struct subsystem *s, enum fact fact)
{
	const struct transition *t = state_step(s->state, fact);

	action_before(s, t->action);
	if (t->next != s->state)
		publish_state(s, t->next, reason_of(s, fact));
	action_after(s, t->action);
}

static void feed(struct subsystem *s, enum fact fact)
{
	if (fact == FACT_GONE && (hooks_hold_gone(s) || overlap_holds_gone(s)))
		return;
	if (fact == FACT_START_FAILED)
		judge_failed_start(s);
	if (fact == FACT_DIED) {
		if (s->state == STATE_STARTING && judge_was_ready(s))
			step(s, FACT_READY);
		fact = judge_end(s);
	}
	step(s, fact);
}

/* The start that S wants and that nothing but its turn stands against; NO_FACT: none. */
static enum fact wanted_start(const struct subsystem *s)
{
	bool startable = s->state == STATE_STOPPED || s->state == STATE_FAILED ||
			 s->state == STATE_RESTARTING;

	/* Not before what is left of the last process is gone, and what it needs is there. */
	if (!edges_wants_start(s) || edges_waiting(s) || hooks_in_the_way(s))
		return NO_FACT;
	if (startable && s->kick)
		return FACT_WANT_UP;
	if (s->due && s->state == STATE_RESTARTING)
		return FACT_DUE;
	if (s->due && s->state == STATE_STARTING)
		return FACT_RETRY;
	return NO_FACT;
}

/* Goal and state disagree, and something can be done about it now: the fact that says so. */
static enum fact want(struct subsystem *s)
{
	bool alive = s->state == STATE_STARTING || s->state == STATE_RUNNING;
	enum fact fact = NO_FACT;

	if (alive && (!s->goal.up || s->bounce || edges_must_stop(s)) && !edges_held(s))
		fact = FACT_WANT_DOWN;
	/* Stopped for the sake of another one, it comes back after it. */
	if (fact == FACT_WANT_DOWN && s->goal.up && edges_must_stop(s)) {
		s->kick = true;
		s->order_reason = REASON_DEPENDENCY;
	}
	if (!alive)
		s->bounce = false;
	/* No end is told while something of the process is left. */
	if (s->state == STATE_RESTARTING && !s->goal.up && !subsystem_has_process(s))
		fact = FACT_WANT_DOWN;
	if (fact == NO_FACT)
		fact = wanted_start(s);
	if (fact == NO_FACT || fact == FACT_WANT_DOWN)
		turn_forget(s);
	else if (!turn_take(s, fact))
		fact = NO_FACT;
	return fact;
}

static enum fact next_fact(struct subsystem *s)
{
	enum fact fact;

	if (s->facts == 0)
		return want(s);
	fact = (enum fact)__builtin_ctz(s->facts);
	s->facts &= s->facts - 1;
	return fact;
}

static void update_busy(struct subsystem *s)
{
	struct core *c = s->core;
	bool busy = !subsystem_is_down(s);

	if (busy == s->busy)
		return;
	s->busy = busy;
	if (busy) {
		c->nbusy++;
		list_append(&c->busy, &s->busy_link);
	} else {
		c->nbusy--;
		list_remove(&s->busy_link);
	}
}

/* Count S among those whose first start will not come by itself, or no longer. */
static void count_stuck(struct subsystem *s, bool stuck)
{
	if (s->edges == NULL)
		return;
	s->core->boot_stuck += (uint32_t)stuck - (uint32_t)s->edges->boot_stuck;
	s->edges->boot_stuck = stuck;
}

/* Has its first start come to an end, good or bad? */
static void update_boot(struct subsystem *s)
{
	struct core *c = s->core;

	if (!s->boot_pending)
		return;
	if (s->goal.up && (s->kick || s->state == STATE_STARTING || s->state == STATE_RESTARTING)) {
		count_stuck(s, edges_stuck(s));
		return;
	}
	count_stuck(s, false);
	s->boot_pending = false;
	c->boot_pending--;
	c->status_changed = true;
}

static void disappear(struct subsystem *s)
{
	struct core *c = s->core;

	event_send(c->chan, EVENT_SUBSYSTEM_REMOVED, publish_ident(s));
	if (s->attached)
		c->ops->output_detach(c->ops_ctx, s->slot);
	prober_cancel(s);
	task_forget_owner(s);
	idle_drop(s);
	overlap_leave(s);
	sockets_close(s);
	edges_drop(s);
	schedule_drop(s);
	watcher_drop(s);
	publish_disappear(s);
	request_forget(s);
	registry_remove(&c->registry, s->slot, s->name);
	if (c->ops->notify_close != NULL)
		c->ops->notify_close(c->ops_ctx, s->slot);
	subsystem_wait_cancel(s);
	ready_cancel(s);
	turn_forget(s);
	list_remove(&s->dirty);
	subsystem_free(s);
}

/* What S waits for has changed: status and orders say so. */
static void show_waiting(struct subsystem *s)
{
	struct edge_ends *e = s->edges;
	bool waiting = edges_waiting(s), stuck = edges_stuck(s);

	if (e == NULL)
		return;
	if (waiting != e->shown_waiting || (waiting && e->version != e->shown))
		publish_update(s);
	if (stuck != e->shown_stuck) {
		e->shown_stuck = stuck;
		request_progress(s);
	}
}

static void settle_one(struct subsystem *s)
{
	int steps = 0;

	for (;;) {
		enum fact fact;

		hooks_turn(s);
		edges_refresh(s);
		if (edges_wants_start(s))
			edges_call(s);
		else if (s->edges != NULL)
			s->edges->called = false;
		fact = next_fact(s);
		if (fact == NO_FACT)
			break;
		BUG_ON(++steps > STEPS_MAX);
		feed(s, fact);
	}
	edges_refresh(s);
	update_busy(s);
	if (overlap_turn(s) || overlap_is_second(s))
		return;
	update_boot(s);
	schedule_refresh(s);
	idle_refresh(s);
	sockets_refresh(s);
	watcher_refresh(s);
	if (s->removed && subsystem_is_down(s) && s->overlap == NULL) {
		disappear(s);
		return;
	}
	if (s->goal_changed) {
		s->goal_changed = false;
		publish_update(s);
		request_progress(s);
	}
	if (s->ready.changed)
		publish_update(s);
	show_waiting(s);
}

void reconcile(struct core *c)
{
	struct list *item;
	uint64_t visits = 0;

	do {
		while ((item = list_pop(&c->dirty)) != NULL) {
			BUG_ON(++visits > UINT64_C(1000) + UINT64_C(100) * c->registry.nslots +
					  UINT64_C(10) * c->nedges);
			settle_one(list_entry(item, struct subsystem, dirty));
		}
	} while (turns_next(c));
}

void reconcile_add(struct subsystem *s, bool quietly)
{
	struct core *c = s->core;

	registry_add(&c->registry, s->slot, s->name, s);
	edges_refresh(s);
	publish_appear(s);
	if (!quietly)
		event_send(c->chan, EVENT_SUBSYSTEM_ADDED, publish_ident(s));
	subsystem_mark(s);
}
