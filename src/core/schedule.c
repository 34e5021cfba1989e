/* A run that is due is an order like any other: a kick with the reason "schedule", which waits for
 * what the subsystem depends on. No two runs overlap: a time that comes during a run is told once
 * and passed over, and the next one is planned when the run is over; so a job that takes longer
 * than its period wakes nobody meanwhile. However many times were missed, what follows is one run.
 *
 * What is planned is stored together with the kick, in one piece: whoever dies in between has
 * either planned or ordered, and the next supervisor goes on from there.
 *
 * Clocks that are set: what is planned by the time of day is planned anew when that goes back. When
 * it goes forward, what it jumps over runs once, right after. Only a jump of hours says that the
 * clock was wrong before: then nothing that was planned by it, or that ran by it, counts any more.
 * A machine that sleeps has a clock that goes on, so what it sleeps through runs once when it wakes
 * up, however long that was. */
#include "core/schedule.h"

#include "base/alloc.h"
#include "base/calendar.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/live.h"
#include "core/publish.h"

#define CORRECTION_NS (INT64_C(3) * 3600 * NS_PER_SEC)
/* Less than this is the work of whoever keeps the clock right. */
#define SLEW_NS NS_PER_SEC

static struct periodic *own(struct subsystem *s);

static const struct subsystem_options *options_of(const struct subsystem *s)
{
	return subsystem_newest(s);
}

static bool is_calendar(const struct subsystem *s)
{
	return options_of(s)->policy->schedule != NULL;
}

/* A run is under way; what is left of its tree afterwards does not count. */
static bool is_running(const struct subsystem *s)
{
	return s->state == STATE_STARTING || s->state == STATE_RUNNING ||
	       s->state == STATE_STOPPING;
}

bool schedule_starts_at_once(const struct subsystem_options *o)
{
	return o->policy->schedule == NULL;
}

bool schedule_is_idle(const struct subsystem *s)
{
	return is_calendar(s) && !s->kick && s->goal.up && s->state == STATE_STOPPED &&
	       s->outcome == OUTCOME_NONE;
}

bool schedule_is_same(const struct subsystem_options *a, const struct subsystem_options *b)
{
	const struct subsystem_policy *pa = a->policy, *pb = b->policy;

	if (pa->every_ms != pb->every_ms || pa->random_delay_ms != pb->random_delay_ms)
		return false;
	if (pa->schedule == NULL || pb->schedule == NULL)
		return pa->schedule == pb->schedule;
	return strcmp(pa->schedule, pb->schedule) == 0 && zone_equal(pa->zone, pb->zone);
}

/* --- which moment ----------------------------------------------------------------------------- */

/* The first moment of the schedule after NS; 0: none. */
static int64_t moment_after(const struct subsystem *s, int64_t ns)
{
	const struct subsystem_options *o = options_of(s);
	int64_t at = cron_next(o->policy->cron, o->policy->zone, floor_div(ns, NS_PER_SEC));

	return at > INT64_MAX / NS_PER_SEC ? 0 : at * NS_PER_SEC;
}

/* After a clock was set back, nothing runs again that has run already: a job of certain hours waits
 * until the clock is past its last run, one of every hour only passes over that very moment. */
static int64_t next_moment(const struct subsystem *s, int64_t now)
{
	int64_t last = periodic_of(s)->last_real_ns, next = moment_after(s, now);

	if (last <= now || last - now >= CORRECTION_NS)
		return next;
	if (cron_is_steady(options_of(s)->policy->cron) && next != last)
		return next;
	return moment_after(s, last);
}

/* The first end of a period after NOW; 0: a start is to come first. */
static int64_t next_period(const struct subsystem *s, int64_t now)
{
	int64_t period = options_of(s)->policy->every_ms * NS_PER_MS;
	int64_t start = periodic_of(s)->start_mono_ns;

	if (start == 0 && is_running(s))	/* adopted */
		start = s->proc.started_mono_ns;
	if (start == 0)
		return s->kick || is_running(s) ? 0 : now;
	return start + ((now - start) / period + 1) * period;
}

static int64_t draw_delay(struct subsystem *s)
{
	uint64_t most = (uint64_t)options_of(s)->policy->random_delay_ms;

	return most == 0 ? 0 : (int64_t)(jitter_next(&s->core->jitter) % (most + 1)) * NS_PER_MS;
}

