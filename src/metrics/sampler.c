/* A table of samples by slot, a timer that runs only while somebody may come back, and a cursor that
 * lets the work be done in portions. */
#include "metrics/sampler.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "config/store.h"

#define ON_THE_SPOT_NS (20 * NS_PER_MS)		/* for people */
#define SCRAPE_ON_THE_SPOT_NS (8 * NS_PER_MS)	/* the rest is as old as the scrape before */
#define MORE_ON_THE_SPOT_NS (4 * NS_PER_MS)
#define ONCE_NS (500 * NS_PER_MS)	/* a round takes less */
#define SCRAPES_APART_MAX_NS (300 * NS_PER_SEC)
#define PORTION 32		/* per turn of the loop */

/* A subsystem with a memory_soft_limit. */
struct watch {
	char name[NAME_CAP];
	uint32_t slot;			/* where it was found last */
	uint64_t limit;
	uint64_t spawn_id;		/* of the process that LEVEL is about */
	enum { LEVEL_UNKNOWN, LEVEL_OVER, LEVEL_UNDER } level;
};

struct sampler {
	struct sampler_setup setup;
	struct loop_timer timer;
	struct sample **by_slot;
	uint32_t nslots;
	size_t watch_cursor;	/* where the next portion begins: first those with a limit, */
	uint32_t cursor;	/* then those that somebody asked about */
	bool running;		/* the timer is set */
	int cgroup_fd;
	bool cgroup_known;
	uint64_t taken;
	int64_t scraped_ns;	/* the last time; 0: never */
	struct loop_timer before_scrape;
	struct watch *watches;
	size_t nwatches;
};

/* --- one sample -------------------------------------------------------------------------------- */

struct subject {
	uint64_t id, spawn_id;
	struct resource_target target;
};

/* Does the keeper still answer for PID, the process SPAWN_ID (0: whichever it is) in PLACE? As long as
 * it does, PID has not been reaped, so nobody else can have the number. */
static const struct record *living(const struct sampler *s, uint32_t place, pid_t pid,
				   uint64_t spawn_id)
{
	const struct records *records = s->setup.records;
	const struct record *r;

	if (records == NULL || place >= atomic_load(&records->header->nslots))
		return NULL;
	r = record_get(records, place);
	return atomic_load(&r->state) == RECORD_RUNNING && r->pid == pid &&
	       (spawn_id == 0 || r->spawn_id == spawn_id) ? r : NULL;
}

/* False: nobody is in SLOT who can be looked at. */
static bool find_subject(const struct sampler *s, uint32_t slot, struct subject *out)
{
	const struct board_record *b;
	const struct record *r;

	memset(out, 0, sizeof(*out));
	rcu_enter();
	b = board_get(s->setup.board, slot);
	if (b != NULL && b->pid > 0) {
		out->id = b->id;
		out->target.pid = b->pid;
		out->target.slot = b->place;
	}
	rcu_leave();
	r = out->target.pid > 0 ? living(s, out->target.slot, out->target.pid, 0) : NULL;
	if (r == NULL)
		return false;
	out->spawn_id = r->spawn_id;
	out->target.start_ticks = r->start_ticks;	/* of one that was adopted */
	out->target.parent = s->setup.records->header->keeper_pid;
	out->target.cgroup_fd = s->cgroup_fd;
	return true;
}

static bool same_process(const struct sample *p, const struct subject *who)
{
	return p->id == who->id && p->spawn_id == who->spawn_id && p->pid == who->target.pid;
}

static struct sample **place_of(struct sampler *s, uint32_t slot)
{
	if (slot >= s->nslots) {
		uint32_t n = MAX(slot + 1, MAX(s->nslots * 2, 16u));

		s->by_slot = x_reallocarray(s->by_slot, n, sizeof(struct sample *));
		memset(s->by_slot + s->nslots, 0, (n - s->nslots) * sizeof(struct sample *));
		s->nslots = n;
	}
	return &s->by_slot[slot];
}

static void forget(struct sample **place)
{
	if (*place != NULL)
		free((*place)->more);
	free(*place);
	*place = NULL;
}

