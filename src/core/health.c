/* One question at a time. The next one comes an interval after the last one began, or right after
 * its answer where that took longer, so a slow program is not asked more often than it answers.
 *
 * An answer becomes a fact, and settle decides what follows: nothing but the event, a stop, or an
 * end as after any failure. The fact is noted anew with each further bad answer, so what a death of
 * the supervisor or a change of options left undone is done then. That procd could not ask says
 * nothing about the program. */
#include "core/health.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/probe.h"
#include "core/live.h"
#include "core/narrate.h"
#include "core/publish.h"
#include "core/saved.h"

static void ask(struct timer *t);

static struct checkup *own(struct subsystem *s)
{
	if (s->checkup != NULL)
		return s->checkup;
	s->checkup = x_calloc(1, sizeof(*s->checkup));
	s->checkup->owner = s;
	s->checkup->timer.fire = ask;
	return s->checkup;
}

const struct checkup *checkup_of(const struct subsystem *s)
{
	static const struct checkup nothing;

	return s->checkup != NULL ? s->checkup : &nothing;
}

static bool is_wanted(const struct subsystem *s)
{
	return s->options->policy->health != NULL && config_current()->monitoring.health_checks;
}

/* It could be asked now. */
static bool is_up(const struct subsystem *s)
{
	return s->state == STATE_RUNNING && s->proc.phase == PROC_UP &&
	       s->ready.expiry == EXPIRY_NONE;
}

static int64_t interval_ns(struct subsystem *s)
{
	int64_t ns = config_health_interval_ms(config_current(), s->options) * NS_PER_MS;

	/* Those that became ready together are not asked together for ever. */
	if (s->checkup->spread)
		return ns;
	s->checkup->spread = true;
	return ns - (int64_t)(jitter_next(&s->core->jitter) % (uint64_t)(ns / 10));
}

/* The next question. */
static void arm(struct subsystem *s)
{
	struct checkup *h = own(s);
	int64_t at_ns;

	if (h->asked_mono_ns == 0)
		at_ns = s->since_mono_ns + s->options->policy->health_start_period_ms * NS_PER_MS;
	else
		at_ns = h->asked_mono_ns + interval_ns(s);
	timer_arm(&s->core->timers, &h->timer, MAX(at_ns, clock_mono_ns()));
}

static void keep_detail(struct checkup *h, const char *detail)
{
	free(h->detail);
	h->detail = x_strdup(detail);
}

static void not_made(struct subsystem *s, const char *detail)
{
	if (!s->checkup->not_made)
		log_at(LOG_WARN, s->name, "its health cannot be probed now: %s", detail);
	s->checkup->not_made = true;
}

static void answered(struct subsystem *s, enum probe_result result, const char *detail)
{
	struct checkup *h = own(s);
	bool news;

	static const enum tally_counter counters[] = {
		[PROBE_PASSED] = TALLY_HEALTH_PASSED, [PROBE_FAILED] = TALLY_HEALTH_FAILED,
		[PROBE_NOT_MADE] = TALLY_HEALTH_NOT_MADE,
	};

	h->asking = false;
	if (!is_up(s))
		return;
	tally_add(s->core->tally, counters[result], 1);
	tally_took(s->core->tally, TALLY_HEALTH, clock_mono_ns() - h->asked_mono_ns);
	arm(s);
	if (result == PROBE_NOT_MADE) {
		not_made(s, detail);
		return;
	}
	h->not_made = false;
	news = result == PROBE_FAILED || h->failures > 0;
	keep_detail(h, detail);
	if (result == PROBE_PASSED) {
		h->failures = 0;
		if (h->health != HEALTH_HEALTHY)
			subsystem_note(s, FACT_WELL);
	} else {
		h->failures += h->failures < UINT32_MAX;
		if (h->failures >= (uint32_t)s->options->policy->health_retries)
			subsystem_note(s, FACT_ILL);
	}
	if (news)
		publish_update(s);
}

static void ask(struct timer *t)
{
	struct checkup *h = container_of(t, struct checkup, timer);
	struct subsystem *s = h->owner;
	const struct subsystem_policy *p = s->options->policy;

	if (!is_up(s) || !is_wanted(s))
		return;
	h->asking = true;
	h->asked_mono_ns = clock_mono_ns();
	prober_start(s, p->health, p->health_timeout_ms * NS_PER_MS, answered);
}

static void stop_asking(struct subsystem *s)
{
	if (s->checkup == NULL)
		return;
	if (s->checkup->asking)
		prober_cancel(s);
	s->checkup->asking = false;
	timer_disarm(&s->core->timers, &s->checkup->timer);
}

void health_fini(struct subsystem *s)
{
	if (s->checkup != NULL)
		free(s->checkup->detail);
	free(take(s->checkup));
}

void health_load(struct subsystem *s, enum health verdict)
{
	if (verdict != HEALTH_UNKNOWN)
		own(s)->health = verdict;
}

void health_begin(struct subsystem *s)
{
	if (is_wanted(s) && is_up(s))
		arm(s);
}

void health_end(struct subsystem *s)
{
	stop_asking(s);
	health_fini(s);
}

bool health_judge(struct subsystem *s, enum health verdict)
{
	if (!is_up(s) || !is_wanted(s))
		return false;
	if (own(s)->health != verdict) {
		s->checkup->health = verdict;
		narrate_health(s);
		publish_health(s);
	}
	/* One that is going down anyway is not ended twice. */
	if (verdict != HEALTH_UNHEALTHY || !s->goal.up || s->bounce || edges_must_stop(s))
		return false;
	if (s->options->policy->on_unhealthy == ON_UNHEALTHY_STOP) {
		s->ill = true;		/* the goal follows */
		saved_store(s);
	}
	return s->options->policy->on_unhealthy == ON_UNHEALTHY_RESTART;
}

void health_replace(struct subsystem *s, const struct subsystem_options *next)
{
	struct checkup *h = s->checkup;

	if (h == NULL || s->next != NULL ||
	    probe_option_equal(s->options->policy->health, next->policy->health))
		return;
	stop_asking(s);
	h->failures = 0;
	h->asked_mono_ns = 0;
}

void health_retime(struct subsystem *s)
{
	bool told = checkup_of(s)->health != HEALTH_UNKNOWN;
	bool shown = checkup_of(s)->detail != NULL;

	if (is_wanted(s)) {
		if (is_up(s) && !checkup_of(s)->asking)
			arm(s);
		return;
	}
	health_end(s);
	if (told)
		publish_health(s);
	else if (shown)
		publish_update(s);
}
