/* What is stored in the lead's entry in memory, the id of the process that is its own, is what a
 * successor goes by: it changes in one store. Before that store the overlap came to nothing, after
 * it the old process has to go; so whoever is killed when, one process is left in the end. */
#include "core/overlap.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/signame.h"
#include "config/probe.h"
#include "core/action.h"
#include "core/ladder.h"
#include "core/live.h"
#include "core/publish.h"
#include "core/reconcile.h"
#include "core/request.h"
#include "core/saved.h"
#include "keeper/record.h"

bool overlap_is_second(const struct subsystem *s)
{
	return s->overlap != NULL && s->overlap->second == s;
}

/* --- places ----------------------------------------------------------------------------------- */

uint32_t overlap_memory_slot(const struct subsystem *s)
{
	return overlap_is_second(s) ? s->overlap->spare : s->slot;
}

uint32_t overlap_capture_of(const struct subsystem *s)
{
	return s->proc.slot != s->slot ? s->slot + 1 : 0;
}

static void give_back(struct subsystem *s, uint32_t spare)
{
	struct core *c = s->core;

	registry_unlodge(&c->registry, spare);
	if (c->ops->notify_close != NULL)
		c->ops->notify_close(c->ops_ctx, spare);
}

uint32_t overlap_place(struct subsystem *s)
{
	uint32_t spare = s->proc.slot;

	/* Where the other one is there is no room. */
	if (spare == s->slot || s->overlap != NULL)
		return spare;
	give_back(s, spare);
	return s->slot;
}

/* --- its beginning ---------------------------------------------------------------------------- */

/* What the old process, or anything else, may answer in place of the new one. */
static bool asks_anybody(enum probe_kind kind)
{
	return kind == PROBE_TCP || kind == PROBE_UNIX || kind == PROBE_HTTP;
}

static bool lead_is_fine(const struct subsystem *s)
{
	return s->state == STATE_RUNNING && s->proc.phase == PROC_UP && s->goal.up && !s->bounce &&
	       !edges_must_stop(s) && s->ready.expiry == EXPIRY_NONE;
}

char *overlap_refusal(const struct subsystem *s)
{
	const struct subsystem_options *o = subsystem_newest(s);
	auto_free(strbuf_fini) struct strbuf probe = STRBUF_INIT;

	if (o->type == TYPE_ONESHOT)
		return x_strdup("a oneshot is not replaced while it runs");
	if (s->overlap != NULL)
		return x_strdup("it is being replaced already");
	if (!lead_is_fine(s))
		return x_strdup(s->state == STATE_RUNNING ? "it is being stopped or restarted" :
				"it does not run");
	if (o->streams->stdio[0].kind == STDIO_INHERIT)
		return x_strdup("two processes cannot read one input (stdin = \"inherit\")");
	if (!asks_anybody(subsystem_ready_kind(o)))
		return NULL;
	probe_option_format(o->policy->ready, &probe);
	return x_asprintf("nothing would tell when the new process is ready: the old one answers %s, "
			  "too (use notify, fd:N, log:REGEX, a command or exec)", probe.buf);
}

static struct overlap *make(struct subsystem *lead, uint32_t spare, uint32_t place)
{
	struct subsystem *second = subsystem_new(lead->core, lead->slot, lead->id,
						 subsystem_newest(lead));
	struct overlap *o = x_calloc(1, sizeof(*o));

	o->lead = lead;
	o->second = second;
	o->spare = spare;
	second->proc.slot = place;
	lead->overlap = second->overlap = o;
	return o;
}

bool overlap_begin(struct subsystem *s)
{
	struct core *c = s->core;
	uint32_t spare = s->proc.slot;
	struct overlap *o;

	if (spare == s->slot) {
		if (!registry_free_slot(&c->registry, &spare))
			return false;
		registry_lodge(&c->registry, spare, s);
		o = make(s, spare, spare);
	} else {
		o = make(s, spare, s->slot);
	}
	o->second->wish = OPERATOR_UP;
	o->second->kick = true;
	o->second->order_reason = REASON_REQUEST;
	subsystem_mark(o->second);
	publish_update(s);
	return true;
}

