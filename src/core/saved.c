/* What a subsystem is and what is kept of it, there and back. The two ways of each part stand
 * together, because whoever changes one has to change the other. */
#include "core/saved.h"

#include <signal.h>

#include "base/alloc.h"
#include "config/preload.h"
#include "core/live.h"
#include "core/on_failure.h"

#define STOP_TIMEOUT_MAX_MS (INT64_C(30) * 86400 * 1000)	/* more than anybody can configure */

/* --- parts ------------------------------------------------------------------------------------ */

static uint32_t memory_flags_of(const struct subsystem *s)
{
	uint32_t f = MEMORY_USED;

	f |= s->config_up ? MEMORY_CONFIG_UP : 0;
	f |= s->removed ? MEMORY_REMOVED : 0;
	f |= s->kick ? MEMORY_KICK : 0;
	f |= s->bounce ? MEMORY_BOUNCE : 0;
	f |= s->gave_up ? MEMORY_GAVE_UP : 0;
	f |= s->end.known ? MEMORY_END_KNOWN : 0;
	f |= s->end.core_dumped ? MEMORY_CORE_DUMPED : 0;
	f |= s->end.killed ? MEMORY_KILLED : 0;
	f |= s->end.status_lost ? MEMORY_STATUS_LOST : 0;
	f |= s->proc.tree_empty ? MEMORY_TREE_EMPTY : 0;
	f |= s->pulled ? MEMORY_PULLED : 0;
	f |= s->outcome == OUTCOME_SUCCEEDED ? MEMORY_SUCCEEDED : 0;
	f |= s->outcome == OUTCOME_FAILED ? MEMORY_ENDED_BADLY : 0;
	f |= s->boot_pending ? MEMORY_BOOT_PENDING : 0;
	f |= checkup_of(s)->health == HEALTH_HEALTHY ? MEMORY_HEALTHY : 0;
	f |= checkup_of(s)->health == HEALTH_UNHEALTHY ? MEMORY_UNHEALTHY : 0;
	f |= s->ill ? MEMORY_ILL : 0;
	f |= s->proc.post_stopped ? MEMORY_POST_STOPPED : 0;
	f |= s->ladder.commanded ? MEMORY_COMMANDED : 0;
	f |= s->ladder.obeyed ? MEMORY_OBEYED : 0;
	f |= overlap_is_second(s) ? MEMORY_SECOND : 0;
	f |= s->memory_over ? MEMORY_OVER : 0;
	return f;
}

static uint32_t readiness_of(const struct subsystem *s)
{
	const struct readiness *r = &s->ready;

	return (r->told ? MEMORY_READY_TOLD : 0) | (r->extended ? MEMORY_READY_EXTENDED : 0) |
	       (r->stopping ? MEMORY_READY_STOPPING : 0) |
	       (r->reloading ? MEMORY_READY_RELOADING : 0) |
	       (uint32_t)r->expiry << MEMORY_EXPIRY_SHIFT |
	       (uint32_t)s->end.expiry << MEMORY_END_EXPIRY_SHIFT;
}

static enum expiry expiry_of(const struct memory_entry *e, unsigned shift)
{
	return (enum expiry)(e->readiness >> shift & MEMORY_EXPIRY_MASK);
}

static void fill_readiness(struct subsystem *s, const struct memory_entry *e)
{
	s->ready.told = e->readiness & MEMORY_READY_TOLD;
	s->ready.extended = e->readiness & MEMORY_READY_EXTENDED;
	s->ready.stopping = e->readiness & MEMORY_READY_STOPPING;
	s->ready.reloading = e->readiness & MEMORY_READY_RELOADING;
	s->ready.expiry = expiry_of(e, MEMORY_EXPIRY_SHIFT);
	s->ready.deadline_mono_ns = e->ready_by_mono_ns;
	s->ready.watchdog_ns = e->watchdog_ns;
	s->ready_shown = e->state == STATE_RUNNING && s->ready.expiry == EXPIRY_NONE &&
			 checkup_of(s)->health != HEALTH_UNHEALTHY;
}

