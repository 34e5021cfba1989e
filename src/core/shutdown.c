/* Deadlines count from the beginning (T0), not from each other. A second order starts the force
 * phase at once, and SIGKILL then follows after the interval that the configuration puts between
 * the two. A process that survives SIGKILL (stuck in the kernel) must not keep procd: after a last
 * grace it is named and left. */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/ladder.h"
#include "core/live.h"
#include "core/narrate.h"
#include "core/publish.h"
#include "core/request.h"
#include "core/roll.h"
#include "core/saved.h"

#define PROGRESS_EACH_MAX 16	/* so many subsystems are told one by one */
#define PROGRESS_PERIOD_NS (100 * NS_PER_MS)
#define PROGRESS_NAMES_MAX 64	/* names in "remaining"; total - stopped is the number */

ENUMTEXT(shutdown_mode, "shutdown mode",
	[SHUTDOWN_GRACEFUL] = "graceful", [SHUTDOWN_FORCE] = "force", [SHUTDOWN_KILL] = "kill");

ENUMTEXT(shutdown_phase, "shutdown phase",
	[PHASE_GRACEFUL] = "graceful", [PHASE_STOP_ALL] = "stop-all", [PHASE_FORCE] = "force",
	[PHASE_KILL] = "kill", [PHASE_ABANDON] = "abandon");

static const enum ladder_step phase_step[PHASE_COUNT] = {
	[PHASE_NONE] = LADDER_IDLE,		[PHASE_GRACEFUL] = LADDER_ASKED,
	[PHASE_STOP_ALL] = LADDER_ASKED_ALL,	[PHASE_FORCE] = LADDER_FORCED,
	[PHASE_KILL] = LADDER_KILLED,		[PHASE_ABANDON] = LADDER_KILLED,
};

static json_t *remaining_names(struct core *c)
{
	json_t *names = json_array();

	list_for_each(item, &c->busy) {
		if (json_array_size(names) == PROGRESS_NAMES_MAX)
			break;
		json_array_append_new(names,
			json_text(list_entry(item, struct subsystem, busy_link)->name));
	}
	return names;
}

static void tell_progress(struct core *c)
{
	struct shutdown *sd = &c->shutdown;
	json_t *j = json_object();

	sd->told_stopped = sd->total - MIN(sd->total, c->nbusy);
	sd->told_mono_ns = clock_mono_ns();
	json_object_set_new(j, "phase",
			    json_text(enumtext_name(&shutdown_phase_text, (int)sd->phase)));
	json_object_set_new(j, "stopped", json_integer(sd->told_stopped));
	json_object_set_new(j, "total", json_integer(sd->total));
	json_object_set_new(j, "remaining", remaining_names(c));
	event_send(c->chan, EVENT_SHUTDOWN_PROGRESS, j);
}

static int64_t phase_deadline(const struct core *c, enum shutdown_phase phase)
{
	const struct config *config = config_current();
	const struct shutdown *sd = &c->shutdown;

	switch (phase) {
	case PHASE_STOP_ALL:
		return sd->began_mono_ns + config->shutdown.timeout_ms * NS_PER_MS;
	case PHASE_FORCE:
		return sd->began_mono_ns + config->shutdown.force_timeout_ms * NS_PER_MS;
	case PHASE_KILL:
		return sd->kill_mono_ns;
	case PHASE_ABANDON:
		return sd->kill_mono_ns + SHUTDOWN_ABANDON_NS;
	default:
		return TIMER_NEVER;
	}
}

static void arm_next(struct core *c)
{
	struct shutdown *sd = &c->shutdown;

	timer_disarm(&c->timers, &sd->timer);
	if (sd->phase < PHASE_ABANDON)
		timer_arm(&c->timers, &sd->timer, phase_deadline(c, sd->phase + 1));
}

static void log_remaining(struct core *c, const char *what)
{
	list_for_each(item, &c->busy) {
		struct subsystem *s = list_entry(item, struct subsystem, busy_link);

		log_at(LOG_WARN, s->name, "%s (pid %d)", what, s->proc.pid);
	}
}

static void enter_phase(struct core *c, enum shutdown_phase phase)
{
	struct shutdown *sd = &c->shutdown;

	sd->phase = phase;
	if (phase == PHASE_ABANDON) {
		sd->killed = true;
		log_remaining(c, "does not end even after SIGKILL; leaving without it");
	}
	saved_store_head(c);
	tell_progress(c);
	list_for_each(item, &c->busy) {
		struct subsystem *s = list_entry(item, struct subsystem, busy_link);

		ladder_push(s, phase_step[phase]);
		subsystem_mark(s);	/* from now on it waits for no other to stop first */
	}
	if (phase == PHASE_KILL)
		tasks_kill_all(c);
	arm_next(c);
}

static void phase_due(struct timer *t)
{
	struct core *c = container_of(t, struct core, shutdown.timer);

	enter_phase(c, c->shutdown.phase + 1);
}