const char *overlap_doing(const struct subsystem *s)
{
	if (s->overlap == NULL)
		return NULL;
	return s->overlap->phase == OVERLAP_GOING ? "predecessor" : "replacement";
}

/* --- its course ------------------------------------------------------------------------------- */

static json_t *integer_or_null(int value, int null)
{
	return value != null ? json_integer(value) : json_null();
}

static void tell(const struct overlap *o, const char *phase, int pid, int old_pid)
{
	const struct ending *e = &o->second->end;
	bool ended = o->phase == OVERLAP_GOING && e->known;
	json_t *j = publish_ident(o->lead);

	json_object_set_new(j, "phase", json_text(phase));
	json_object_set_new(j, "pid", integer_or_null(pid, 0));
	json_object_set_new(j, "old_pid", integer_or_null(old_pid, 0));
	if (ended) {
		json_object_set_new(j, "exit_code", integer_or_null(e->exit_code, -1));
		json_object_set_new(j, "signal", e->signal != 0 ? json_text(signame(e->signal)) :
								  json_null());
		json_object_set_new(j, "killed", json_boolean(e->killed));
	}
	if (o->trouble != NULL)
		json_object_set_new(j, "reason", json_text(o->trouble));
	event_send(o->lead->core->chan, EVENT_OVERLAP, j);
}

/* Takes TROUBLE. */
static void fail(struct overlap *o, char *trouble)
{
	o->phase = OVERLAP_FAILED;
	o->trouble = trouble;
	o->second->wish = OPERATOR_DOWN;
	o->second->kick = false;
	subsystem_mark(o->second);
}

static char *trouble_of(const struct subsystem *second)
{
	char *text = subsystem_end_text(second);

	return text != NULL ? text : x_strdup("it ended before it was ready");
}

static void exchange(struct subsystem *lead, struct subsystem *second)
{
	struct process proc = lead->proc;
	struct readiness ready;

	ready_cancel(lead);
	ready_cancel(second);
	health_end(lead);
	health_end(second);
	subsystem_wait_cancel(lead);
	subsystem_wait_cancel(second);
	ready = lead->ready;
	lead->proc = second->proc;
	lead->ready = second->ready;
	second->proc = proc;
	second->ready = ready;
}

static void take_over(struct overlap *o)
{
	struct subsystem *lead = o->lead, *second = o->second;

	exchange(lead, second);
	o->phase = OVERLAP_GOING;
	lead->attempt = 0;
	lead->memory_over = false;
	lead->reason = REASON_REQUEST;
	lead->since_mono_ns = clock_mono_ns();
	second->wish = OPERATOR_DOWN;
	publish_update(lead);
	saved_store(second);
	tell(o, "took_over", lead->proc.pid, second->proc.pid);
	log_at(LOG_INFO, lead->name, "replaced: pid %d has taken over from pid %d", lead->proc.pid,
	       second->proc.pid);
	action_output_pid(lead, 0);	/* what the old one wrote until now is nobody's last words */
	action_output_pid(lead, lead->proc.pid);
	ready_entered(lead);
	health_begin(lead);
	publish_ready(lead, REASON_REQUEST);
	subsystem_mark(lead);
	subsystem_mark(second);
}

/* --- its end ---------------------------------------------------------------------------------- */

static void tell_end(const struct overlap *o)
{
	const struct subsystem *second = o->second;

	if (o->phase == OVERLAP_GOING) {
		tell(o, "ended", o->lead->proc.pid, second->end.pid);
		if (second->end.killed)
			log_at(LOG_WARN, second->name, "the old process, pid %d, needed SIGKILL",
			       second->end.pid);
		return;
	}
	tell(o, "failed", second->proc.pid, o->lead->proc.pid);
	log_at(LOG_WARN, second->name, "not replaced: %s", o->trouble);
}

