/* A table of samples by slot, a timer that runs only while somebody may come back, and a cursor
 * that lets the work be done in portions. */
#include "metrics/sampler_inner.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "config/store.h"

#define ON_THE_SPOT_NS (20 * NS_PER_MS)		/* for people */
#define MEANWHILE_NS (NS_PER_MS / 2)		/* ... while a round is on its way to the rest */
#define SCRAPE_ON_THE_SPOT_NS (5 * NS_PER_MS)	/* the rest is as old as the scrape before */
#define MORE_ON_THE_SPOT_NS (2 * NS_PER_MS)
#define ONCE_NS (500 * NS_PER_MS)	/* a round takes less */
#define SCRAPES_APART_MAX_NS (300 * NS_PER_SEC)
#define PORTION 32		/* per turn of the loop */

/* --- the timer --------------------------------------------------------------------------------- */

static int64_t interval_ns(bool *tracking)
{
	int64_t ms;

	rcu_enter();
	ms = config_current()->monitoring.metrics_interval_ms;
	*tracking = config_current()->monitoring.track_resources;
	rcu_leave();
	return ms * NS_PER_MS;
}

static bool wanted(const struct sample *p, int64_t now)
{
	return p != NULL && p->asked_mono_ns != 0 &&
	       now - p->asked_mono_ns <= SAMPLER_AFTER_MS * NS_PER_MS;
}

/* --- one round --------------------------------------------------------------------------------- */

/* One portion. True: the round is over. What was sampled a moment ago waits for the next one: from
 * so short a time nothing could be told. */
static bool portion(struct sampler *s, int64_t now, int64_t interval, bool *anyone)
{
	int n = 0;

	for (; n < PORTION && s->watch_cursor < s->nwatches; n++)
		watch_look(s, &s->watches[s->watch_cursor++]);
	for (; n < PORTION && s->cursor < s->nslots; s->cursor++) {
		if (!wanted(s->by_slot[s->cursor], now))
			continue;
		*anyone = true;
		if (now - s->by_slot[s->cursor]->at_mono_ns < interval / 2)
			continue;
		sample_take(s, s->cursor, true);
		n++;
	}
	if (s->watch_cursor < s->nwatches || s->cursor < s->nslots)
		return false;
	s->watch_cursor = s->cursor = 0;
	if (s->setup.records != NULL)
		records_unmap_idle(s->setup.records);	/* each was looked at; not soon again */
	return true;
}

static void arm(struct sampler *s, int64_t after_ns)
{
	s->running = after_ns >= 0;
	loop_timer_set(&s->timer, after_ns);
}

/* A round is as long as the interval, and begins where somebody may ask again. */
static void on_timer(struct loop_timer *t)
{
	struct sampler *s = container_of(t, struct sampler, timer);
	bool tracking, anyone = s->cursor > 0 || s->nwatches > 0;
	int64_t interval = interval_ns(&tracking);

	if (!tracking) {
		samples_forget(s);
		arm(s, -1);
	} else if (!portion(s, clock_mono_ns(), interval, &anyone)) {
		arm(s, 0);
	} else {
		arm(s, anyone ? interval : -1);
	}
}

static void find_cgroup(struct sampler *s)
{
	if (s->cgroup_known || s->setup.records == NULL)
		return;
	s->cgroup_fd = resources_cgroup_open(s->setup.records->header);
	s->cgroup_known = true;
}

void sampler_reconfigure(struct sampler *s)
{
	const struct config *config;
	bool tracking;
	int64_t interval = interval_ns(&tracking);

	rcu_enter();
	config = config_current();
	if (tracking)
		watches_read(s, config);
	else
		s->nwatches = 0;
	rcu_leave();
	s->watch_cursor = 0;
	if (!tracking || s->nwatches == 0)
		return;
	find_cgroup(s);
	arm(s, interval);
}

/* --- questions --------------------------------------------------------------------------------- */

static bool fresh(const struct sampler *s, const struct sample *p, int64_t now, int64_t interval)
{
	return p->at_mono_ns != 0 && (s->running || now - p->at_mono_ns < interval);
}

/* For one round; nobody comes back soon. */
static void want_once(struct sample *p, int64_t now)
{
	p->asked_mono_ns = MAX(p->asked_mono_ns, now - SAMPLER_AFTER_MS * NS_PER_MS + ONCE_NS);
}

