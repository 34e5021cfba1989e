/* A stop ends, whatever the program does.
 *
 * With stop_timeout there are two steps. Without it the three deadlines of [shutdown] count from
 * the beginning of the stop; while procd itself shuts down they count from that beginning and the
 * shutdown pushes everybody up together. A repeated SIGKILL is the keeper's work. */
#include "base/clock.h"
#include "core/hooks.h"
#include "core/ladder.h"
#include "core/live.h"
#include "core/publish.h"
#include "core/saved.h"
#include "keeper/record.h"

/* As it was started: the keeper says that it is gone when nothing is left of what it was told to
 * look after then, and by now the key may say something else. */
static enum signal_scope scope_of(const struct subsystem *s)
{
	const struct records *all = s->core->records;
	bool tree = s->options->policy->kill_mode == KILL_MODE_GROUP;

	if (all != NULL &&
	    s->proc.slot < atomic_load_explicit(&all->header->nslots, memory_order_acquire)) {
		const struct record *r = record_get(all, s->proc.slot);

		if (atomic_load_explicit(&r->state, memory_order_acquire) != RECORD_FREE &&
		    r->spawn_id == s->proc.spawn_id)
			tree = r->flags & PLAN_TREE;
	}
	return tree ? SCOPE_TREE : SCOPE_MAIN;
}

static void send_signal(struct subsystem *s, int signo, bool then_cont)
{
	struct core *c = s->core;

	c->ops->signal(c->ops_ctx, s->proc.slot, s->proc.spawn_id, signo, scope_of(s), then_cont);
}

static void take_step(struct subsystem *s, enum ladder_step step)
{
	const struct config *config = config_current();
	/* Of one that hangs a core dump tells where, and no handler need run. */
	int ask = s->ready.expiry == EXPIRY_WATCHDOG ? SIGABRT : s->options->policy->stop_signal;
	int signo = step == LADDER_KILLED   ? SIGKILL
		    : step == LADDER_FORCED ? config->shutdown.force_signal
					    : ask;

	s->ladder.step = step;
	if (step == LADDER_ASKED && hooks_stop(s)) {
		publish_update(s);
		return;
	}
	hooks_climb(s);
	/* Only they were waited for. */
	if (s->proc.tree_empty) {
		saved_store(s);
		return;
	}
	if (step == LADDER_KILLED || signo == SIGKILL) {
		s->end.killed = step >= LADDER_FORCED;
		if (s->core->shutdown.phase != PHASE_NONE && step >= LADDER_FORCED)
			s->core->shutdown.killed = true;
	}
	send_signal(s, signo, signo != SIGKILL);
	saved_store(s);
}

/* The step after the current one, and when; TIMER_NEVER: not by our own clock. */
static enum ladder_step next_step(const struct subsystem *s, int64_t *at_ns)
{
	const struct config *config = config_current();
	const struct shutdown *sd = &s->core->shutdown;
	enum ladder_step next = s->ladder.step + 1;
	int64_t ms;

	if (s->options->policy->stop_timeout_ms != TIMEOUT_UNSET) {
		*at_ns = s->ladder.began_mono_ns + s->options->policy->stop_timeout_ms * NS_PER_MS;
		return LADDER_KILLED;
	}
	ms = next == LADDER_ASKED_ALL ? config->shutdown.timeout_ms
	     : next == LADDER_FORCED  ? config->shutdown.force_timeout_ms
				      : config->shutdown.kill_timeout_ms;
	*at_ns = s->ladder.began_mono_ns + ms * NS_PER_MS;
	if (shutdown_active(sd) && s->ladder.began_mono_ns >= sd->began_mono_ns)
		*at_ns = TIMER_NEVER;
	return next;
}

static void arm(struct subsystem *s)
{
	int64_t at_ns;

	timer_disarm(&s->core->timers, &s->ladder.timer);
	if (s->ladder.step == LADDER_IDLE || s->ladder.step == LADDER_KILLED)
		return;
	next_step(s, &at_ns);
	if (at_ns != TIMER_NEVER)
		timer_arm(&s->core->timers, &s->ladder.timer, at_ns);
}

void ladder_begin(struct subsystem *s)
{
	if (s->ladder.step != LADDER_IDLE)
		return;
	s->ladder.began_mono_ns = clock_mono_ns();
	s->ladder.commanded = s->ladder.obeyed = false;
	s->end.killed = false;
	take_step(s, (enum ladder_step)shutdown_first_step(s->core));
	arm(s);
}

void ladder_retime(struct subsystem *s)
{
	arm(s);
}

void ladder_ask(struct subsystem *s)
{
	int signo = s->options->policy->stop_signal;

	s->ladder.obeyed = false;
	if (s->ladder.step == LADDER_ASKED)
		send_signal(s, signo, signo != SIGKILL);
}

void ladder_climb(struct subsystem *s)
{
	int64_t at_ns;

	if (s->ladder.step == LADDER_IDLE || s->ladder.step == LADDER_KILLED)
		return;
	take_step(s, next_step(s, &at_ns));
	arm(s);
}

void ladder_push(struct subsystem *s, enum ladder_step step)
{
	if (s->ladder.step == LADDER_IDLE || s->ladder.step >= step)
		return;
	take_step(s, step);
	arm(s);
}

void ladder_resume(struct subsystem *s)
{
	if (s->ladder.step == LADDER_IDLE)
		return;
	take_step(s, s->ladder.step);
	arm(s);
}

void ladder_end(struct subsystem *s)
{
	timer_disarm(&s->core->timers, &s->ladder.timer);
	s->ladder.step = LADDER_IDLE;
	s->ladder.commanded = s->ladder.obeyed = false;
	s->ladder.began_mono_ns = 0;
}
