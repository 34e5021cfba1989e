/* Second part: what was begun is taken up, and what happened meanwhile is told. */
#include "core/recovery.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/action.h"
#include "core/facts.h"
#include "core/hooks.h"
#include "core/ladder.h"
#include "core/live.h"
#include "core/narrate.h"
#include "core/places.h"
#include "core/publish.h"
#include "core/saved.h"

#define READY_EVENT 1		/* may follow an end at once: ready_changed */
#define LEFT_ALONE_TOLD 200	/* in one event, which has a bounded size; all are in the log */

static void attach(struct subsystem *s)
{
	if (s->attached || overlap_is_second(s))
		return;
	action_attach(s);
	if (s->proc.pid != 0)
		action_output_pid(s, s->proc.pid);
	if (s->state == STATE_STARTING && s->proc.phase != PROC_NONE)
		ready_watch(s);
}

static void take_process(struct subsystem *s, const struct record *r)
{
	bool same = s->proc.spawn_id == r->spawn_id;

	s->proc.spawn_id = r->spawn_id;
	s->proc.pid = r->pid;
	s->proc.started_mono_ns = r->started_mono_ns;
	s->proc.status_known = true;
	if (s->state == STATE_STARTING && (!same || s->proc.phase != PROC_UP))
		subsystem_note(s, FACT_STARTED);
	else if (s->state != STATE_STARTING && s->state != STATE_RUNNING &&
		 s->state != STATE_STOPPING)
		subsystem_note(s, FACT_ADOPTED);
	s->proc.phase = PROC_UP;
	s->proc.tree_empty = false;
}

/* What it was given to speak to procd through: where the keeper lives that is still there, with all
 * that was said meanwhile. */
static void resume_ways(struct subsystem *s)
{
	const struct subsystem_options *o = s->options;
	struct core *c = s->core;
	const char *path;
	int r;

	if (s->proc.phase == PROC_NONE || !subsystem_speaks(o) || c->ops->notify_open == NULL)
		return;
	r = c->ops->notify_open(c->ops_ctx, s->proc.slot, subsystem_uid(o), false, &path);
	if (r < 0)
		log_at(LOG_WARN, s->name, "cannot hear what it says: %s", strerror(-r));
}

static void resume_timers(struct subsystem *s)
{
	resume_ways(s);
	if (s->proc.phase == PROC_UP)
		ready_resume(s);
	if (s->state == STATE_RUNNING)
		health_retime(s);
	else
		health_end(s);
	if (s->state == STATE_RUNNING && s->attempt > 0 && s->proc.phase == PROC_UP)
		subsystem_wait(s, FACT_STABLE, s->proc.started_mono_ns +
			       s->options->policy->restart_reset_after_ms * NS_PER_MS);
	if (s->state == STATE_RESTARTING) {
		if (s->next_restart_mono_ns == 0)
			s->due = true;
		else
			subsystem_wait(s, FACT_DUE, s->next_restart_mono_ns);
	}
}

static void resume_stop(struct subsystem *s)
{
	if (s->ladder.step == LADDER_IDLE)
		ladder_begin(s);
	else
		ladder_resume(s);
}

/* Its end was told, and only what is left of its tree may live. */
static void resume_rest(struct subsystem *s, const struct record *r, enum record_state state)
{
	s->proc.spawn_id = r->spawn_id;
	s->proc.phase = PROC_REST;
	s->proc.tree_empty = state == RECORD_GONE;
	if (state != RECORD_GONE || task_running(s, TASK_STOP))
		resume_stop(s);
	if (state == RECORD_GONE)
		subsystem_note(s, FACT_GONE);
}

/* End it, and let it begin anew where it is wanted: that it died was no failure. */
static void execute(struct subsystem *s)
{
	if (s->state != STATE_STARTING && s->state != STATE_RUNNING)
		return;
	s->kick = s->goal.up;
	s->order_reason = REASON_START;
	publish_state(s, STATE_STOPPING, REASON_ADOPTED);
}

