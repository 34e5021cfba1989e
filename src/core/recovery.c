/* Memory says what was wanted and told, the records say what is. For each slot both are compared: a
 * process that memory knows goes on silently; one that it does not know is adopted; an end that
 * was not told yet is told now, with its true status. Whatever was begun (a start, a stop, a delay)
 * is taken up with its old deadline.
 *
 * After the death of the keeper, too, what lives appears anew, as adopted. What was to die with it
 * is not adopted but ended, and started again if it is wanted. */
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/preload.h"
#include "core/action.h"
#include "core/apply.h"
#include "core/facts.h"
#include "core/hooks.h"
#include "core/ladder.h"
#include "core/live.h"
#include "core/narrate.h"
#include "core/places.h"
#include "core/publish.h"
#include "core/reconcile.h"
#include "core/recovery.h"

#define READY_EVENT 1		/* may follow an end at once: ready_changed */
#define STOP_TIMEOUT_MAX_MS (INT64_C(30) * 86400 * 1000)	/* more than anybody can configure */
#define LEFT_ALONE_TOLD 200	/* in one event, which has a bounded size; all are in the log */

/* Meant to die with its keeper, and that is dead. */
static bool condemned(const struct record *r)
{
	return r->flags & PLAN_DIE_WITH_KEEPER && r->fate & RECORD_TAKEN_OVER;
}

bool recovery_needed(const struct core *c)
{
	enum record_state state;

	if (c->welcome.recovering)
		return true;
	for (uint32_t slot = 0; slot < places_nrecords(c); slot++)
		if (places_record(c, slot, &state) != NULL)
			return true;
	return false;
}

/* Options for a process that the configuration no longer knows. What it was started with, where that
 * is known: it was removed while no procd ran. Else it is stopped as the reload that removed it had
 * left it to be. R and E may be NULL. */
static struct subsystem_options *forgotten_options(const struct core *c, const char *name,
						   const struct record *r,
						   const struct memory_entry *e)
{
	struct subsystem_options *was = c->before != NULL ? config_find(c->before, name) : NULL;
	enum kill_mode mode = r != NULL && (r->flags & PLAN_TREE) ? KILL_MODE_GROUP
								  : KILL_MODE_PROCESS;
	bool kept = e != NULL && (e->flags & MEMORY_STOP_KEPT);
	int64_t ms = kept ? e->run_ns / NS_PER_MS : TIMEOUT_UNSET;
	int signo = kept && e->run_delay_ms > 0 && e->run_delay_ms < NSIG ? (int)e->run_delay_ms
									 : SIGTERM;

	if (was != NULL)
		return subsystem_options_ref(was);
	if (kept && (e->run_ns < 0 || ms > STOP_TIMEOUT_MAX_MS))
		ms = TIMEOUT_UNSET;
	return subsystem_options_unknown(name, mode, signo, ms);
}

static bool entry_sane(const struct memory_entry *e)
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

static void fill_from_entry(struct subsystem *s, const struct memory_entry *e)
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

static void fill_note(struct subsystem *s, const struct memory_entry *e)
{
	struct note note;

	if (!(e->flags & MEMORY_NOTED) ||
	    !notes_load(&s->core->notes, s->slot, s->id, &note))
		return;
	s->cause = note.cause;
	s->ready.errnum = note.errnum;
	s->ready.status = note.status[0] != '\0' ? x_strdup(note.status) : NULL;
}

/* NAME is still wanted under the current configuration? */
static struct subsystem_options *current_options(const struct map *wanted, const char *name)
{
	return map_find(wanted, name);
}

/* The process lives, its keeper may not: before anything is told, let the state be one from which
 * the matrix goes on as the contract says. */
static void settle_death(const struct core *c, struct subsystem *s, const struct record *r)
{
	bool alive = s->state == STATE_STARTING || s->state == STATE_RUNNING;

	if (condemned(r) && !alive && s->state != STATE_STOPPING)
		s->state = STATE_RUNNING;	/* what memory does not know can only be ended */
	else if (!condemned(r) && !c->welcome.recovering && alive)
		s->state = STATE_STOPPED;	/* of the procd that is no more; adopted by this one */
}

