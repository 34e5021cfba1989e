/* Where the kernel cannot tell, one has to ask again: at once, then after pauses that double up to
 * a second, so a quick program is not kept waiting and a slow one is not pestered. No question is
 * waited for longer than the start itself may take, and one to a socket not longer than that of a
 * lost packet: a listener that does not answer yet is asked anew. */
#include "core/ready_ask.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "config/probe.h"
#include "core/live.h"
#include "core/ready.h"

#define PAUSE_FIRST_NS (20 * NS_PER_MS)
#define PAUSE_MAX_NS NS_PER_SEC
#define SOCKET_TIMEOUT_NS (5 * NS_PER_SEC)
#define COMMAND_TIMEOUT_NS (30 * NS_PER_SEC)

static bool is_asked(const struct subsystem *s)
{
	return PROBE_MASK(subsystem_ready_kind(s->options)) & PROBES_HEALTH;
}

static int64_t timeout_of(const struct subsystem *s)
{
	int64_t most = subsystem_ready_kind(s->options) == PROBE_COMMAND ? COMMAND_TIMEOUT_NS
									: SOCKET_TIMEOUT_NS;
	int64_t deadline = ready_deadline(s);

	/* The deadline itself is somebody else's. */
	if (deadline != 0)
		most = MIN(most, MAX(deadline - clock_mono_ns(), PAUSE_FIRST_NS));
	return most;
}

static void answered(struct subsystem *s, enum probe_result result, const char *detail)
{
	struct ready_ask *a = s->ready.ask;

	a->asking = false;
	if (result == PROBE_PASSED) {
		ready_answered(s);
		return;
	}
	if (a->detail == NULL || strcmp(a->detail, detail) != 0) {
		free(a->detail);
		a->detail = x_strdup(detail);
		s->ready.changed = true;
		subsystem_mark(s);
	}
	timer_arm(&s->core->timers, &a->timer, clock_mono_ns() + a->pause_ns);
	a->pause_ns = MIN(a->pause_ns * 2, PAUSE_MAX_NS);
}

static void ask(struct timer *t)
{
	struct ready_ask *a = container_of(t, struct ready_ask, timer);
	struct subsystem *s = a->owner;

	a->asking = true;
	prober_start(s, s->options->policy->ready, timeout_of(s), answered);
}

void ready_ask_begin(struct subsystem *s)
{
	struct ready_ask *a = s->ready.ask;

	if (!is_asked(s) || (a != NULL && a->asking))
		return;
	if (a == NULL)
		s->ready.ask = a = x_calloc(1, sizeof(*a));
	a->owner = s;
	a->timer.fire = ask;
	a->pause_ns = PAUSE_FIRST_NS;
	timer_arm(&s->core->timers, &a->timer, clock_mono_ns());
}

void ready_ask_end(struct subsystem *s)
{
	struct ready_ask *a = s->ready.ask;

	if (a == NULL)
		return;
	if (a->asking)
		prober_cancel(s);
	a->asking = false;
	timer_disarm(&s->core->timers, &a->timer);
}

void ready_ask_forget(struct subsystem *s)
{
	if (s->ready.ask != NULL)
		free(s->ready.ask->detail);
	free(take(s->ready.ask));
}

const char *ready_ask_detail(const struct subsystem *s)
{
	return s->ready.ask != NULL ? s->ready.ask->detail : NULL;
}
