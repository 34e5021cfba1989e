/* Two gates, one behind the other.
 *
 * The budget is for crash loops only. Orders of people, the first start of everything and the
 * restart of what had run for a while never ask it; so one healthy service that dies in the middle
 * of a storm of others does not stand in their queue. Retries of starts that the machine had no
 * resources for do ask: they are the storm of a machine in trouble.
 *
 * The number in flight is for all. Who passed the budget and finds that full keeps what it paid,
 * and waits behind those that never ask: an order is not to wait for a burst of crash loops. Nor
 * does it overtake them when a place becomes free just as it comes: crash loops come all the
 * time. */
#include "base/clock.h"
#include "core/live.h"
#include "core/narrate.h"
#include "core/publish.h"
#include "core/sockets.h"
#include "core/turn.h"

#define TELL_PERIOD_NS (60 * NS_PER_SEC)

static bool lived_long(const struct subsystem *s)
{
	return s->proc.pid != 0 &&
	       s->proc.ended_mono_ns - s->proc.started_mono_ns >= BUDGET_QUICK_NS;
}

static bool asks_the_budget(const struct subsystem *s, enum fact fact)
{
	return fact != FACT_WANT_UP && !(fact == FACT_DUE && lived_long(s));
}

static void tell_held(struct core *c)
{
	struct turns *t = &c->turns;
	int64_t now = clock_mono_ns();

	if (t->told_mono_ns != 0 && now - t->told_mono_ns < TELL_PERIOD_NS)
		return;
	t->told_mono_ns = now;
	narrate_budget(BUDGET_RATE);
}

static void arm(struct core *c, int64_t at_ns)
{
	timer_arm(&c->timers, &c->turns.timer, MAX(at_ns, clock_mono_ns() + TURN_BATCH_NS));
}

/* Out of the list it is in, if any. */
static void leave(struct subsystem *s)
{
	struct core *c = s->core;

	list_remove(&s->turn_link);
	s->turn_held = false;
	if (list_empty(&c->turns.held))
		timer_disarm(&c->timers, &c->turns.timer);
}

static void budget_due(struct timer *timer)
{
	struct core *c = container_of(timer, struct core, turns.timer);
	struct turns *t = &c->turns;
	int64_t now = clock_mono_ns();

	while (!list_empty(&t->held)) {
		struct subsystem *s = list_entry(t->held.next, struct subsystem, turn_link);
		int64_t at_ns = budget_take(&t->budget, c->registry.n, now);

		if (at_ns != 0) {
			arm(c, at_ns);
			return;
		}
		leave(s);
		s->turn_paid = true;
		subsystem_mark(s);
	}
}

void turns_init(struct core *c)
{
	list_init(&c->turns.first);
	list_init(&c->turns.queue);
	list_init(&c->turns.held);
	c->turns.timer.fire = budget_due;
}

static void hold(struct subsystem *s, int64_t until_ns)
{
	struct core *c = s->core;

	list_remove(&s->turn_link);
	list_append(&c->turns.held, &s->turn_link);
	s->turn_held = true;
	publish_update(s);
	if (!timer_armed(&c->turns.timer))
		arm(c, until_ns);
	tell_held(c);
}

/* True: paid, or free. */
static bool pay(struct subsystem *s, enum fact fact)
{
	struct core *c = s->core;
	struct turns *t = &c->turns;
	int64_t at_ns = 0;

	if (s->turn_paid || !asks_the_budget(s, fact))
		return true;
	if (s->turn_held)
		return false;
	/* Nobody overtakes. */
	if (list_empty(&t->held))
		at_ns = budget_take(&t->budget, c->registry.n, clock_mono_ns());
	s->turn_paid = list_empty(&t->held) && at_ns == 0;
	if (!s->turn_paid)
		hold(s, at_ns);
	return s->turn_paid;
}

/* Would S overtake somebody? Those that wait for sockets are in nobody's way. */
static bool overtakes(const struct subsystem *s, enum fact fact)
{
	const struct turns *t = &s->core->turns;

	return !s->turn_called && asks_the_budget(s, fact) && !sockets_are_coming(s->core) &&
	       !(list_empty(&t->first) && list_empty(&t->queue));
}

bool turn_take(struct subsystem *s, enum fact fact)
{
	struct turns *t = &s->core->turns;
	bool overtaking;

	if (!pay(s, fact))
		return false;
	overtaking = overtakes(s, fact);
	s->turn_called = false;
	if (t->inflight < TURN_INFLIGHT_MAX && !overtaking &&
	    (fact != FACT_WANT_UP || !sockets_are_coming(s->core))) {
		leave(s);
		return true;
	}
	if (s->turn_held)
		leave(s);
	if (list_empty(&s->turn_link))
		list_append(asks_the_budget(s, fact) ? &t->queue : &t->first, &s->turn_link);
	return false;
}

void turn_forget(struct subsystem *s)
{
	s->turn_paid = s->turn_called = false;
	leave(s);
}

void turn_begun(struct subsystem *s)
{
	s->turn_paid = false;
	s->proc.inflight = true;
	s->core->turns.inflight++;
}

void turn_answered(struct subsystem *s)
{
	if (!s->proc.inflight)
		return;
	s->proc.inflight = false;
	s->core->turns.inflight--;
}

bool turns_next(struct core *c)
{
	struct turns *t = &c->turns;
	struct list *item;

	if (sockets_are_coming(c))
		return !list_empty(&c->dirty);
	for (uint32_t i = t->inflight; i < TURN_INFLIGHT_MAX; i++) {
		item = list_pop(&t->first);
		if (item == NULL)
			item = list_pop(&t->queue);
		if (item == NULL)
			break;
		struct subsystem *s = list_entry(item, struct subsystem, turn_link);

		s->turn_called = true;
		subsystem_mark(s);
	}
	return !list_empty(&c->dirty);
}