/* Those who end take their time with them, unless somebody waited for them: the sum may fall, what
 * is told must not. */
static void account(struct sample *p, const struct resources *now, int64_t at_ns)
{
	uint64_t used = now->cpu_us > p->now.cpu_us ? now->cpu_us - p->now.cpu_us : 0;

	if (p->at_mono_ns != 0 && at_ns > p->at_mono_ns)
		p->cpu_percent = (double)used * 100000 / (double)(at_ns - p->at_mono_ns);
	p->cpu_us += used;
	p->now = *now;
	p->at_mono_ns = at_ns;
}

/* What belonged to another process goes; who wants to know stays. */
static void begin_anew(struct sample *p, const struct subject *who)
{
	free(p->more);
	*p = (struct sample){
		.id = who->id, .spawn_id = who->spawn_id, .pid = who->target.pid, .cpu_percent = -1,
		.asked_mono_ns = p->asked_mono_ns, .more_wanted = p->more_wanted,
	};
}

static void take_more(struct sample *p, const struct resource_target *t)
{
	if (p->more == NULL)
		p->more = x_calloc(1, sizeof(*p->more));
	resources_read_more(t, p->more);
}

/* Take a sample of SLOT now; with MORE, also what metrics tell. */
static void take_sample(struct sampler *s, uint32_t slot, bool more)
{
	struct sample **place = place_of(s, slot);
	struct subject who;
	struct resources now;

	if (!find_subject(s, slot, &who) || !resources_read(&who.target, &now) ||
	    living(s, who.target.slot, who.target.pid, who.spawn_id) == NULL) {
		forget(place);
		return;
	}
	s->taken++;
	if (*place == NULL)
		*place = x_calloc(1, sizeof(**place));
	if (!same_process(*place, &who) || (*place)->now.start_ticks != now.start_ticks)
		begin_anew(*place, &who);
	account(*place, &now, clock_mono_ns());
	if (more && (*place)->more_wanted)
		take_more(*place, &who.target);
}

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

static void forget_all(struct sampler *s)
{
	for (uint32_t i = 0; i < s->nslots; i++)
		forget(&s->by_slot[i]);
	free(s->by_slot);
	s->by_slot = NULL;
	s->nslots = s->cursor = 0;
	s->watch_cursor = 0;
}

static bool wanted(const struct sample *p, int64_t now)
{
	return p != NULL && p->asked_mono_ns != 0 &&
	       now - p->asked_mono_ns <= SAMPLER_AFTER_MS * NS_PER_MS;
}

/* --- memory_soft_limit ------------------------------------------------------------------------- */

/* Both lists are in the order of their configurations: the next is mostly at *GUESS. */
static const struct watch *watch_find(const struct watch *list, size_t n, const char *name,
				      size_t *guess)
{
	for (size_t i = 0; i < n; i++) {
		const struct watch *w = &list[(*guess + i) % n];

		if (strcmp(w->name, name) != 0)
			continue;
		*guess = (size_t)(w - list) + 1;
		return w;
	}
	return NULL;
}

static size_t watches_count(const struct config *config)
{
	size_t n = 0;

	for (size_t i = 0; i < config->nsubsystems; i++)
		n += config->subsystems[i]->policy->memory_soft_limit != 0;
	return n;
}

/* Inside a read section. What is known of one whose limit stays is kept. */
static void watches_read(struct sampler *s, const struct config *config)
{
	struct watch *old = s->watches;
	size_t nold = s->nwatches, guess = 0;

	s->nwatches = 0;
	s->watches = x_calloc(watches_count(config) + 1, sizeof(*s->watches));
	for (size_t i = 0; i < config->nsubsystems; i++) {
		const struct subsystem_options *o = config->subsystems[i];
		const struct watch *before;
		struct watch *w = &s->watches[s->nwatches];

		if (o->policy->memory_soft_limit == 0)
			continue;
		before = watch_find(old, nold, o->name, &guess);
		if (before != NULL && before->limit == o->policy->memory_soft_limit)
			*w = *before;
		else
			*w = (struct watch){ .slot = (uint32_t)i,
					     .limit = o->policy->memory_soft_limit };
		snprintf(w->name, sizeof(w->name), "%s", o->name);
		s->nwatches++;
	}
	free(old);
}