static void resume_ended(struct subsystem *s, const struct record *r, enum record_state state)
{
	bool told = s->proc.spawn_id == r->spawn_id && s->id != 0 &&
		    (s->proc.phase == PROC_NONE || s->proc.phase == PROC_REST ||
		     s->proc.phase == PROC_DEFERRED);

	if (told) {
		resume_rest(s, r, state);
		return;
	}
	if (places_condemned(r) && !overlap_is_second(s))
		execute(s);
	else if (r->wait_status == WAIT_STATUS_UNKNOWN && !overlap_is_second(s))
		strlist_add(&s->core->lost, s->name);
	take_process(s, r);
	attach(s);
	if (s->state == STATE_STOPPING && (state == RECORD_EXITED || task_running(s, TASK_STOP)))
		resume_stop(s);
	facts_exited(s, r->wait_status, r->exited_mono_ns, state == RECORD_GONE, false);
}

static void resume_alive(struct subsystem *s, const struct record *r)
{
	if (places_condemned(r) && !overlap_is_second(s))
		execute(s);
	else if (!overlap_is_second(s))
		strlist_add(&s->core->adopted, s->name);
	take_process(s, r);
	attach(s);
	if (s->state == STATE_STOPPING || s->ready.expiry != EXPIRY_NONE)
		resume_stop(s);
}

/* No record: nothing of it lives. */
static void resume_absent(struct core *c, struct subsystem *s)
{
	bool was_alive = s->proc.phase == PROC_UP || s->proc.phase == PROC_DRAINING ||
			 s->proc.phase == PROC_ENDED;

	if (hooks_resume_cancelled(s))
		return;
	ladder_end(s);
	if (s->state == STATE_STOPPING) {
		s->proc.phase = PROC_NONE;
		s->proc.pid = 0;
		subsystem_note(s, FACT_GONE);
		return;
	}
	if (was_alive || s->state == STATE_RUNNING) {
		strlist_add(&c->lost, s->name);
		s->proc.status_known = false;
		s->proc.unrecorded = true;
		s->proc.ended_mono_ns = clock_mono_ns();
		s->proc.tree_empty = true;
		facts_ended(s);
		return;
	}
	s->proc.phase = PROC_NONE;
	s->proc.pid = 0;
	if (s->state != STATE_STARTING)
		return;
	s->proc.in_pre_start = task_running(s, TASK_PRE_START);
	if (s->proc.in_pre_start)
		s->proc.phase = PROC_ASKED;
	else
		s->due = true;		/* asked for, never made */
}

static void tell_left_alone(struct core *c, const struct subsystem *s, const struct record *r)
{
	json_t *j = json_object();

	log_at(LOG_WARN, s->name, "pid %d is somebody else now, or cannot be proven to be ours: it is "
	       "left alone", r->pid);
	json_object_set_new(j, "name", json_text(s->name));
	json_object_set_new(j, "pid", json_integer(r->pid));
	if (json_array_size(c->left_alone) < LEFT_ALONE_TOLD)
		json_array_append_new(c->left_alone, j);
	else
		json_decref(j);
}

/* Stopped, or on its way there, for the sake of a shutdown that is void. */
static void resume_wish(const struct core *c, struct subsystem *s)
{
	if (!c->shutdown_void || s->reason != REASON_SHUTDOWN || !s->goal.up)
		return;
	s->kick = true;
	s->order_reason = REASON_START;
}

/* What recovery_load() found outlived, until the keeper has forgotten it. */
static bool forget_outlived(struct core *c, const struct record *r, enum record_state state)
{
	const struct subsystem *s = facts_subsystem_in(c, r->slot);

	if (state == RECORD_RUNNING || (s != NULL && s->proc.spawn_id <= r->spawn_id))
		return false;
	c->ops->release(c->ops_ctx, r->slot, r->spawn_id);
	return true;
}