/* NULL: its name was known already. */
static struct subsystem *add_known(struct core *c, const struct map *wanted, uint32_t slot,
				   const struct memory_entry *e, const struct record *r,
				   enum record_state state)
{
	const char *label = e != NULL ? e->name : r->name;
	auto_free(freep) char *name = x_strndup(label, strcspn(label, "/"));
	struct subsystem_options *o = current_options(wanted, name);
	struct subsystem_options *own = NULL;
	struct subsystem *s;

	if (registry_find(&c->registry, name) != NULL) {
		log_at(LOG_WARN, name, "known twice: the second one, in slot %u, is ignored", slot);
		return NULL;
	}
	/* Neither wanted nor alive: it comes back only to be told of as stopped and removed. */
	if (o == NULL)
		o = own = forgotten_options(c, name, r, e);
	s = subsystem_new(c, slot, e ? e->id : c->next_id++, o);
	if (e != NULL) {
		fill_from_entry(s, e);
		fill_note(s, e);
	} else {
		s->config_up = o->autostart;
		ready_reset(s);
	}
	if (r != NULL && state == RECORD_RUNNING)
		s->proc.missing = r->flags >> RECORD_MISSING_SHIFT;
	if (r != NULL && (state == RECORD_RUNNING || (e == NULL && condemned(r))))
		settle_death(c, s, r);
	s->removed = own != NULL;
	if (s->removed && (e == NULL || !(e->flags & MEMORY_REMOVED)))
		s->order_reason = REASON_RELOAD;
	subsystem_options_unref(own);
	c->next_id = MAX(c->next_id, s->id + 1);
	c->next_spawn_id = MAX(c->next_spawn_id, s->proc.spawn_id + 1);
	reconcile_add(s, true);
	return s;
}

/* The one beside S that R is about is on its way out, whatever it was. */
static void add_second(struct core *c, struct subsystem *s, const struct record *r, uint32_t spare)
{
	struct subsystem *second = overlap_resume(s, r, spare);
	struct memory_entry e;

	if (memory_load(&c->memory, spare, &e) && entry_sane(&e) && e.flags & MEMORY_SECOND &&
	    e.spawn_id == r->spawn_id)
		fill_from_entry(second, &e);
	else
		second->state = STATE_RUNNING;
	second->wish = OPERATOR_DOWN;
	second->config_up = second->kick = second->bounce = false;
}

/* Where the processes of S are. */
static void take_places(struct core *c, struct subsystem *s, const struct place_verdict *v)
{
	bool lodges = v->own != NULL && v->own->slot != s->slot;
	bool told = v->other != NULL && v->other_state != RECORD_RUNNING &&
		    memory_buried(&c->memory, v->spare, v->other->spawn_id);

	if (!v->second || (!lodges && (v->other == NULL || told)))
		return;
	registry_lodge(&c->registry, v->spare, s);
	if (lodges || v->other->slot == s->slot)
		s->proc.slot = v->spare;
	if (v->other != NULL && !told)
		add_second(c, s, v->other, v->spare);
}

/* What is missing is made up for by the records: what runs is adopted, with its name and pid; orders
 * and counters of the past are gone. */
