/* How news leaves the core.
 *
 * The order is what makes a death of the supervisor invisible: first the memory is saved, with the
 * seq that the event will get, then the event is sent. The next supervisor compares that seq with
 * the channel's last one and sends the event if it is missing: none is lost, none told twice. */
#include "base/alloc.h"
#include "base/clock.h"
#include "core/live.h"
#include "core/narrate.h"
#include "core/on_failure.h"
#include "core/publish.h"
#include "core/request.h"
#include "core/saved.h"

#define WAITS_FOR_MAX 8		/* names on the board; a subsystem may wait for thousands */

static bool shows_end(const struct subsystem *s)
{
	switch (s->state) {
	case STATE_FAILED:
	case STATE_RESTARTING:
		return s->end.known;
	case STATE_STOPPED:
		return subsystem_has_ended(s) && s->prev != STATE_RESTARTING;
	default:
		return false;
	}
}

static int event_pid(const struct subsystem *s)
{
	if (s->state == STATE_RUNNING || s->state == STATE_STOPPING)
		return s->proc.pid;
	return shows_end(s) && s->state != STATE_RESTARTING ? s->end.pid : 0;
}

static void send_event(struct subsystem *s)
{
	bool end = shows_end(s);
	bool failed_start = end && s->state == STATE_FAILED &&
			    (s->end.stage != STAGE_NONE || s->prev == STATE_STARTING);
	enum spawn_stage stage = s->end.stage != STAGE_NONE ? s->end.stage : STAGE_READY;
	auto_free(freep) char *text = failed_start ? subsystem_end_text(s) : NULL;
	struct state_event e = {
		.id = s->id,
		.name = s->name,
		.state = s->state,
		.prev = s->prev,
		.at_real_ns = clock_real_ns(),
		.at_mono_ns = s->since_mono_ns,
		.pid = event_pid(s),
		.exit_code = end ? s->end.exit_code : -1,
		.signal = end ? s->end.signal : 0,
		.reason = s->reason,
		.restart_count = s->restart_count,
		.next_restart_ms = s->next_restart_ms,
		.gave_up = s->gave_up && s->state == STATE_FAILED,
		.killed = end && s->end.killed,
		.core_dumped = end && s->end.core_dumped ? 1 : -1,
		.error_stage = failed_start ? enumtext_name(&spawn_stage_text, (int)stage) : NULL,
		.error_errno = s->end.errnum,
		.error_message = text,
		.stderr_tail = end && s->state == STATE_FAILED ? s->end_tail : NULL,
		.cause = s->reason == REASON_ON_FAILURE ? on_failure_cause(s) : NULL,
	};

	event_state_changed(s->core->chan, &e);
}

static bool is_ready(const struct subsystem *s)
{
	return s->state == STATE_RUNNING && s->ready.expiry == EXPIRY_NONE &&
	       checkup_of(s)->health != HEALTH_UNHEALTHY;
}

/* Readiness as an event of its own, for those who route traffic. */
void publish_ready(struct subsystem *s, enum reason reason)
{
	if (s->ready_shown == is_ready(s) || overlap_is_second(s))
		return;
	s->ready_shown = is_ready(s);
	event_ready_changed(s->core->chan, &(struct ready_event){
		.id = s->id, .name = s->name, .ready = s->ready_shown, .reason = reason });
}

static void groups_text(const struct subsystem_options *o, struct strbuf *out)
{
	for (size_t i = 0; i < o->links->groups.n; i++)
		strbuf_addf(out, i ? " %s" : "%s", o->links->groups.items[i]);
}

static void put_board_record(struct subsystem *s)
{
	const struct subsystem_options *o = subsystem_newest(s);
	auto_free(strbuf_fini) struct strbuf groups = STRBUF_INIT;
	auto_free(strbuf_fini) struct strbuf waits_for = STRBUF_INIT;
	auto_free(strbuf_fini) struct strbuf awaits = STRBUF_INIT;
	auto_free(strbuf_fini) struct strbuf status = STRBUF_INIT;
	auto_free(strbuf_fini) struct strbuf degraded = STRBUF_INIT;
	auto_free(freep) char *last_error = subsystem_end_text(s);
	const char *doing = hooks_doing(s);
	struct board_record *r;

	groups_text(o, &groups);
	edges_waits_for(s, WAITS_FOR_MAX, &waits_for);
	edges_shown(s);
	if (sockets_idle(s))
		strbuf_addstr(&awaits, "a connection");
	else
		(void)ready_waits_for(s, &awaits);
	(void)ready_status(s, &status);
	if (s->proc.phase == PROC_UP || s->proc.phase == PROC_DRAINING)
		subsystem_degraded(s, &degraded);
	if (s->turn_held)
		strbuf_addf(&degraded, "its restart waits: quick restarts are held to %u per second "
			    "over all subsystems", BUDGET_RATE);
	r = board_record_new(s->name, &(struct board_texts){
		.description = o->links->description, .last_error = last_error,
		.groups = groups.buf, .waits_for = waits_for.buf, .awaits = awaits.buf,
		.status = status.buf, .health_detail = checkup_of(s)->detail, .degraded = degraded.buf,
		.cause = on_failure_cause(s), .doing = doing != NULL ? doing : overlap_doing(s),
	});
	r->waiting = edges_waiting(s);
	r->id = s->id;
	r->slot = s->slot;
	r->state = s->state;
	r->health = checkup_of(s)->health;
	r->health_failures = checkup_of(s)->failures;
	r->ready = is_ready(s);
	r->ready_by_mono_ns = ready_deadline(s);
	r->gave_up = s->gave_up;
	r->autostart = o->autostart;
	r->goal_up = s->goal.up;
	r->oneshot = o->type == TYPE_ONESHOT;
	r->pid = s->proc.phase == PROC_UP || s->proc.phase == PROC_DRAINING ? s->proc.pid : 0;
	r->place = s->proc.slot;
	r->exit_code = s->end.exit_code;
	r->signal = s->end.signal;
	r->killed = s->end.killed;
	r->core_dumped = s->end.core_dumped;
	r->reason = s->reason;
	r->since_mono_ns = s->since_mono_ns;
	r->started_mono_ns = r->pid ? s->proc.started_mono_ns : 0;
	r->restart_count = s->restart_count;
	r->attempt = s->attempt;
	r->next_restart_mono_ns = s->state == STATE_RESTARTING ? s->next_restart_mono_ns : 0;
	r->periodic = subsystem_is_periodic(o);
	r->next_run_real = periodic_of(s)->next_real_ns != 0;
	r->next_run_ns = r->next_run_real ? periodic_of(s)->next_real_ns
					  : periodic_of(s)->next_mono_ns;
	r->generation = s->options->generation;
	r->goal_why = enumtext_name(&goal_why_text, (int)s->goal.why);
	board_put(s->core->board, s->slot, r);
}