static void save_hook(const struct subsystem *s, struct memory_entry *e)
{
	const struct hook_trouble *hook = &beside_of(s)->hook;
	const struct task_result *r = &hook->result;

	if (!hook->known)
		return;
	e->hook = (uint8_t)((1 + hook->kind) | (r->started ? MEMORY_HOOK_STARTED : 0) |
			    (r->timed_out ? MEMORY_HOOK_TIMED_OUT : 0) |
			    (r->status_known ? MEMORY_HOOK_STATUS_KNOWN : 0));
	e->hook_stage = (uint8_t)r->stage;
	e->hook_errnum = (uint16_t)r->errnum;
	e->hook_status = (uint16_t)r->wait_status;
}

static void fill_hook(struct subsystem *s, const struct memory_entry *e)
{
	if ((e->hook & MEMORY_HOOK_KIND_MASK) == 0)
		return;
	beside_own(s)->hook = (struct hook_trouble){
		.known = true,
		.kind = (enum task_kind)((e->hook & MEMORY_HOOK_KIND_MASK) - 1),
		.result = {
			.started = e->hook & MEMORY_HOOK_STARTED,
			.stage = (enum spawn_stage)e->hook_stage,
			.errnum = e->hook_errnum,
			.timed_out = e->hook & MEMORY_HOOK_TIMED_OUT,
			.status_known = e->hook & MEMORY_HOOK_STATUS_KNOWN,
			.wait_status = e->hook_status,
		},
	};
}

/* The configuration does not tell any more how it is to be stopped; and it has no next run. */
static void save_stop(const struct subsystem *s, struct memory_entry *e)
{
	const struct subsystem_options *o = s->options;

	e->flags |= MEMORY_STOP_KEPT;
	e->run_ns = o->policy->stop_timeout_ms < 0 ? -1 : o->policy->stop_timeout_ms * NS_PER_MS;
	e->run_delay_ms = (uint32_t)o->policy->stop_signal;
}

void saved_stop(const struct memory_entry *e, int *signo, int64_t *timeout_ms)
{
	int64_t ms = e->run_ns / NS_PER_MS;

	if (!(e->flags & MEMORY_STOP_KEPT))
		return;
	*timeout_ms = e->run_ns < 0 || ms > STOP_TIMEOUT_MAX_MS ? TIMEOUT_UNSET : ms;
	if (e->run_delay_ms > 0 && e->run_delay_ms < NSIG)
		*signo = (int)e->run_delay_ms;
}

/* Few have anything to note; those write when it is something new. True: there is a note. */
static bool save_note(struct subsystem *s)
{
	const struct readiness *r = &s->ready;
	struct note note = { .id = s->id, .errnum = r->errnum };

	if (on_failure_cause(s) != NULL)
		note.cause = s->cause;
	if (r->status == NULL && r->errnum == 0 && note.cause == 0) {
		s->noted = false;
		return false;
	}
	if (!s->noted)
		s->note_stale = s->noted = notes_room(&s->core->notes, s->slot);
	if (!s->noted || !s->note_stale)
		return s->noted;
	snprintf(note.status, sizeof(note.status), "%s", r->status != NULL ? r->status : "");
	notes_store(&s->core->notes, s->slot, &note);
	s->note_stale = false;
	return true;
}

void saved_fill_note(struct subsystem *s, const struct memory_entry *e)
{
	struct note note;

	if (!(e->flags & MEMORY_NOTED) ||
	    !notes_load(&s->core->notes, s->slot, s->id, &note))
		return;
	s->cause = note.cause;
	s->ready.errnum = note.errnum;
	s->ready.status = note.status[0] != '\0' ? x_strdup(note.status) : NULL;
}

/* --- the whole -------------------------------------------------------------------------------- */