void shutdown_init(struct core *c)
{
	c->shutdown = (struct shutdown){ .phase = PHASE_NONE };
	c->shutdown.timer.fire = phase_due;
}

static void tell_ending(const struct core *c)
{
	if (c->ops->ending != NULL)
		c->ops->ending(c->ops_ctx);
}

static void begin(struct core *c, const char *why)
{
	struct shutdown *sd = &c->shutdown;
	json_t *j = json_object();

	sd->phase = PHASE_GRACEFUL;
	sd->orders = 1;
	sd->began_mono_ns = clock_mono_ns();
	sd->kill_mono_ns = sd->began_mono_ns +
			   config_current()->shutdown.kill_timeout_ms * NS_PER_MS;
	sd->total = c->nbusy;
	c->state = DAEMON_STOPPING;
	c->daemon_changed = true;
	saved_store_head(c);
	json_object_set_new(j, "why", json_text(why));
	json_object_set_new(j, "total", json_integer(sd->total));
	event_send(c->chan, EVENT_SHUTDOWN_STARTED, j);
	narrate_shutdown(why, sd->total);
	tell_ending(c);
	registry_for_each(s, &c->registry) {
		edges_refresh(s);
		subsystem_mark(s);
	}
	arm_next(c);
}

/* Go to PHASE now, although its time has not come. */
static void hurry(struct core *c, enum shutdown_phase phase)
{
	struct shutdown *sd = &c->shutdown;
	const struct config *config = config_current();
	int64_t now = clock_mono_ns();
	int64_t between_ms = config->shutdown.kill_timeout_ms - config->shutdown.force_timeout_ms;

	if (sd->phase >= phase)
		return;
	sd->kill_mono_ns = phase == PHASE_KILL ? now : now + MAX(between_ms, 0) * NS_PER_MS;
	enter_phase(c, phase);
}

void shutdown_request(struct core *c, enum shutdown_mode mode, const char *why)
{
	if (!shutdown_active(&c->shutdown))
		begin(c, why);
	if (mode == SHUTDOWN_FORCE)
		hurry(c, PHASE_FORCE);
	if (mode == SHUTDOWN_KILL)
		hurry(c, PHASE_KILL);
}

void shutdown_escalate(struct core *c)
{
	uint32_t orders = c->shutdown.orders++;

	shutdown_request(c, orders == 0	  ? SHUTDOWN_GRACEFUL
			    : orders == 1 ? SHUTDOWN_FORCE
					  : SHUTDOWN_KILL, "signal");
}

void shutdown_error(struct core *c, const struct subsystem *s)
{
	c->shutdown.error = true;
	log_at(LOG_ERROR, s->name, "critical subsystem failed for good: shutting down");
	shutdown_request(c, SHUTDOWN_GRACEFUL, "critical");
	saved_store_head(c);
}

int shutdown_first_step(const struct core *c)
{
	return MAX(LADDER_ASKED, (int)phase_step[c->shutdown.phase]);
}

/* Exit code of `procd run -- CMD`, as a shell would say it. */
static int main_exit_code(const struct subsystem *s)
{
	if (s->end.stage == STAGE_EXEC)
		return s->end.errnum == ENOENT ? 127 : 126;
	if (s->end.stage != STAGE_NONE)
		return 126;
	if (s->end.signal != 0)
		return 128 + s->end.signal;
	return s->end.exit_code >= 0 ? s->end.exit_code : EXIT_FAILED;
}

static int exit_code(const struct core *c)
{
	const struct subsystem *cmd = c->main_name ? registry_find(&c->registry, c->main_name)
						    : NULL;

	if (cmd != NULL && cmd->end.known)
		return main_exit_code(cmd);
	if (c->shutdown.error)
		return EXIT_FAILED;
	return c->shutdown.killed ? EXIT_KILLED : EXIT_OK;
}

/* Few are told one by one; of thousands the ring shall keep more than their countdown. */
static bool progress_is_news(const struct core *c)
{
	const struct shutdown *sd = &c->shutdown;

	if (sd->told_stopped == sd->total - MIN(sd->total, c->nbusy))
		return false;
	return sd->total <= PROGRESS_EACH_MAX || c->nbusy == 0 ||
	       clock_mono_ns() - sd->told_mono_ns >= PROGRESS_PERIOD_NS;
}

void shutdown_settled(struct core *c)
{
	struct shutdown *sd = &c->shutdown;

	if (!shutdown_active(sd) || sd->finished)
		return;
	if (progress_is_news(c))
		tell_progress(c);
	if ((c->nbusy > 0 || c->tasks.n > 0) && sd->phase != PHASE_ABANDON)
		return;
	sd->finished = true;
	timer_disarm(&c->timers, &sd->timer);
	request_abandon_all(c);
	rolls_abandon(c);
	publish_daemon(c);
	c->ops->finished(c->ops_ctx, exit_code(c));
}

void shutdown_resume(struct core *c)
{
	c->state = DAEMON_STOPPING;
	tell_ending(c);
	arm_next(c);
}