/* One of those who are asked about; at once if there is time until END. True: there was none. */
static bool ask_one(struct sampler *s, uint32_t slot, int64_t interval, int64_t end, bool scrape)
{
	int64_t now = clock_mono_ns();
	struct sample *p = *sample_place(s, slot);
	struct subject who;

	if (!sample_subject(s, slot, &who))
		return false;
	if (p == NULL)
		p = *sample_place(s, slot) = x_calloc(1, sizeof(*p));
	if (scrape)
		want_once(p, now);
	else
		p->asked_mono_ns = now;
	p->more_wanted = p->more_wanted || scrape;
	if (sample_is_of(p, &who) && fresh(s, p, now, interval) && (!scrape || p->more != NULL))
		return false;
	if (now > end)
		return true;
	sample_take(s, slot, scrape && end - now > SCRAPE_ON_THE_SPOT_NS - MORE_ON_THE_SPOT_NS);
	return false;
}

static void ask_all(struct sampler *s, const uint32_t *slots, size_t n, bool scrape)
{
	bool tracking, was_running = s->running, late = false;
	int64_t end = clock_mono_ns() + (scrape ? SCRAPE_ON_THE_SPOT_NS :
					 s->cursor > 0 ? MEANWHILE_NS : ON_THE_SPOT_NS);
	int64_t interval = interval_ns(&tracking);

	if (!tracking) {
		samples_forget(s);
		return;
	}
	find_cgroup(s);
	for (size_t i = 0; i < n; i++)
		late = ask_one(s, slots != NULL ? slots[i] : (uint32_t)i, interval, end, scrape) ||
		       late;
	if (late)
		arm(s, 0);
	else if (!was_running && s->nslots > 0)
		arm(s, interval);
}

void sampler_ask(struct sampler *s, const uint32_t *slots, size_t n)
{
	ask_all(s, slots, n, false);
}

static void on_before_scrape(struct loop_timer *t)
{
	struct sampler *s = container_of(t, struct sampler, before_scrape);
	int64_t now = clock_mono_ns();

	for (uint32_t i = 0; i < s->nslots; i++)
		if (s->by_slot[i] != NULL && s->by_slot[i]->more_wanted)
			want_once(s->by_slot[i], now);
	if (!s->running)
		arm(s, 0);
}

/* The next one is expected as long after this as this after the one before. */
void sampler_scrape(struct sampler *s)
{
	int64_t now = clock_mono_ns(), apart = now - s->scraped_ns;
	bool tracking;
	int64_t lead = MIN(interval_ns(&tracking), NS_PER_SEC) / 2;
	uint32_t n;

	rcu_enter();
	n = board_slots(s->setup.board);
	rcu_leave();
	ask_all(s, NULL, n, true);
	if (tracking && s->scraped_ns != 0 && apart < SCRAPES_APART_MAX_NS &&
	    apart > SAMPLER_AFTER_MS * NS_PER_MS + 2 * lead)
		loop_timer_set(&s->before_scrape, apart - lead);
	s->scraped_ns = now;
}

const struct sample *sampler_get(const struct sampler *s, const struct board_record *r)
{
	const struct sample *p = s != NULL && r->slot < s->nslots ? s->by_slot[r->slot] : NULL;

	return p != NULL && p->at_mono_ns != 0 && p->id == r->id && p->pid == r->pid ? p : NULL;
}

uint64_t sampler_taken(const struct sampler *s)
{
	return s->taken;
}

/* --- life -------------------------------------------------------------------------------------- */

struct sampler *sampler_new(const struct sampler_setup *setup)
{
	struct sampler *s = x_calloc(1, sizeof(*s));

	s->setup = *setup;
	s->cgroup_fd = -1;
	loop_timer_init(&s->timer, setup->loop, on_timer);
	loop_timer_init(&s->before_scrape, setup->loop, on_before_scrape);
	return s;
}

void sampler_free(struct sampler *s)
{
	if (s == NULL)
		return;
	loop_timer_set(&s->timer, -1);
	loop_timer_set(&s->before_scrape, -1);
	samples_forget(s);
	closep(&s->cgroup_fd);
	free(s->watches);
	free(s);
}