/* Its end was told, but not yet what follows from it. Whether all end with it was decided before
 * anything else was told. */
static void resume_decision(struct subsystem *s, uint64_t last_seq)
{
	if ((s->state != STATE_FAILED && s->state != STATE_STOPPED) || !s->goal.up || s->kick)
		return;
	if (s->next_restart_ms >= 0)
		subsystem_note(s, FACT_WILL_RESTART);
	else
		s->undecided = s->end.known && s->event_seq + READY_EVENT >= last_seq;
}

void recovery_decide(struct core *c)
{
	registry_for_each(s, &c->registry) {
		if (s->undecided)
			action_finally_down(s);
		s->undecided = false;
	}
}

static void resume_one(struct core *c, struct subsystem *s, uint64_t last_seq)
{
	enum record_state state;
	const struct record *r = places_record(c, s->proc.slot, &state);

	resume_wish(c, s);
	if (r != NULL && forget_outlived(c, r, state))
		r = NULL;
	if (r == NULL)
		resume_absent(c, s);
	else if (state == RECORD_RUNNING)
		resume_alive(s, r);
	else
		resume_ended(s, r, state);
	if (r == NULL || state != RECORD_RUNNING)
		resume_decision(s, last_seq);
	if (r != NULL && r->fate & RECORD_LEFT_ALONE)
		tell_left_alone(c, s, r);
	if (s->boot_pending)
		c->boot_pending++;
	resume_timers(s);
	schedule_resume(s);
	subsystem_mark(s);
}

static void resume_second(struct core *c, struct subsystem *s)
{
	enum record_state state;
	const struct record *r = places_record(c, s->proc.slot, &state);

	if (r != NULL && state == RECORD_RUNNING)
		resume_alive(s, r);
	else if (r != NULL)
		resume_ended(s, r, state);
	resume_ways(s);
	saved_store(s);
	subsystem_mark(s);
}

static json_t *names_json(const struct strlist *names)
{
	json_t *j = json_array();
	size_t size = 0;

	/* An event has a bounded size; the names that do not fit are still in status. */
	for (size_t i = 0; i < names->n && size < CHAN_BODY_MAX / 4; i++) {
		size += strlen(names->items[i]) + 3;
		json_array_append_new(j, json_text(names->items[i]));
	}
	return j;
}

static void resume_nobodys(struct core *c)
{
	for (uint32_t slot = 0; slot < places_nrecords(c); slot++) {
		enum record_state state;
		const struct record *r = places_record(c, slot, &state);

		if (r == NULL)
			continue;
		if (!record_name_is_main(r->name))
			hooks_recover(c, r, state);
		else if (facts_subsystem_in(c, slot) == NULL)
			forget_outlived(c, r, state);
	}
}

void recovery_resume(struct core *c)
{
	json_t *j = json_object();
	uint64_t last_seq = chan_last_seq(c->chan);

	c->left_alone = json_array();
	resume_nobodys(c);
	registry_for_each(s, &c->registry)
		if (s->event_seq > last_seq)
			publish_missing_event(s);
	registry_for_each(s, &c->registry) {
		/* The newest seq of all is at most one ahead, so this is cheap and rarely true. */
		resume_one(c, s, last_seq);
		publish_update(s);
		if (s->overlap != NULL)
			resume_second(c, s->overlap->second);
	}
	json_object_set_new(j, "adopted", names_json(&c->adopted));
	json_object_set_new(j, "lost", names_json(&c->lost));
	json_object_set_new(j, "left_alone", c->left_alone);
	c->left_alone = NULL;
	event_send(c->chan, EVENT_SUPERVISOR_RECOVERED, j);
	narrate_recovery(c->adopted.n, c->lost.n);
	if (c->shutdown_void)
		log_info("the shutdown of the procd before was not finished; what it stopped is "
			 "started again");
	strlist_fini(&c->adopted);
	strlist_fini(&c->lost);
	if (shutdown_active(&c->shutdown))
		shutdown_resume(c);
}
