/* For each dirty subsystem: compute the goal, feed its facts to the matrix in the order of a
 * process's life, then, if goal and state still disagree, feed that as a fact, too. Every loop here
 * is bounded: a matrix that went round in circles would be a bug, not a hot daemon. */
#include "base/json.h"
#include "base/log.h"
#include "core/action.h"
#include "core/live.h"
#include "core/publish.h"
#include "core/reconcile.h"
#include "core/request.h"

#define STEPS_MAX 64		/* of one subsystem in one visit */
#define NO_FACT FACT_COUNT

static enum reason down_reason(const struct subsystem *s)
{
	if (s->goal.up)
		return s->order_reason;		/* a bounce */
	switch (s->goal.why) {
	case GOAL_SHUTDOWN:
		return REASON_SHUTDOWN;
	case GOAL_REMOVED:
		return REASON_RELOAD;
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
		return s->state == STATE_STOPPING ? s->reason : REASON_START;
	case FACT_DONE:
	case FACT_DIED:
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
	if (fact == FACT_START_FAILED)
		action_judge_failed_start(s);
	if (fact == FACT_DIED) {
		if (s->state == STATE_STARTING && action_was_ready(s))
			step(s, FACT_READY);
		fact = action_judge_end(s);
	}
	step(s, fact);
}

/* The start that S wants and that nothing but its turn stands against; NO_FACT: none. */
static enum fact wanted_start(const struct subsystem *s)
{
	bool startable = s->state == STATE_STOPPED || s->state == STATE_FAILED ||
			 s->state == STATE_RESTARTING;

	/* Not before what is left of the last process is gone. */
	if (!s->goal.up || subsystem_has_process(s))
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

	if (alive && (!s->goal.up || s->bounce))
		fact = FACT_WANT_DOWN;
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

static void update_goal(struct subsystem *s)
{
	struct goal_inputs in = {
		.shutdown = shutdown_active(&s->core->shutdown),
		.removed = s->removed,
		.wish = s->wish,
		.config_up = s->config_up,
	};

	s->goal = goal_of(&in);
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

/* Has its first start come to an end, good or bad? */
static void update_boot(struct subsystem *s)
{
	struct core *c = s->core;

	if (!s->boot_pending)
		return;
	if (s->goal.up && (s->kick || s->state == STATE_STARTING || s->state == STATE_RESTARTING))
		return;
	s->boot_pending = false;
	c->boot_failed |= s->state == STATE_FAILED;
	c->boot_pending--;
	c->status_changed = true;
}

static void disappear(struct subsystem *s)
{
	struct core *c = s->core;

	event_send(c->chan, EVENT_SUBSYSTEM_REMOVED, publish_ident(s));
	if (s->attached)
		c->ops->output_detach(c->ops_ctx, s->slot);
	request_forget(s);
	publish_disappear(s);
	registry_remove(&c->registry, s->slot, s->name);
	subsystem_wait_cancel(s);
	turn_forget(s);
	list_remove(&s->dirty);
	subsystem_free(s);
}

static void settle_one(struct subsystem *s)
{
	int steps = 0;
	struct goal before = s->goal;

	for (;;) {
		enum fact fact;

		update_goal(s);
		fact = next_fact(s);
		if (fact == NO_FACT)
			break;
		BUG_ON(++steps > STEPS_MAX);
		feed(s, fact);
	}
	update_busy(s);
	update_boot(s);
	if (s->removed && subsystem_is_down(s)) {
		disappear(s);
		return;
	}
	if (before.up != s->goal.up || before.why != s->goal.why) {
		publish_update(s);
		request_progress(s);
	}
}

void reconcile(struct core *c)
{
	struct list *item;
	uint64_t visits = 0;

	do {
		while ((item = list_pop(&c->dirty)) != NULL) {
			BUG_ON(++visits > UINT64_C(1000) + UINT64_C(100) * c->registry.nslots);
			settle_one(list_entry(item, struct subsystem, dirty));
		}
	} while (turns_next(c));
}

void reconcile_add(struct subsystem *s, bool quietly)
{
	struct core *c = s->core;

	registry_add(&c->registry, s->slot, s->name, s);
	update_goal(s);
	publish_appear(s);
	if (!quietly)
		event_send(c->chan, EVENT_SUBSYSTEM_ADDED, publish_ident(s));
	subsystem_mark(s);
}
