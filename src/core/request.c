/* Each order holds one waiter per subsystem that it is meant for. Waiters sit in the subsystem's
 * list, so a state change looks at its own waiters only. When the last waiter of an order is gone,
 * the order is answered. */
#include "base/alloc.h"
#include "base/signame.h"
#include "core/listing.h"
#include "core/live.h"
#include "core/publish.h"
#include "core/reconcile.h"
#include "core/request.h"
#include "core/roll.h"
#include "core/saved.h"

struct waiter {
	struct list link;		/* in subsystem->waiters */
	struct list all;		/* in state->waiters */
	struct subsystem *s;
	struct core_request *request;
	bool down;			/* it is to be down, else up */
	bool replaced;			/* its process is to be replaced: request_replaced() */
	uint64_t not_spawn;		/* CORE_RESTART: done by a later process than this one */
	uint64_t reload;		/* CORE_RELOAD_SUBSYSTEM: number of the run that counts */
};

struct core_request_state {
	struct list link;		/* in core->requests */
	struct list waiters;
	struct core_request *request;
	bool accepting;			/* more waiters may come: do not answer yet */
};

enum verdict { STILL_WAITING, DONE, FAILED };

static void answer(struct core_request *r)
{
	struct core_request_state *state = take(r->state);

	list_remove(&state->link);
	free(state);
	r->done(r);
}

static void answer_if_complete(struct core_request *r)
{
	if (!r->state->accepting && list_empty(&r->state->waiters))
		answer(r);
}

/* Note one subsystem's failure; the first one is the order's own error. Takes E. */
static void add_failure(struct core_request *r, const char *name, struct error *e)
{
	json_t *j = json_object();

	json_object_set_new(j, "name", json_text(name));
	json_object_set_new(j, "error", json_error_object(-32000, e));
	if (r->failures == NULL)
		r->failures = json_array();
	json_array_append_new(r->failures, j);
	if (error_is_set(&r->error)) {
		error_fini(e);
		return;
	}
	r->error = *e;
	*e = (struct error)ERROR_INIT;
}

static void add_note(struct core_request *r, const struct subsystem *s, const char *what)
{
	auto_free(freep) char *text = x_asprintf("%s: %s", s->name, what);

	if (r->notes == NULL)
		r->notes = json_array();
	json_array_append_new(r->notes, json_text(text));
}

static const char *who_wants_down(const struct subsystem *s)
{
	switch (s->goal.why) {
	case GOAL_SHUTDOWN:
		return "procd shuts down";
	case GOAL_REMOVED:
		return "it was removed from the configuration";
	default:
		return "another order stopped it";
	}
}

static enum verdict start_verdict(const struct subsystem *s, const struct waiter *w,
				  struct error *e)
{
	bool other = s->proc.spawn_id != w->not_spawn;

	/* (The work of a oneshot is done when it has ended.) */
	if (s->state == STATE_RUNNING && other && !s->bounce &&
	    subsystem_newest(s)->type != TYPE_ONESHOT)
		return DONE;
	if (!s->goal.up) {
		error_set(e, ERROR_SUBSYSTEM_START, 0, "%s: not started: %s", s->name,
			  who_wants_down(s));
		return FAILED;
	}
	if (s->state == STATE_FAILED && other && !s->kick && !s->bounce) {
		auto_free(freep) char *text = subsystem_end_text(s);

		error_set(e, ERROR_SUBSYSTEM_START, 0, "%s: start failed: %s", s->name,
			  text ? text : "it ended too early");
		e->errnum = s->end.errnum;
		return FAILED;
	}
	if (edges_stuck(s)) {
		auto_free(freep) char *text = edges_trouble(s);

		error_set(e, ERROR_SUBSYSTEM_START, 0, "%s: not started: it waits for %s", s->name,
			  text);
		return FAILED;
	}
	/* Ran and ended well in one go (oneshot, or a short-lived service). */
	if (s->state == STATE_STOPPED && other && !s->kick && !s->bounce)
		return DONE;
	return STILL_WAITING;
}

