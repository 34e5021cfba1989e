/* What the keeper and the output side say. Each fact is checked against the process that the slot
 * holds now (a repeated or late one changes nothing), noted, and left for settle. */
#include "base/alloc.h"
#include "base/clock.h"
#include "core/action.h"
#include "core/facts.h"
#include "core/live.h"
#include "core/main_pid.h"
#include "core/narrate.h"
#include "keeper/record.h"

struct subsystem *facts_subsystem(const struct core *c, uint32_t slot, uint64_t spawn_id)
{
	struct subsystem *s = registry_tenant(&c->registry, slot);

	if (s == NULL || s->proc.spawn_id == spawn_id)
		return s;
	return s->overlap != NULL && s->overlap->second->proc.spawn_id == spawn_id
		       ? s->overlap->second
		       : NULL;
}

struct subsystem *facts_subsystem_in(const struct core *c, uint32_t slot)
{
	struct subsystem *s = registry_tenant(&c->registry, slot);

	if (s == NULL || s->proc.slot == slot)
		return s;
	return s->overlap != NULL && s->overlap->second->proc.slot == slot ? s->overlap->second
									    : NULL;
}

static struct subsystem *subsystem_of(struct core *c, uint32_t slot, uint64_t spawn_id)
{
	struct subsystem *s = facts_subsystem(c, slot, spawn_id);

	return s != NULL && subsystem_has_process(s) ? s : NULL;
}

static void note_started(struct subsystem *s, int pid, int64_t at_mono_ns)
{
	s->proc.phase = PROC_UP;
	s->proc.pid = pid;
	s->memory_over = false;
	s->proc.started_mono_ns = at_mono_ns;
	action_output_pid(s, pid);
	subsystem_note(s, FACT_STARTED);
	main_pid_known(s);
}

void core_keeper_started(struct core *c, const struct km_started *m)
{
	struct subsystem *s = subsystem_of(c, m->slot, m->spawn_id);

	if (task_fact_started(c, m) || s == NULL || s->proc.phase != PROC_ASKED)
		return;
	turn_answered(s);
	if (m->stage == STAGE_NONE) {
		tally_took(c->tally, TALLY_SPAWN, m->at_mono_ns - s->proc.asked_mono_ns);
		s->proc.missing = m->missing;
		narrate_missing(s);
		note_started(s, m->pid, m->at_mono_ns);
		return;
	}
	action_output_pid(s, -1);
	s->proc.stage = m->stage < STAGE_COUNT ? (enum spawn_stage)m->stage : STAGE_PLAN;
	s->proc.errnum = m->errnum;
	subsystem_note(s, action_is_our_trouble(s, s->proc.stage, m->errnum) ? FACT_DEFERRED
									     : FACT_START_FAILED);
}

void facts_ended(struct subsystem *s)
{
	subsystem_wait_cancel(s);
	s->proc.phase = PROC_ENDED;
	subsystem_note(s, FACT_DIED);
}

void facts_exited(struct subsystem *s, int wait_status, int64_t at_mono_ns, bool tree_empty,
		  bool silent)
{
	struct core *c = s->core;

	s->proc.phase = PROC_DRAINING;
	s->proc.wait_status = wait_status;
	s->proc.status_known = wait_status != WAIT_STATUS_UNKNOWN;
	s->proc.ended_mono_ns = at_mono_ns;
	s->proc.tree_empty = tree_empty;
	if (!s->attached || silent) {
		facts_ended(s);
		return;
	}
	c->ops->output_drain(c->ops_ctx, s->slot, s->proc.spawn_id);
	/* The last lines come first, but a stuck disk delays no restart. */
	subsystem_wait(s, FACT_DIED, clock_mono_ns() + DRAIN_MAX_NS);
}

/* Then there is no last line to wait for, and the log thread need not wake up to say so. */
static bool printed_nothing(const struct subsystem *s, const struct km_exited *m)
{
	const struct core *c = s->core;

	return m->fifos_empty && c->ops->output_silent != NULL &&
	       c->ops->output_silent(c->ops_ctx, s->slot);
}

void core_keeper_exited(struct core *c, const struct km_exited *m)
{
	struct subsystem *s = subsystem_of(c, m->slot, m->spawn_id);

	if (task_fact_exited(c, m) || s == NULL ||
	    (s->proc.phase != PROC_ASKED && s->proc.phase != PROC_UP))
		return;
	turn_answered(s);
	if (s->proc.phase == PROC_ASKED)
		note_started(s, m->pid, m->at_mono_ns);
	if (!main_pid_holds_end(s, m->wait_status, m->at_mono_ns, m->tree_left == 0))
		facts_exited(s, m->wait_status, m->at_mono_ns, m->tree_left == 0,
			     printed_nothing(s, m));
}

void core_keeper_gone(struct core *c, uint32_t slot, uint64_t spawn_id)
{
	struct subsystem *s = subsystem_of(c, slot, spawn_id);

	if (task_fact_gone(c, slot, spawn_id) || s == NULL)
		return;
	main_pid_gone(s);
	if (s->proc.phase < PROC_DRAINING)
		return;
	s->proc.tree_empty = true;
	if (s->proc.phase == PROC_REST)
		subsystem_note(s, FACT_GONE);
}

void core_drained(struct core *c, uint32_t slot, uint64_t spawn_id, const char *tail)
{
	struct subsystem *s = subsystem_of(c, slot, spawn_id);

	if (task_fact_drained(c, slot, spawn_id, tail) || s == NULL ||
	    s->proc.phase != PROC_DRAINING)
		return;
	free(s->end_tail);
	s->end_tail = x_strdup(tail);
	facts_ended(s);
}