static void tell_damage(const struct core *c)
{
	const struct memory *m = &c->memory;

	if (c->records != NULL && c->records->header->damaged > 0)
		log_warn("%u records of an earlier procd were damaged: of these only what session and "
			 "name prove is taken over", c->records->header->damaged);
	if (c->records != NULL && c->records->header->cut)
		log_warn("the records of an earlier procd were cut short: what they do not name any "
			 "more is not known");
	if (m->unusable)
		log_warn("the saved run-time state was unusable and is kept as " MEMORY_FILE ".bad: "
			 "the records tell what runs, orders and counters are lost");
	else if (!m->head_valid && c->welcome.recovering && chan_last_seq(c->chan) > 0)
		log_warn("there is no saved run-time state: the records tell what runs, orders and "
			 "counters are lost");
	if (m->cut)
		log_warn("the saved run-time state was cut short and is kept as " MEMORY_FILE ".bad: "
			 "what is missing is taken from the records");
	if (m->dropped > 0)
		log_warn("%u damaged entries of the saved run-time state were dropped; it is kept as "
			 MEMORY_FILE ".bad", m->dropped);
	if (m->older > 0)
		log_warn("%u entries of the saved run-time state had a damaged or half-written copy: "
			 "the other one counts", m->older);
}

/* Is R of a process before the latest that memory knows in this slot? Then its end was told, and that
 * nothing is left of it; only the order to forget it has not come as far as the keeper. */
static bool outlived(const struct core *c, const struct record *r, enum record_state state,
		     const struct memory_entry *e)
{
	if (r == NULL || state == RECORD_RUNNING)
		return false;
	return e != NULL ? e->spawn_id > r->spawn_id
			 : memory_buried(&c->memory, r->slot, r->spawn_id);
}

static void note_spawn_id(struct core *c, const struct record *r)
{
	if (r != NULL)
		c->next_spawn_id = MAX(c->next_spawn_id, r->spawn_id + 1);
}

/* What runs beside a main process comes later, when all of these are known. */
static void load_slot(struct core *c, const struct map *wanted, const struct places *places,
		      uint32_t slot)
{
	struct memory_entry e;
	bool known = memory_load(&c->memory, slot, &e) && entry_sane(&e) &&
		     !(e.flags & MEMORY_SECOND);
	struct place_verdict v = places_judge(places, c, slot, known ? &e : NULL);
	const struct record *r = v.own;
	struct subsystem *s = NULL;

	note_spawn_id(c, v.own);
	note_spawn_id(c, v.other);
	if (r != NULL && outlived(c, r, v.own_state, known ? &e : NULL))
		r = NULL;
	/* The record is what is; an entry of someone else is out of date. */
	else if (r != NULL)
		known = known && record_name_is_of(r->name, e.name);
	if (known || r != NULL)
		s = add_known(c, wanted, slot, known ? &e : NULL, r, v.own_state);
	if (s != NULL)
		take_places(c, s, &v);
}

void recovery_load(struct core *c)
{
	const struct config *config = config_current();
	uint32_t nslots = MAX(places_nrecords(c), c->memory.nslots);
	struct map wanted = MAP_INIT;
	struct places places;

	places_find(&places, c, nslots);
	for (size_t i = 0; i < config->nsubsystems; i++)
		map_put(&wanted, config->subsystems[i]->name, config->subsystems[i]);
	tell_damage(c);
	for (uint32_t slot = 0; slot < nslots; slot++)
		load_slot(c, &wanted, &places, slot);
	for (uint32_t slot = 0; slot < nslots; slot++)
		if (registry_tenant(&c->registry, slot) == NULL)
			memory_clear(&c->memory, slot);
	places_fini(&places);
	map_fini(&wanted);
}

/* --- taking up what was under way ------------------------------------------------------------- */

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
	if (condemned(r) && !overlap_is_second(s))
		execute(s);
	else if (r->wait_status == WAIT_STATUS_UNKNOWN && !overlap_is_second(s))
		strlist_add(&s->core->lost, s->name);
	take_process(s, r);
	attach(s);
	if (s->state == STATE_STOPPING && (state == RECORD_EXITED || task_running(s, TASK_STOP)))
		resume_stop(s);
	facts_exited(s, r->wait_status, r->exited_mono_ns, state == RECORD_GONE);
}

static void resume_alive(struct subsystem *s, const struct record *r)
{
	if (condemned(r) && !overlap_is_second(s))
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
	publish_memory(s);
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
