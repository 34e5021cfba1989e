/* The start's deadline and the watchdog's are moved without being armed anew: a sign of life is a
 * time stamp, and the timer, when it fires, looks how much is left. So a program that speaks often
 * costs no more than the reading of what it says.
 *
 * A timer that fires late says that procd itself stood still, and then what it waited for may be
 * lying in a socket that nobody has read, or the program stood still, too (a container that was
 * frozen), and goes on at this moment: so it has as long again, up to a second, before that counts.
 * The same rule gives a supervisor that follows a dead one the time to read what came meanwhile. */
#include "core/ready.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/error.h"
#include "base/units.h"
#include "config/probe.h"
#include "core/facts.h"
#include "core/live.h"
#include "core/main_pid.h"
#include "core/narrate.h"
#include "core/publish.h"

#define LATE_NS (20 * NS_PER_MS)
#define THAW_NS NS_PER_SEC
#define EXTEND_MAX_NS (24 * INT64_C(3600) * NS_PER_SEC)	/* by one message */

static enum probe_kind kind_of(const struct subsystem *s)
{
	return subsystem_ready_kind(s->options);
}

/* One that says so before it is running is ended as soon as it is. */
static void tell_ill(struct subsystem *s)
{
	if (s->ready.ill && s->state == STATE_RUNNING && s->ready.expiry == EXPIRY_NONE)
		subsystem_note(s, FACT_SILENT);
}

static int64_t ns_of_usec(uint64_t usec, int64_t max_ns)
{
	return usec >= (uint64_t)max_ns / 1000 ? max_ns : (int64_t)usec * 1000;
}

/* --- deadlines -------------------------------------------------------------------------------- */

/* When the patience with S ends, as things stand; TIMER_NEVER: it does not. */
static int64_t patience_ends(const struct subsystem *s)
{
	const struct readiness *r = &s->ready;

	if (r->expiry != EXPIRY_NONE || s->proc.phase != PROC_UP)
		return TIMER_NEVER;
	if (s->state == STATE_STARTING && !r->told && r->deadline_mono_ns != 0)
		return r->deadline_mono_ns;
	if (s->state == STATE_RUNNING && r->watchdog_ns != 0 && !r->stopping)
		return r->sign_mono_ns + r->watchdog_ns;
	return TIMER_NEVER;
}

static void rearm(struct subsystem *s)
{
	int64_t at_ns = patience_ends(s);

	s->ready.late = false;
	if (at_ns == TIMER_NEVER)
		timer_disarm(&s->core->timers, &s->ready.timer);
	else
		timer_arm(&s->core->timers, &s->ready.timer, at_ns);
}

static void fired(struct timer *t)
{
	struct subsystem *s = container_of(t, struct subsystem, ready.timer);
	int64_t now = clock_mono_ns();

	if (patience_ends(s) > now) {
		rearm(s);
		return;
	}
	if (!s->ready.late && now - t->at_ns > LATE_NS) {
		s->ready.late = true;
		timer_arm(&s->core->timers, t, now + MIN(now - t->at_ns, THAW_NS));
		return;
	}
	subsystem_note(s, s->state == STATE_STARTING ? FACT_OVERDUE : FACT_SILENT);
}

/* --- the way to ready ------------------------------------------------------------------------- */

/* All but min_uptime is there. */
static void await_min_uptime(struct subsystem *s)
{
	int64_t min_ns = s->options->policy->min_uptime_ms * NS_PER_MS;

	if (min_ns == 0)
		subsystem_note(s, FACT_READY);
	/* One that has ended meanwhile waits for its drain. */
	else if (s->proc.phase == PROC_UP)
		subsystem_wait(s, FACT_READY, s->proc.started_mono_ns + min_ns);
}

void ready_answered(struct subsystem *s)
{
	if (s->ready.told)
		return;
	s->ready.told = true;
	s->ready.changed = true;
	subsystem_mark(s);
	/* Before its exec is known, ready_begin() follows. */
	if (s->state == STATE_STARTING && s->proc.phase == PROC_UP &&
	    !(s->facts & 1u << FACT_STARTED) && s->ready.expiry == EXPIRY_NONE) {
		rearm(s);
		await_min_uptime(s);
	}
}

void ready_init(struct subsystem *s)
{
	s->ready.timer.fire = fired;
}

void ready_fini(struct subsystem *s)
{
	ready_ask_forget(s);
	free(take(s->ready.status));
}

void ready_reset(struct subsystem *s)
{
	const struct subsystem_options *o = s->options;

	ready_cancel(s);
	ready_fini(s);
	s->ready = (struct readiness){
		.timer = s->ready.timer,
		.watchdog_ns = MAX(o->policy->watchdog_ms, 0) * NS_PER_MS,
	};
}