static void disarm(struct subsystem *s)
{
	struct timers *t = &s->core->timers;

	subsystem_wait_cancel(s);
	ready_cancel(s);
	ladder_end(s);
	if (s->checkup != NULL)
		timer_disarm(t, &s->checkup->timer);
	if (s->beside != NULL)
		timer_disarm(t, &s->beside->post_stop.timer);
}

static void free_second(struct overlap *o)
{
	struct subsystem *s = o->second;

	prober_cancel(s);
	task_forget_owner(s);
	sockets_close(s);
	disarm(s);
	turn_forget(s);
	list_remove(&s->dirty);
	o->lead->overlap = NULL;
	s->overlap = NULL;
	subsystem_free(s);
	free(o->trouble);
	free(o);
}

static void finish(struct overlap *o)
{
	struct subsystem *lead = o->lead, *second = o->second;
	auto_free(freep) char *trouble = o->phase == OVERLAP_FAILED ? x_strdup(o->trouble) : NULL;
	bool killed = second->end.killed, held = o->held;
	struct core *c = lead->core;
	uint32_t spare = o->spare;

	tell_end(o);
	memory_bury(&c->memory, spare, second->proc.spawn_id);
	if (second->proc.slot != spare && c->ops->notify_close != NULL)
		c->ops->notify_close(c->ops_ctx, second->proc.slot);
	free_second(o);
	if (lead->proc.slot != spare)
		give_back(lead, spare);
	if (held)
		subsystem_note(lead, FACT_GONE);
	subsystem_mark(lead);
	publish_update(lead);
	request_replaced(lead, trouble, killed);
	request_progress(lead);
}

static bool is_over(const struct subsystem *second)
{
	return subsystem_is_down(second) && second->overlap->phase != OVERLAP_COMING &&
	       !hooks_in_the_way(second);
}

static bool turn_of_second(struct overlap *o)
{
	struct subsystem *second = o->second;

	if (o->phase == OVERLAP_COMING && second->proc.phase == PROC_UP && !o->told_start) {
		o->told_start = true;
		tell(o, "starting", second->proc.pid, o->lead->proc.pid);
	}
	if (o->phase == OVERLAP_COMING && second->state == STATE_RUNNING && lead_is_fine(o->lead))
		take_over(o);
	else if (o->phase == OVERLAP_COMING && (second->proc.phase == PROC_DEFERRED ||
						second->state == STATE_FAILED))
		fail(o, trouble_of(second));
	if (!is_over(second))
		return false;
	finish(o);
	return true;
}

bool overlap_turn(struct subsystem *s)
{
	struct overlap *o = s->overlap;

	if (o == NULL)
		return false;
	if (o->second == s)
		return turn_of_second(o);
	if (o->phase == OVERLAP_COMING && !lead_is_fine(s))
		fail(o, x_strdup("the old process ended, or was ordered to, before the new one was "
				 "ready"));
	/* Its goal may be another one, as in a shutdown. */
	subsystem_mark(o->second);
	return false;
}

bool overlap_holds_gone(struct subsystem *s)
{
	bool holds = s->overlap != NULL && s->overlap->lead == s && s->state == STATE_STOPPING;

	if (holds)
		s->overlap->held = true;
	return holds;
}

void overlap_leave(struct subsystem *s)
{
	if (s->proc.slot != s->slot)
		give_back(s, s->proc.slot);
}

void overlap_free(struct subsystem *s)
{
	struct overlap *o = s->overlap;

	if (o == NULL)
		return;
	free(o->second->sockets.items);
	o->second->overlap = NULL;
	subsystem_free(o->second);
	free(o->trouble);
	free(o);
}

/* --- after a death ---------------------------------------------------------------------------- */

struct subsystem *overlap_resume(struct subsystem *s, const struct record *r, uint32_t spare)
{
	struct overlap *o = make(s, spare, r->slot);

	o->told_start = true;
	if (r->spawn_id < s->proc.spawn_id)
		o->phase = OVERLAP_GOING;
	else
		fail(o, x_strdup("the supervisor ended before the new process was ready"));
	return o->second;
}