/* --- planning --------------------------------------------------------------------------------- */

static int64_t clock_offset_ns(void)
{
	return clock_real_ns() - clock_boot_ns();
}

static void arm(struct periodic *p)
{
	struct core *c = p->owner->core;

	if (p->next_mono_ns != 0)
		timer_arm(&c->timers, &p->period, p->next_mono_ns);
	else
		timer_disarm(&c->timers, &p->period);
	if (p->next_real_ns == 0) {
		timer_disarm(&c->calendar, &p->moment);
		return;
	}
	if (timers_next(&c->calendar) == TIMER_NEVER)	/* nobody has looked for long */
		c->clock_offset_ns = clock_offset_ns();
	timer_arm(&c->calendar, &p->moment, p->next_real_ns);
}

static void plan_nothing(struct periodic *p)
{
	p->next_mono_ns = p->next_real_ns = p->base_real_ns = 0;
}

static void plan(struct subsystem *s)
{
	struct periodic *p = own(s);

	plan_nothing(p);
	p->planned = true;
	p->held = false;
	if (is_calendar(s)) {
		p->base_real_ns = next_moment(s, clock_real_ns());
		p->next_real_ns = p->base_real_ns != 0 ? p->base_real_ns + draw_delay(s) : 0;
	} else {
		p->next_mono_ns = next_period(s, clock_mono_ns());
		if (p->next_mono_ns != 0)
			p->next_mono_ns += draw_delay(s);
	}
	arm(p);
	publish_update(s);
}

static void forget(struct subsystem *s)
{
	struct periodic *p = s->periodic;

	if (p == NULL)
		return;
	p->planned = p->held = false;
	plan_nothing(p);
	arm(p);
}

/* Something has to happen for S to be planned again, and has. */
static bool is_outdated(const struct subsystem *s)
{
	const struct periodic *p = periodic_of(s);

	if (!p->planned)
		return true;
	if (is_running(s))
		return false;
	return p->held || (!is_calendar(s) && p->next_mono_ns == 0 && !s->kick);
}

void schedule_refresh(struct subsystem *s)
{
	bool wanted = s->goal.up && subsystem_is_periodic(options_of(s));

	if (!wanted && periodic_of(s)->planned) {
		forget(s);
		publish_update(s);
	} else if (wanted && is_outdated(s)) {
		plan(s);
	}
}

void schedule_renew(struct subsystem *s)
{
	forget(s);
	subsystem_mark(s);
}

void schedule_started(struct subsystem *s)
{
	struct periodic *p;

	if (!subsystem_is_periodic(options_of(s)))
		return;
	p = own(s);
	p->start_mono_ns = clock_mono_ns();
	if (p->planned && !p->held && !is_calendar(s)) {
		p->next_mono_ns = next_period(s, p->start_mono_ns) + draw_delay(s);
		arm(p);
	}
}

void schedule_drop(struct subsystem *s)
{
	forget(s);
}

/* --- when the time has come ------------------------------------------------------------------- */

static void pass_over(struct subsystem *s, int64_t due_real_ns)
{
	struct periodic *p = own(s);
	json_t *j = publish_ident(s);
	auto_free(strbuf_fini) struct strbuf due = STRBUF_INIT;

	p->held = true;
	plan_nothing(p);
	arm(p);
	clock_format_rfc3339(due_real_ns, &due);
	json_object_set_new(j, "due_at", json_text(due.buf));
	event_send(s->core->chan, EVENT_RUN_SKIPPED, j);
	log_at(LOG_WARN, s->name, "the last run is still under way: the next one is skipped");
	publish_update(s);
}

static void order(struct subsystem *s)
{
	s->kick = true;
	s->order_reason = REASON_SCHEDULE;
	edges_refresh(s);
	plan(s);
	subsystem_mark(s);
}

static void due(struct subsystem *s, int64_t at_real_ns)
{
	if (!s->goal.up) {
		forget(s);
		publish_update(s);
	} else if (is_running(s)) {
		pass_over(s, at_real_ns);
	} else if (s->kick) {
		plan(s);	/* the run before still waits for its turn: that is the one */
	} else {
		order(s);
	}
}

static void period_over(struct timer *t)
{
	const struct periodic *p = container_of(t, struct periodic, period);

	due(p->owner, clock_real_ns() + p->next_mono_ns - clock_mono_ns());
}