static void set_deadline(struct subsystem *s)
{
	int64_t timeout_ns = s->options->policy->start_timeout_ms * NS_PER_MS;

	s->ready.deadline_mono_ns = timeout_ns > 0 ? s->proc.started_mono_ns + timeout_ns : 0;
}

void ready_retime(struct subsystem *s)
{
	const struct readiness *r = &s->ready;

	if (s->state != STATE_STARTING || s->proc.phase != PROC_UP || r->expiry != EXPIRY_NONE)
		return;
	if (!r->told && !r->extended) {
		set_deadline(s);
		rearm(s);
	}
	/* before its exec is known, ready_begin() follows */
	if (r->told && !(s->facts & 1u << FACT_STARTED)) {
		subsystem_wait_cancel(s);
		await_min_uptime(s);
	}
}

void ready_watch(struct subsystem *s)
{
	const struct core *c = s->core;

	if (kind_of(s) != PROBE_LOG || s->ready.told)
		return;
	/* Not for a line that the process before it has written. */
	if (overlap_is_second(s) && c->ops->output_pid != NULL) {
		c->ops->output_pid(c->ops_ctx, s->slot, 0);
		c->ops->output_pid(c->ops_ctx, s->slot, s->overlap->lead->proc.pid);
	}
	c->ops->output_watch(c->ops_ctx, s->slot, s->options, s->proc.spawn_id);
}

void core_line_matched(struct core *c, uint32_t slot, uint64_t spawn_id)
{
	struct subsystem *s = facts_subsystem(c, slot, spawn_id);

	if (s != NULL && kind_of(s) == PROBE_LOG)
		ready_answered(s);
}

void ready_begin(struct subsystem *s)
{
	struct readiness *r = &s->ready;

	if (r->deadline_mono_ns == 0)
		set_deadline(s);
	r->told |= kind_of(s) == PROBE_EXEC;
	rearm(s);
	if (r->told)
		await_min_uptime(s);
	else
		ready_ask_begin(s);
	publish_update(s);
}

void ready_entered(struct subsystem *s)
{
	s->ready.told = true;
	s->ready.sign_mono_ns = clock_mono_ns();
	rearm(s);
	tell_ill(s);
}

void ready_resume(struct subsystem *s)
{
	if (s->state == STATE_STARTING && s->ready.expiry == EXPIRY_NONE &&
	    !(s->facts & 1u << FACT_STARTED))
		ready_begin(s);
	if (s->state == STATE_RUNNING && s->ready.expiry == EXPIRY_NONE)
		ready_entered(s);	/* when it last spoke to the one before us is not known */
}

void ready_cancel(struct subsystem *s)
{
	timer_disarm(&s->core->timers, &s->ready.timer);
	ready_ask_end(s);
}

void ready_expire(struct subsystem *s)
{
	ready_cancel(s);
	s->ready.expiry = s->state == STATE_STARTING ? EXPIRY_START : EXPIRY_WATCHDOG;
}

bool ready_was(const struct subsystem *s)
{
	int64_t ran_ns = s->proc.ended_mono_ns - s->proc.started_mono_ns;

	return s->ready.told && s->ready.expiry == EXPIRY_NONE &&
	       ran_ns >= s->options->policy->min_uptime_ms * NS_PER_MS;
}

/* --- what it says ----------------------------------------------------------------------------- */

static void extend(struct subsystem *s, uint64_t usec)
{
	int64_t until = clock_mono_ns() + ns_of_usec(usec, EXTEND_MAX_NS);
	int64_t timeout_ns = s->options->policy->start_timeout_ms * NS_PER_MS;

	if (s->state != STATE_STARTING || s->ready.expiry != EXPIRY_NONE || timeout_ns == 0 ||
	    s->ready.deadline_mono_ns >= until)
		return;
	/* One that speaks before its exec is known has the usual time at least. */
	if (s->proc.phase == PROC_ASKED)
		until = MAX(until, clock_mono_ns() + timeout_ns);
	s->ready.deadline_mono_ns = until;
	s->ready.extended = true;
	s->ready.changed = true;
	subsystem_mark(s);
}

static void set_watchdog(struct subsystem *s, uint64_t usec)
{
	s->ready.watchdog_ns = usec == NOTIFY_NEVER ? 0 : ns_of_usec(usec, EXTEND_MAX_NS);
	s->ready.sign_mono_ns = clock_mono_ns();
	s->ready.changed = true;
	rearm(s);
	subsystem_mark(s);
}

static void take_text(struct subsystem *s, const struct notify_message *m)
{
	struct readiness *r = &s->ready;

	if (m->words & NOTIFY_STATUS &&
	    (r->status == NULL || strcmp(r->status, m->status) != 0)) {
		free(r->status);
		r->status = m->status[0] != '\0' ? x_strdup(m->status) : NULL;
		r->changed = s->note_stale = true;
	}
	if (m->words & NOTIFY_ERRNO && r->errnum != m->errnum) {
		r->errnum = m->errnum;
		r->changed = s->note_stale = true;
	}
	if (r->changed)
		subsystem_mark(s);
}

