/* What the verbs change at once: an operator's wish and the marks of one subsystem, for settle to
 * act on. What then has to come true is waited for in core/request.c. */
#include "base/alloc.h"
#include "base/signame.h"
#include "core/listing.h"
#include "core/live.h"
#include "core/order.h"
#include "core/publish.h"
#include "core/request.h"
#include "core/saved.h"

static bool refuse_in_shutdown(struct core_request *r, struct subsystem *s)
{
	if (!shutdown_active(&s->core->shutdown))
		return false;
	request_fail(r, s->name, ERROR_SHUTDOWN_IN_PROGRESS, "procd shuts down");
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
	request_await(r, s, AWAIT_UP);
}

static void do_stop(struct core_request *r, struct subsystem *s)
{
	s->wish = OPERATOR_DOWN;
	s->ill = false;
	s->order_reason = REASON_REQUEST;
	s->kick = false;
	s->bounce = false;
	s->pulled = false;
	request_await(r, s, AWAIT_DOWN);
}

static void do_replace(struct core_request *r, struct subsystem *s)
{
	auto_free(freep) char *refusal = overlap_refusal(s), *why = NULL;

	if (refusal == NULL && overlap_begin(s)) {
		request_await(r, s, AWAIT_REPLACED);
		return;
	}
	why = x_asprintf("not replaced: %s", refusal != NULL ? refusal : "all slots are taken");
	request_fail(r, s->name, ERROR_SUBSYSTEM_STATE, why);
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
	request_await(r, s, AWAIT_UP);
}

static void do_signal(struct core_request *r, struct subsystem *s, int signo)
{
	auto_free(freep) char *why = NULL;
	struct core *c = s->core;

	if (subsystem_is_up(s)) {
		c->ops->signal(c->ops_ctx, s->proc.slot, s->proc.spawn_id, signo, SCOPE_MAIN,
			       false);
		return;
	}
	why = x_asprintf("not sent %s: it does not run", signame(signo));
	request_fail(r, s->name, ERROR_SIGNAL_SEND, why);
}

static void do_reload(struct core_request *r, struct subsystem *s)
{
	if (!subsystem_is_up(s))
		request_fail(r, s->name, ERROR_SUBSYSTEM_STATE, "not reloaded: it does not run");
	else if (s->state == STATE_STOPPING)
		request_fail(r, s->name, ERROR_SUBSYSTEM_STATE,
			     "not reloaded: it is being stopped");
	else if (s->options->policy->reload_command.n == 0)
		do_signal(r, s, s->options->policy->reload_signal);
	else
		request_await_reload(r, s, hooks_reload(s));
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
		request_await(r, s, AWAIT_DOWN);
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
		const char *name = r->affected.items[i];
		struct subsystem *s = registry_find(&c->registry, name);

		if (s != NULL)
			apply_verb(r, s);
		else
			request_fail(r, name, ERROR_RESOURCE_MEMORY,
				     "not added: all slots are taken");
	}
}

void order_apply(struct core *c, struct core_request *r)
{
	if (r->verb == CORE_SHUTDOWN)
		shutdown_request(c, r->mode, "request");
	else if (r->verb == CORE_SCALE)
		apply_scale(c, r);
	else
		select_and_apply(c, r);
}