static void moment_come(struct timer *t)
{
	struct periodic *p = container_of(t, struct periodic, moment);

	p->last_real_ns = p->base_real_ns;
	due(p->owner, p->next_real_ns);
}

static struct periodic *own(struct subsystem *s)
{
	if (s->periodic != NULL)
		return s->periodic;
	s->periodic = x_calloc(1, sizeof(*s->periodic));
	s->periodic->owner = s;
	s->periodic->period.fire = period_over;
	s->periodic->moment.fire = moment_come;
	return s->periodic;
}

const struct periodic *periodic_of(const struct subsystem *s)
{
	static const struct periodic nothing;

	return s->periodic != NULL ? s->periodic : &nothing;
}

void schedule_fini(struct subsystem *s)
{
	free(take(s->periodic));
}

/* The clock was set by SHIFT. */
static void clock_was_set(struct core *c, int64_t now, int64_t shift)
{
	registry_for_each(s, &c->registry) {
		const struct periodic *p = periodic_of(s);

		if (p->next_real_ns == 0)
			continue;
		/* One whose moment has come, and that only waits for its random delay, goes on
		 * waiting: nothing would come instead of it. */
		if (shift >= CORRECTION_NS || p->base_real_ns > now)
			plan(s);
	}
}

void schedule_run(struct core *c)
{
	int64_t now, offset, shift;

	if (timers_next(&c->calendar) == TIMER_NEVER)
		return;
	now = clock_real_ns();
	offset = clock_offset_ns();
	shift = offset - c->clock_offset_ns;
	c->clock_offset_ns = offset;
	if (shift <= -SLEW_NS || shift >= CORRECTION_NS)
		clock_was_set(c, now, shift);
	timers_run(&c->calendar, now);
}

/* --- over the supervisor's death -------------------------------------------------------------- */

void schedule_save(const struct subsystem *s, struct memory_entry *e)
{
	const struct periodic *p = periodic_of(s);

	if (is_calendar(s)) {
		e->flags |= MEMORY_CALENDAR;
		e->run_ns = p->next_real_ns;
		e->run_delay_ms = (uint32_t)((p->next_real_ns - p->base_real_ns) / NS_PER_MS);
		e->last_run_ns = p->last_real_ns;
	} else {
		e->run_ns = p->next_mono_ns;
		e->last_run_ns = p->start_mono_ns;
	}
}

void schedule_load(struct subsystem *s, const struct memory_entry *e)
{
	struct periodic *p;

	if (!(e->flags & MEMORY_CALENDAR) && e->run_ns == 0 && e->last_run_ns == 0)
		return;
	p = own(s);
	if (e->flags & MEMORY_CALENDAR) {
		p->next_real_ns = MAX(e->run_ns, 0);
		p->base_real_ns = MAX(p->next_real_ns - e->run_delay_ms * NS_PER_MS, 0);
		p->last_real_ns = MAX(e->last_run_ns, 0);
	} else {
		p->next_mono_ns = MAX(e->run_ns, 0);
		p->start_mono_ns = MIN(MAX(e->last_run_ns, 0), clock_mono_ns());
	}
}

/* What was planned is not later than what would be planned now: nobody has set the clock back, or
 * changed the options. A moment that passed while no procd was there at all is not made up for. */
static bool still_holds(const struct subsystem *s)
{
	const struct periodic *p = periodic_of(s);
	int64_t delay = options_of(s)->policy->random_delay_ms * NS_PER_MS, now;

	if (!subsystem_is_periodic(options_of(s)) || is_calendar(s) != (p->next_real_ns != 0))
		return false;
	if (!is_calendar(s)) {
		now = clock_mono_ns();
		return p->next_mono_ns != 0 && p->next_mono_ns - now <=
		       options_of(s)->policy->every_ms * NS_PER_MS + delay;
	}
	now = clock_real_ns();
	if (p->base_real_ns <= now)
		return s->core->welcome.recovering && p->next_real_ns - now <= delay;
	return p->base_real_ns == next_moment(s, now) && p->next_real_ns - p->base_real_ns <= delay;
}

void schedule_resume(struct subsystem *s)
{
	if (s->periodic == NULL)
		return;
	if (still_holds(s)) {
		s->periodic->planned = true;
		arm(s->periodic);
	} else {
		plan_nothing(s->periodic);
	}
}
