/* Each order holds one waiter per subsystem that it is meant for. Waiters sit in the subsystem's
 * list, so a state change looks at its own waiters only. When the last waiter of an order is gone,
 * the order is answered. */
#include "base/alloc.h"
#include "core/live.h"
#include "core/order.h"
#include "core/reconcile.h"
#include "core/request.h"
#include "core/roll.h"

struct waiter {
	struct list link;		/* in subsystem->waiters */
	struct list all;		/* in state->waiters */
	struct subsystem *s;
	struct core_request *request;
	enum awaited what;
	uint64_t not_spawn;		/* CORE_RESTART: done by a later process than this one */
	uint64_t reload;		/* AWAIT_RELOADED: number of the run that counts */
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

void request_fail(struct core_request *r, const char *name, enum error_code code, const char *why)
{
	struct error e = ERROR_INIT;

	error_set(&e, code, 0, "%s: %s", name, why);
	add_failure(r, name, &e);
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
	switch (w->what) {
	case AWAIT_UP:
		return start_verdict(w->s, w, e);
	case AWAIT_DOWN:
		return stop_verdict(w->s);
	case AWAIT_RELOADED:
		return reload_verdict(w->s, w, e);
	case AWAIT_REPLACED:
		break;		/* request_replaced() tells */
	}
	return STILL_WAITING;
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

	if ((w->what == AWAIT_DOWN || r->verb == CORE_RESTART) && s->end.known && s->end.killed)
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
	struct core_request *r = w->request;

	request_fail(r, w->s->name, code, why);
	waiter_free(w);
	answer_if_complete(r);
}

void request_replaced(struct subsystem *s, const char *trouble, bool killed)
{
	list_for_each(item, &s->waiters) {
		struct waiter *w = list_entry(item, struct waiter, link);
		auto_free(freep) char *text = NULL;

		if (w->what != AWAIT_REPLACED)
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

		if (w->what == AWAIT_DOWN)
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

static struct waiter *waiter_new(struct core_request *r, struct subsystem *s, enum awaited what)
{
	struct waiter *w = x_calloc(1, sizeof(*w));

	w->s = s;
	w->request = r;
	w->what = what;
	w->not_spawn = r->verb == CORE_RESTART && s->kick ? s->proc.spawn_id : 0;
	list_append(&s->waiters, &w->link);
	list_append(&r->state->waiters, &w->all);
	return w;
}

void request_await(struct core_request *r, struct subsystem *s, enum awaited what)
{
	if (!r->no_wait)
		waiter_new(r, s, what);
}

void request_await_reload(struct core_request *r, struct subsystem *s, uint64_t run)
{
	if (!r->no_wait)
		waiter_new(r, s, AWAIT_RELOADED)->reload = run;
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
	order_apply(c, r);
	/* Decide now: the next order must find this one begun, or the two would cancel out. */
	reconcile(c);
	list_for_each(item, &state->waiters)
		waiter_check(list_entry(item, struct waiter, all));
	state->accepting = false;
	answer_if_complete(r);
}