void saved_store(struct subsystem *s)
{
	struct memory_entry e = {
		.id = s->id,
		.spawn_id = s->proc.spawn_id,
		.event_seq = s->event_seq,
		.restart_count = s->restart_count,
		.since_mono_ns = s->since_mono_ns,
		.started_mono_ns = s->proc.started_mono_ns,
		.wait_mono_ns = s->next_restart_mono_ns,
		.ladder_mono_ns = s->ladder.began_mono_ns,
		.ready_by_mono_ns = s->ready.deadline_mono_ns,
		.watchdog_ns = s->ready.watchdog_ns,
		.readiness = readiness_of(s) |
			     (uint32_t)s->proc.profiler << MEMORY_PROFILER_SHIFT,
		.next_restart_ms = s->next_restart_ms,
		.flags = memory_flags_of(s),
		.attempt = s->attempt,
		.pid = s->proc.pid,
		.end_pid = s->end.pid,
		.exit_code = s->end.exit_code,
		.signal = s->end.signal,
		.errnum = s->end.errnum,
		.state = (uint8_t)s->state,
		.prev = (uint8_t)s->prev,
		.reason = (uint8_t)s->reason,
		.order_reason = (uint8_t)s->order_reason,
		.wish = (uint8_t)s->wish,
		.ladder_step = (uint8_t)s->ladder.step,
		.stage = (uint8_t)s->end.stage,
		.phase = (uint8_t)s->proc.phase,
	};

	if (s->removed)
		save_stop(s, &e);
	else
		schedule_save(s, &e);
	save_hook(s, &e);
	e.flags |= save_note(s) ? MEMORY_NOTED : 0;
	e.files_print = s->watcher.print;
	snprintf(e.name, sizeof(e.name), "%s", s->name);
	if (overlap_is_second(s))
		e.run_delay_ms = s->slot;
	memory_store(&s->core->memory, overlap_memory_slot(s), &e);
}

bool saved_is_sane(const struct memory_entry *e)
{
	return e->state < STATE_NSTATES && e->prev < STATE_NSTATES && e->reason < REASON_COUNT &&
	       e->order_reason < REASON_COUNT && e->wish <= OPERATOR_DOWN &&
	       e->ladder_step <= LADDER_KILLED && e->stage < STAGE_COUNT &&
	       e->phase < PROC_NPHASES && (e->hook & MEMORY_HOOK_KIND_MASK) <= TASK_NKINDS &&
	       e->hook_stage < STAGE_COUNT && e->name[0] != '\0' &&
	       (e->readiness >> MEMORY_EXPIRY_SHIFT & MEMORY_EXPIRY_MASK) < EXPIRY_COUNT &&
	       (e->readiness >> MEMORY_END_EXPIRY_SHIFT & MEMORY_EXPIRY_MASK) < EXPIRY_COUNT &&
	       (e->readiness >> MEMORY_PROFILER_SHIFT & MEMORY_PROFILER_MASK) < PRELOAD_COUNT &&
	       e->watchdog_ns >= 0;
}