/* What was removed is down when it is gone: request_forget(). */
static enum verdict stop_verdict(const struct subsystem *s)
{
	/* Ordered up again before the rest of its tree was gone: from "restarting" it starts
	 * without being told "stopped" in between, but down it is. */
	bool between = s->state == STATE_RESTARTING && s->goal.up && !subsystem_has_process(s);

	/* ("nothing left" counts for both processes of one that is being replaced) */
	return !s->removed && s->overlap == NULL && (subsystem_is_down(s) || between) ? DONE :
										STILL_WAITING;
}

static enum verdict reload_verdict(const struct subsystem *s, const struct waiter *w,
				   struct error *e)
{
	const struct reload_runs *runs = &beside_of(s)->reloads;

	if (runs->ended < w->reload)
		return STILL_WAITING;
	if (runs->trouble == NULL)
		return DONE;
	error_set(e, ERROR_SUBSYSTEM_STATE, 0, "%s: not reloaded: %s", s->name, runs->trouble);
	return FAILED;
}

static enum verdict verdict_of(const struct waiter *w, struct error *e)
{
	if (w->replaced)
		return STILL_WAITING;
	if (w->request->verb == CORE_RELOAD_SUBSYSTEM)
		return reload_verdict(w->s, w, e);
	return w->down ? stop_verdict(w->s) : start_verdict(w->s, w, e);
}

static void waiter_free(struct waiter *w)
{
	list_remove(&w->link);
	list_remove(&w->all);
	free(w);
}

static void waiter_leave(struct waiter *w)
{
	struct core_request *r = w->request;

	waiter_free(w);
	answer_if_complete(r);
}

/* What W waited for has come. */
static void waiter_done(struct waiter *w)
{
	struct core_request *r = w->request;
	const struct subsystem *s = w->s;

	if ((w->down || r->verb == CORE_RESTART) && s->end.known && s->end.killed)
		add_note(r, s, "needed SIGKILL");
	waiter_leave(w);
}

static void waiter_check(struct waiter *w)
{
	struct error e = ERROR_INIT;
	struct core_request *r = w->request;
	struct subsystem *s = w->s;
	enum verdict v = verdict_of(w, &e);

	if (v == STILL_WAITING)
		return;
	if (v == DONE) {
		waiter_done(w);
		return;
	}
	add_failure(r, s->name, &e);
	waiter_free(w);
	answer_if_complete(r);
}

void request_progress(struct subsystem *s)
{
	list_for_each(item, &s->waiters)
		waiter_check(list_entry(item, struct waiter, link));
}

static void waiter_fail(struct waiter *w, enum error_code code, const char *why)
{
	struct error e = ERROR_INIT;
	struct core_request *r = w->request;

	error_set(&e, code, 0, "%s: %s", w->s->name, why);
	add_failure(r, w->s->name, &e);
	waiter_free(w);
	answer_if_complete(r);
}

void request_replaced(struct subsystem *s, const char *trouble, bool killed)
{
	list_for_each(item, &s->waiters) {
		struct waiter *w = list_entry(item, struct waiter, link);
		auto_free(freep) char *text = NULL;

		if (!w->replaced)
			continue;
		if (trouble != NULL) {
			text = x_asprintf("not replaced: %s", trouble);
			waiter_fail(w, ERROR_SUBSYSTEM_START, text);
			continue;
		}
		if (killed)
			add_note(w->request, s, "the old process needed SIGKILL");
		waiter_leave(w);
	}
}

void request_forget(struct subsystem *s)
{
	list_for_each(item, &s->waiters) {
		struct waiter *w = list_entry(item, struct waiter, link);

		if (w->down)
			waiter_done(w);
		else
			waiter_fail(w, ERROR_SUBSYSTEM_NOT_FOUND, "removed from the configuration");
	}
}

void request_abandon_all(struct core *c)
{
	struct list *item;

	while (!list_empty(&c->requests)) {
		struct core_request *r = list_entry(c->requests.next, struct core_request_state,
						    link)->request;

		r->state->accepting = true;
		while ((item = r->state->waiters.next) != &r->state->waiters)
			waiter_fail(list_entry(item, struct waiter, all),
				    ERROR_SHUTDOWN_IN_PROGRESS, "procd shuts down");
		r->state->accepting = false;
		answer_if_complete(r);
	}
}