/* What it is about to do: only said, but nobody watches one that is about to end. */
static void take_phase(struct subsystem *s, const struct notify_message *m)
{
	struct readiness *r = &s->ready;
	bool reloading =
		m->words & NOTIFY_RELOADING || (r->reloading && !(m->words & NOTIFY_READY));
	bool stopping = m->words & NOTIFY_STOPPING || (r->stopping && !(m->words & NOTIFY_READY));

	if (reloading == r->reloading && stopping == r->stopping)
		return;
	r->reloading = reloading;
	r->stopping = stopping;
	r->changed = true;
	rearm(s);
	subsystem_mark(s);
}

static void tell_ignored(struct subsystem *s, const struct notify_message *m)
{
	if (m->words & NOTIFY_FDSTORE)
		log_at(LOG_DEBUG, s->name, "descriptors are not stored (FDSTORE=)");
	if (m->words & NOTIFY_BAD_VALUE)
		log_at(LOG_DEBUG, s->name, "a notify message has a value that makes no sense");
}

bool core_awaits_notify(const struct core *c, uint32_t slot)
{
	const struct subsystem *s = facts_subsystem_in(c, slot);

	return s != NULL && s->state == STATE_STARTING && !s->ready.told &&
	       (kind_of(s) == PROBE_NOTIFY || kind_of(s) == PROBE_FD);
}

void core_notify(struct core *c, uint32_t slot, const struct notify_message *m)
{
	struct subsystem *s = facts_subsystem_in(c, slot);

	/* also of one that has ended, whose end is not told yet */
	if (s == NULL || s->proc.phase < PROC_ASKED || s->proc.phase > PROC_ENDED)
		return;
	take_text(s, m);
	tell_ignored(s, m);
	if (m->words & NOTIFY_MAINPID)
		main_pid_named(s, m->main_pid);
	if (m->words & NOTIFY_WATCHDOG)
		s->ready.sign_mono_ns = clock_mono_ns();
	if (m->words & NOTIFY_WATCHDOG_USEC)
		set_watchdog(s, m->watchdog_usec);
	if (m->words & NOTIFY_EXTEND_TIMEOUT)
		extend(s, m->extend_usec);
	take_phase(s, m);
	if (m->words & NOTIFY_READY && kind_of(s) == PROBE_NOTIFY)
		ready_answered(s);
	if (m->words & NOTIFY_LINE && kind_of(s) == PROBE_FD)
		ready_answered(s);
	s->ready.ill |= (m->words & NOTIFY_WATCHDOG_TRIGGER) != 0;
	tell_ill(s);
}

/* --- for people ------------------------------------------------------------------------------- */

static void say_probe(const struct subsystem *s, struct strbuf *out)
{
	if (kind_of(s) == PROBE_NOTIFY) {
		strbuf_addstr(out, "READY=1");
		return;
	}
	if (kind_of(s) == PROBE_FD) {
		strbuf_addf(out, "a newline on descriptor %d", s->options->policy->ready->fd);
		return;
	}
	probe_option_format(s->options->policy->ready, out);
	if (ready_ask_detail(s) != NULL)
		strbuf_addf(out, " (%s)", ready_ask_detail(s));
}

bool ready_missed(const struct subsystem *s, struct strbuf *out)
{
	if (s->ready.expiry == EXPIRY_START)
		say_probe(s, out);
	return s->ready.expiry == EXPIRY_START;
}

bool ready_waits_for(const struct subsystem *s, struct strbuf *out)
{
	if (s->state != STATE_STARTING || s->proc.phase != PROC_UP)
		return false;
	if (s->ready.expiry != EXPIRY_NONE)
		strbuf_addstr(out, "its end: it was not ready in time");
	else if (s->ready.told)
		strbuf_addstr(out, "min_uptime to pass");
	else
		say_probe(s, out);
	return true;
}

int64_t ready_deadline(const struct subsystem *s)
{
	bool waits = s->state == STATE_STARTING && s->proc.phase == PROC_UP && !s->ready.told &&
		     s->ready.expiry == EXPIRY_NONE;

	return waits ? s->ready.deadline_mono_ns : 0;
}

bool ready_status(const struct subsystem *s, struct strbuf *out)
{
	const struct readiness *r = &s->ready;

	if (r->stopping || r->reloading)
		strbuf_addstr(out, r->stopping ? "stopping" : "reloading");
	if (r->status != NULL)
		strbuf_addf(out, "%s%s", out->len > 0 ? ": " : "", r->status);
	if (r->errnum != 0)
		strbuf_addf(out, "%s%s: %s", out->len > 0 ? " " : "", errno_name(r->errnum),
			    strerror(r->errnum));
	return out->len > 0;
}