void saved_fill(struct subsystem *s, const struct memory_entry *e)
{
	s->id = e->id;
	s->wish = (enum operator_wish)e->wish;
	s->config_up = e->flags & MEMORY_CONFIG_UP;
	s->kick = e->flags & MEMORY_KICK;
	s->bounce = e->flags & MEMORY_BOUNCE;
	s->pulled = e->flags & MEMORY_PULLED;
	s->outcome = e->flags & MEMORY_SUCCEEDED      ? OUTCOME_SUCCEEDED
		     : e->flags & MEMORY_ENDED_BADLY ? OUTCOME_FAILED
						     : OUTCOME_NONE;
	s->gave_up = e->flags & MEMORY_GAVE_UP;
	s->ill = e->flags & MEMORY_ILL;
	s->memory_over = e->flags & MEMORY_OVER;
	health_load(s, e->flags & MEMORY_UNHEALTHY ? HEALTH_UNHEALTHY
		       : e->flags & MEMORY_HEALTHY ? HEALTH_HEALTHY
						   : HEALTH_UNKNOWN);
	s->boot_pending = e->flags & MEMORY_BOOT_PENDING;
	s->order_reason = (enum reason)e->order_reason;
	s->state = (enum subsystem_state)e->state;
	s->prev = (enum subsystem_state)e->prev;
	s->reason = (enum reason)e->reason;
	s->since_mono_ns = e->since_mono_ns;
	s->event_seq = e->event_seq;
	s->restart_count = e->restart_count;
	s->attempt = e->attempt;
	s->next_restart_ms = e->next_restart_ms;
	s->next_restart_mono_ns = e->wait_mono_ns;
	s->ladder.step = (enum ladder_step)e->ladder_step;
	s->ladder.commanded = e->flags & MEMORY_COMMANDED;
	s->ladder.obeyed = e->flags & MEMORY_OBEYED;
	s->ladder.began_mono_ns = e->ladder_mono_ns;
	s->end = (struct ending){
		.known = e->flags & MEMORY_END_KNOWN,
		.pid = e->end_pid,
		.exit_code = e->exit_code,
		.signal = e->signal,
		.core_dumped = e->flags & MEMORY_CORE_DUMPED,
		.killed = e->flags & MEMORY_KILLED,
		.status_lost = e->flags & MEMORY_STATUS_LOST,
		.stage = (enum spawn_stage)e->stage,
		.errnum = e->errnum,
		.expiry = expiry_of(e, MEMORY_END_EXPIRY_SHIFT),
	};
	fill_readiness(s, e);
	if (!(e->flags & MEMORY_STOP_KEPT))
		schedule_load(s, e);
	s->watcher.print = e->files_print;
	s->proc = (struct process){
		.phase = (enum proc_phase)e->phase,
		.slot = s->proc.slot,
		.spawn_id = e->spawn_id,
		.pid = e->pid,
		.started_mono_ns = e->started_mono_ns,
		.status_known = true,
		.tree_empty = e->flags & MEMORY_TREE_EMPTY,
		.post_stopped = e->flags & MEMORY_POST_STOPPED,
		.profiler = e->readiness >> MEMORY_PROFILER_SHIFT & MEMORY_PROFILER_MASK,
	};
	fill_hook(s, e);
}

/* --- the instance ----------------------------------------------------------------------------- */

void saved_store_head(struct core *c)
{
	struct memory_head h = {
		.next_id = c->next_id,
		.next_spawn_id = c->next_spawn_id,
		.total_restarts = c->total_restarts,
		.generation = config_current()->generation,
		.shutdown_mono_ns = c->shutdown.began_mono_ns,
		.shutdown_kill_mono_ns = c->shutdown.kill_mono_ns,
		.shutdown_phase = c->shutdown.phase,
		.shutdown_total = c->shutdown.total,
		.shutdown_orders = c->shutdown.orders,
		.shutdown_error = c->shutdown.error,
		.shutdown_killed = c->shutdown.killed,
		.daemon_state = (uint8_t)c->state,
		.started = c->started,
		.keeper_mono_ns = c->welcome.keeper_started_mono_ns,
	};

	memory_store_head(&c->memory, &h);
}

void saved_load_head(struct core *c)
{
	struct memory_head h;
	bool shutdown;

	if (!c->memory.head_valid || !memory_load_head(&c->memory, &h))
		return;
	c->next_id = MAX(c->next_id, h.next_id);
	c->next_spawn_id = MAX(c->next_spawn_id, h.next_spawn_id);
	c->total_restarts = h.total_restarts;
	shutdown = h.shutdown_phase > PHASE_NONE && h.shutdown_phase < PHASE_COUNT;
	/* Whoever starts procd anew wants it to run: the order to end died with the keeper. */
	c->shutdown_void = shutdown && h.keeper_mono_ns != c->welcome.keeper_started_mono_ns;
	if (c->shutdown_void)
		return;
	if (h.started && h.daemon_state <= DAEMON_STOPPING)
		c->state = (enum daemon_state)h.daemon_state;
	if (!shutdown)
		return;
	c->shutdown.phase = (enum shutdown_phase)h.shutdown_phase;
	c->shutdown.began_mono_ns = h.shutdown_mono_ns;
	c->shutdown.kill_mono_ns = h.shutdown_kill_mono_ns;
	c->shutdown.total = h.shutdown_total;
	c->shutdown.orders = h.shutdown_orders;
	c->shutdown.error = h.shutdown_error;
	c->shutdown.killed = h.shutdown_killed;
}