void request_drop_all(struct core *c)
{
	struct list *item, *link;

	while ((link = list_pop(&c->requests)) != NULL) {
		struct core_request_state *state =
			list_entry(link, struct core_request_state, link);

		while ((item = state->waiters.next) != &state->waiters)
			waiter_free(list_entry(item, struct waiter, all));
		state->request->state = NULL;
		free(state);
	}
}

/* NULL: nobody waits. */
static struct waiter *wait_for(struct core_request *r, struct subsystem *s, bool down)
{
	struct waiter *w;

	if (r->no_wait)
		return NULL;
	w = x_calloc(1, sizeof(*w));
	w->s = s;
	w->request = r;
	w->down = down;
	w->not_spawn = r->verb == CORE_RESTART && s->kick ? s->proc.spawn_id : 0;
	list_append(&s->waiters, &w->link);
	list_append(&r->state->waiters, &w->all);
	return w;
}

/* --- what the verbs change -------------------------------------------------------------------- */

static bool refuse_in_shutdown(struct core_request *r, struct subsystem *s)
{
	struct error e = ERROR_INIT;

	if (!shutdown_active(&s->core->shutdown))
		return false;
	error_set(&e, ERROR_SHUTDOWN_IN_PROGRESS, 0, "%s: procd shuts down", s->name);
	add_failure(r, s->name, &e);
	return true;
}

static void order_up(struct subsystem *s)
{
	s->wish = OPERATOR_UP;
	s->ill = false;
	s->order_reason = REASON_REQUEST;
	if (s->state != STATE_STARTING && s->state != STATE_RUNNING)
		s->kick = true;
	edges_order_up(s);
}

static void do_start(struct core_request *r, struct subsystem *s)
{
	if (refuse_in_shutdown(r, s))
		return;
	order_up(s);
	wait_for(r, s, false);
}

static void do_stop(struct core_request *r, struct subsystem *s)
{
	s->wish = OPERATOR_DOWN;
	s->ill = false;
	s->order_reason = REASON_REQUEST;
	s->kick = false;
	s->bounce = false;
	s->pulled = false;
	wait_for(r, s, true);
}

static void do_replace(struct core_request *r, struct subsystem *s)
{
	auto_free(freep) char *why = overlap_refusal(s);
	struct error e = ERROR_INIT;
	struct waiter *w;

	if (why == NULL && overlap_begin(s)) {
		w = wait_for(r, s, false);
		if (w != NULL)
			w->replaced = true;
		return;
	}
	error_set(&e, ERROR_SUBSYSTEM_STATE, 0, "%s: not replaced: %s", s->name,
		  why != NULL ? why : "all slots are taken");
	add_failure(r, s->name, &e);
}

static void do_restart(struct core_request *r, struct subsystem *s)
{
	if (refuse_in_shutdown(r, s))
		return;
	if (r->overlap) {
		do_replace(r, s);
		return;
	}
	order_up(s);
	s->bounce = s->state == STATE_STARTING || s->state == STATE_RUNNING;
	s->kick = true;
	wait_for(r, s, false);
}

static void do_signal(struct core_request *r, struct subsystem *s, int signo)
{
	struct core *c = s->core;
	struct error e = ERROR_INIT;

	if (!subsystem_is_up(s)) {
		error_set(&e, ERROR_SIGNAL_SEND, 0, "%s: not sent %s: it does not run", s->name,
			  signame(signo));
		add_failure(r, s->name, &e);
		return;
	}
	c->ops->signal(c->ops_ctx, s->proc.slot, s->proc.spawn_id, signo, SCOPE_MAIN, false);
}

static void do_reload(struct core_request *r, struct subsystem *s)
{
	struct error e = ERROR_INIT;
	struct waiter *w;
	uint64_t run;

	if (!subsystem_is_up(s) || s->state == STATE_STOPPING) {
		error_set(&e, ERROR_SUBSYSTEM_STATE, 0, "%s: not reloaded: it %s", s->name,
			  subsystem_is_up(s) ? "is being stopped" : "does not run");
		add_failure(r, s->name, &e);
		return;
	}
	if (s->options->policy->reload_command.n == 0) {
		do_signal(r, s, s->options->policy->reload_signal);
		return;
	}
	run = hooks_reload(s);
	w = wait_for(r, s, false);
	if (w != NULL)
		w->reload = run;
}