static void put_board(struct subsystem *s)
{
	s->ready.changed = false;
	if (!overlap_is_second(s))
		put_board_record(s);
}

void publish_update(struct subsystem *s)
{
	put_board(s);
	saved_store(s);
}

/* Told before it is saved: a death in between tells it twice, but never not at all. */
void publish_health(struct subsystem *s)
{
	const char *detail = checkup_of(s)->detail;
	json_t *j = publish_ident(s);

	json_object_set_new(j, "health", json_text(enumtext_name(&health_text,
								  (int)checkup_of(s)->health)));
	json_object_set_new(j, "detail", json_text(detail != NULL ? detail :
						   "not probed any more"));
	put_board(s);
	event_send(s->core->chan, EVENT_HEALTH_CHANGED, j);
	publish_ready(s, REASON_HEALTH);
	saved_store(s);
	subsystem_mark(s);
}

/* It leaves its state for NEXT now. */
static void count(const struct subsystem *s, enum subsystem_state next, enum reason reason)
{
	struct tally *t = s->core->tally;
	int64_t took = clock_mono_ns() - s->since_mono_ns;

	if (s->state == STATE_STARTING && next == STATE_RUNNING && reason != REASON_ADOPTED)
		tally_started(t, s->slot, s->id, took);
	if (s->state == STATE_STARTING && next == STATE_FAILED)
		tally_start_failed(t, s->slot, s->id);
	if (s->state == STATE_STOPPING && next == STATE_STOPPED)
		tally_took(t, TALLY_STOP, took);
}

static void enter(struct subsystem *s, enum subsystem_state next, enum reason reason)
{
	s->prev = s->state;
	s->state = next;
	s->reason = reason;
	s->since_mono_ns = clock_mono_ns();
}

void publish_state(struct subsystem *s, enum subsystem_state next, enum reason reason)
{
	struct core *c = s->core;

	BUG_ON(!state_legal(s->state, next));
	count(s, next, reason);
	if (overlap_is_second(s)) {
		enter(s, next, reason);
		saved_store(s);
		return;
	}
	c->counts[s->state]--;
	c->counts[next]++;
	c->daemon_changed = true;
	enter(s, next, reason);
	s->event_seq = chan_last_seq(c->chan) + 1;
	publish_update(s);
	send_event(s);
	publish_ready(s, reason);
	narrate_state(s);
	request_progress(s);
}

void publish_missing_event(struct subsystem *s)
{
	s->event_seq = chan_last_seq(s->core->chan) + 1;
	saved_store(s);
	send_event(s);
}

void publish_appear(struct subsystem *s)
{
	s->core->counts[s->state]++;
	s->core->daemon_changed = true;
	publish_update(s);
}

void publish_disappear(struct subsystem *s)
{
	s->core->counts[s->state]--;
	s->core->daemon_changed = true;
	memory_bury(&s->core->memory, s->slot, s->proc.spawn_id);
	board_put(s->core->board, s->slot, NULL);
}

void publish_daemon(struct core *c)
{
	const struct board_daemon *old = board_daemon(c->board);
	struct board_daemon *d;

	if (!c->daemon_changed)
		return;
	c->daemon_changed = false;
	c->status_changed = true;
	d = x_calloc(1, sizeof(*d));
	memcpy(d->degraded, old->degraded, sizeof(d->degraded));
	d->state = c->state;
	d->generation = config_current()->generation;
	d->keeper_pid = c->welcome.keeper_pid;
	d->keeper_started_mono_ns = c->welcome.keeper_started_mono_ns;
	d->supervisor_deaths = c->welcome.deaths;
	memcpy(d->counts, c->counts, sizeof(d->counts));
	d->total_restarts = c->total_restarts;
	board_put_daemon(c->board, d);
}

json_t *publish_ident(const struct subsystem *s)
{
	json_t *j = json_object();

	json_object_set_new(j, "id", json_integer((json_int_t)s->id));
	json_object_set_new(j, "name", json_text(s->name));
	return j;
}
