/* Of use is what has an open connection when it is looked at, or got one since the last look. The
 * second is what the kernel tells about the listening socket, at most once between two looks, so a
 * busy server costs no more than an idle one. (Whoever accepts at once may be faster than the news
 * of it: then the look counts.) A wrong guess costs a start: who connects later waits in the
 * backlog. */
#include "core/idle.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "config/listen.h"
#include "core/live.h"
#include "core/sockets.h"

#define LOOKS 4				/* per timeout */
#define STEP_MIN_NS (50 * NS_PER_MS)
#define STEP_MAX_NS (10 * NS_PER_SEC)

static int64_t timeout_ns(const struct subsystem *s)
{
	return s->options->policy->idle_timeout_ms * NS_PER_MS;
}

static void plan_look(struct subsystem *s, int64_t now)
{
	int64_t step = MIN(MAX(timeout_ns(s) / LOOKS, STEP_MIN_NS), STEP_MAX_NS);
	int64_t end = s->idle->busy_mono_ns + timeout_ns(s);

	timer_arm(&s->core->timers, &s->idle->look, MIN(now + step, MAX(end, now + STEP_MIN_NS)));
}

/* The answer comes to core_looked(). False: nobody can tell. */
static bool ask(struct subsystem *s)
{
	struct core *c = s->core;
	uint32_t sockets[LISTEN_MAX];

	for (size_t i = 0; i < s->sockets.n; i++)
		sockets[i] = sockets_slot(&s->sockets, i);
	return c->ops->look(c->ops_ctx, sockets, s->sockets.n, s->slot, s->id);
}

static void judge(struct subsystem *s, bool used, int64_t now)
{
	if (used)
		s->idle->busy_mono_ns = now;
	if (now - s->idle->busy_mono_ns < timeout_ns(s)) {
		sockets_listen_on(s);
		plan_look(s, now);
		return;
	}
	s->order_reason = REASON_IDLE;
	s->bounce = true;
	s->kick = false;
	subsystem_mark(s);
}

static void look(struct timer *t)
{
	struct subsystem *s = container_of(t, struct idle, look)->owner;

	/* what needs it uses it */
	s->idle->looking = !edges_needed(s) && ask(s);
	if (!s->idle->looking)
		judge(s, true, clock_mono_ns());
}

void core_looked(struct core *c, uint32_t slot, uint64_t id, bool connected)
{
	struct subsystem *s = registry_tenant(&c->registry, slot);

	/* it may have ended meanwhile, or somebody began to need it */
	if (s == NULL || s->id != id || s->idle == NULL || !s->idle->looking)
		return;
	s->idle->looking = false;
	judge(s, connected || edges_needed(s), clock_mono_ns());
}

bool idle_watches(const struct subsystem *s)
{
	return s->idle != NULL && (s->idle->looking || timer_armed(&s->idle->look));
}

static void begin(struct subsystem *s)
{
	if (s->idle == NULL)
		s->idle = x_calloc(1, sizeof(*s->idle));
	s->idle->owner = s;
	s->idle->look.fire = look;
	s->idle->busy_mono_ns = clock_mono_ns();
	plan_look(s, s->idle->busy_mono_ns);
}

void idle_refresh(struct subsystem *s)
{
	bool wanted = timeout_ns(s) > 0 && s->state == STATE_RUNNING && subsystem_is_up(s) &&
		      s->goal.up && !s->bounce && s->sockets.n > 0;

	if (!wanted)
		idle_drop(s);
	else if (!idle_watches(s))
		begin(s);
}

void idle_connection(struct subsystem *s)
{
	if (s->idle != NULL)
		s->idle->busy_mono_ns = clock_mono_ns();
}

void idle_drop(struct subsystem *s)
{
	if (s->idle == NULL)
		return;
	s->idle->looking = false;
	timer_disarm(&s->core->timers, &s->idle->look);
}