/* Forget failures; a restart that waits for its delay comes at once. */
static void do_reset(struct subsystem *s)
{
	s->attempt = 0;
	s->gave_up = false;
	if (s->state == STATE_RESTARTING) {
		s->next_restart_mono_ns = 0;
		subsystem_wait_cancel(s);
		s->due = true;
	}
	publish_update(s);
}

/* It came, or it goes. */
static void do_scale(struct core_request *r, struct subsystem *s)
{
	if (s->removed)
		wait_for(r, s, true);
	else
		do_start(r, s);
}

static void apply_verb(struct core_request *r, struct subsystem *s)
{
	switch (r->verb) {
	case CORE_START:
		do_start(r, s);
		break;
	case CORE_STOP:
		do_stop(r, s);
		break;
	case CORE_RESTART:
		do_restart(r, s);
		break;
	case CORE_SIGNAL:
		do_signal(r, s, r->signo);
		break;
	case CORE_RELOAD_SUBSYSTEM:
		do_reload(r, s);
		break;
	case CORE_RESET:
		do_reset(s);
		break;
	case CORE_SCALE:
		do_scale(r, s);
		break;
	case CORE_SHUTDOWN:
		BUG("a shutdown has no subsystem");
	}
	edges_refresh(s);
	saved_store(s);
	subsystem_mark(s);
}

static void select_and_apply(struct core *c, struct core_request *r)
{
	auto_free(freep) uint32_t *slots = NULL;
	struct strlist all = STRLIST_INIT;
	size_t n = 0;
	const char *unknown;

	if (r->names.n == 0 && r->verb == CORE_RESET)
		strlist_add(&all, "all");
	unknown = board_match(c->board, all.n ? &all : &r->names, &slots, &n);
	if (unknown != NULL)
		error_set(&r->error, ERROR_SUBSYSTEM_NOT_FOUND, 0, "unknown subsystem \"%s\"",
			  unknown);
	else if (n == 0 && r->names.n == 0 && all.n == 0)
		error_set(&r->error, ERROR_SUBSYSTEM_NOT_FOUND, 0, "no subsystem named");
	strlist_fini(&all);
	listing_sort(c->board, config_current(), slots, n);
	for (size_t i = 0; i < n && !error_is_set(&r->error); i++)
		strlist_add(&r->affected, registry_at(&c->registry, slots[i])->name);
	if (error_is_set(&r->error))
		return;
	for (size_t i = 0; i < n; i++)
		apply_verb(r, registry_at(&c->registry, slots[i]));
}

/* What the new configuration brought, and what it does without. */
static void apply_scale(struct core *c, struct core_request *r)
{
	for (size_t i = 0; i < r->affected.n; i++) {
		struct subsystem *s = registry_find(&c->registry, r->affected.items[i]);
		struct error e = ERROR_INIT;

		if (s != NULL) {
			apply_verb(r, s);
			continue;
		}
		error_set(&e, ERROR_RESOURCE_MEMORY, 0, "%s: not added: all slots are taken",
			  r->affected.items[i]);
		add_failure(r, r->affected.items[i], &e);
	}
}

void core_request(struct core *c, struct core_request *r)
{
	struct core_request_state *state;

	if (r->verb == CORE_RESTART && r->rolling) {
		roll_start(c, r);
		return;
	}
	state = x_calloc(1, sizeof(*state));
	state->request = r;
	state->accepting = true;
	list_init(&state->waiters);
	list_append(&c->requests, &state->link);
	r->state = state;
	if (r->verb == CORE_SHUTDOWN)
		shutdown_request(c, r->mode, "request");
	else if (r->verb == CORE_SCALE)
		apply_scale(c, r);
	else
		select_and_apply(c, r);
	/* Decide now: the next order must find this one begun, or the two would cancel out. */
	reconcile(c);
	list_for_each(item, &state->waiters)
		waiter_check(list_entry(item, struct waiter, all));
	state->accepting = false;
	answer_if_complete(r);
}