/* Where the subsystem is now; inside a read section. NULL: nowhere. */
static const struct board_record *watched(const struct sampler *s, struct watch *w)
{
	const struct board_record *r = w->slot < board_slots(s->setup.board) ?
		board_get(s->setup.board, w->slot) : NULL;

	if (r == NULL || strcmp(r->name, w->name) != 0)
		r = board_find(s->setup.board, w->name);
	if (r != NULL)
		w->slot = r->slot;
	return r;
}

static void judge(struct sampler *s, struct watch *w, const struct sample *p)
{
	bool over = p->now.rss_bytes > w->limit;
	struct sampler_news news = {
		.slot = w->slot, .spawn_id = p->spawn_id, .over = over,
		.value = p->now.rss_bytes, .limit = w->limit,
	};

	if (w->spawn_id != p->spawn_id)
		w->level = LEVEL_UNKNOWN;
	w->spawn_id = p->spawn_id;
	if (over ? w->level == LEVEL_OVER :
	    w->level == LEVEL_UNDER || news.value >= w->limit / 10 * 9)
		return;
	w->level = over ? LEVEL_OVER : LEVEL_UNDER;
	s->setup.tell(s->setup.ctx, &news);
}

static void look_at(struct sampler *s, struct watch *w)
{
	const struct sample *p = NULL;
	const struct board_record *r;
	bool runs;

	rcu_enter();
	r = watched(s, w);
	runs = r != NULL && r->pid > 0;
	rcu_leave();
	if (!runs)
		return;
	take_sample(s, w->slot, false);
	p = s->by_slot[w->slot];
	if (p != NULL)
		judge(s, w, p);
}

/* --- one round --------------------------------------------------------------------------------- */

/* One portion. True: the round is over. What was sampled a moment ago waits for the next one: from
 * so short a time nothing could be told. */
static bool portion(struct sampler *s, int64_t now, int64_t interval, bool *anyone)
{
	int n = 0;

	for (; n < PORTION && s->watch_cursor < s->nwatches; n++)
		look_at(s, &s->watches[s->watch_cursor++]);
	for (; n < PORTION && s->cursor < s->nslots; s->cursor++) {
		if (!wanted(s->by_slot[s->cursor], now))
			continue;
		*anyone = true;
		if (now - s->by_slot[s->cursor]->at_mono_ns < interval / 2)
			continue;
		take_sample(s, s->cursor, true);
		n++;
	}
	if (s->watch_cursor < s->nwatches || s->cursor < s->nslots)
		return false;
	s->watch_cursor = s->cursor = 0;
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
		forget_all(s);
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
	struct sample *p = *place_of(s, slot);
	struct subject who;

	if (!find_subject(s, slot, &who))
		return false;
	if (p == NULL)
		p = *place_of(s, slot) = x_calloc(1, sizeof(*p));
	if (scrape)
		want_once(p, now);
	else
		p->asked_mono_ns = now;
	p->more_wanted = p->more_wanted || scrape;
	if (same_process(p, &who) && fresh(s, p, now, interval) && (!scrape || p->more != NULL))
		return false;
	if (now > end)
		return true;
	take_sample(s, slot, scrape && end - now > SCRAPE_ON_THE_SPOT_NS - MORE_ON_THE_SPOT_NS);
	return false;
}

static void ask_all(struct sampler *s, const uint32_t *slots, size_t n, bool scrape)
{
	bool tracking, was_running = s->running, late = false;
	int64_t end = clock_mono_ns() + (scrape ? SCRAPE_ON_THE_SPOT_NS : ON_THE_SPOT_NS);
	int64_t interval = interval_ns(&tracking);

	if (!tracking) {
		forget_all(s);
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
	forget_all(s);
	closep(&s->cgroup_fd);
	free(s->watches);
	free(s);
}
