/* A reload: one publish, then each subsystem is brought in line. Unchanged ones share their options
 * with the old configuration, so for them nothing happens at all. */
#include <errno.h>

#include "base/log.h"
#include "config/store.h"
#include "core/action.h"
#include "core/apply.h"
#include "core/ladder.h"
#include "core/live.h"
#include "core/narrate.h"
#include "core/publish.h"
#include "core/reconcile.h"
#include "core/saved.h"

/* A subsystem for OPTIONS in SLOT with a new id, not yet in the registry. */
static struct subsystem *make_subsystem(struct core *c, uint32_t slot,
					struct subsystem_options *options)
{
	struct subsystem *s = subsystem_new(c, slot, c->next_id++, options);

	s->config_up = options->autostart;
	return s;
}

/* Or does it wait, for its time or for a connection? */
static bool starts_at_once(const struct subsystem_options *o)
{
	return schedule_starts_at_once(o) && !o->policy->socket_activation;
}

static void add_one(struct core *c, struct subsystem_options *o, enum reason order_reason)
{
	struct subsystem *s;
	uint32_t slot;

	if (!registry_free_slot(&c->registry, &slot)) {
		c->unplaced = true;
		log_at(LOG_ERROR, o->name, "not added: all %u slots are taken", RECORDS_MAX_SLOTS);
		return;
	}
	s = make_subsystem(c, slot, o);
	s->order_reason = order_reason;
	s->kick = s->config_up && starts_at_once(o);
	reconcile_add(s, false);
}

void apply_added(struct core *c, enum reason order_reason)
{
	const struct config *config = config_current();

	c->unplaced = false;
	for (size_t i = 0; i < config->nsubsystems; i++)
		if (registry_find(&c->registry, config->subsystems[i]->name) == NULL)
			add_one(c, config->subsystems[i], order_reason);
	saved_store_head(c);
}

/* It was removed by an earlier reload and is still on its way down: it comes back instead. */
static void revive(struct subsystem *s, struct subsystem_options *o)
{
	s->removed = false;
	s->revived = true;
	s->wish = OPERATOR_NONE;
	s->ill = false;
	s->config_up = o->autostart;
	s->order_reason = REASON_RELOAD;
	s->kick = s->config_up && starts_at_once(o);
	subsystem_set_next_options(s, o);
}

/* What S, or its second process, waits for by the clock. */
static void retime(struct subsystem *s)
{
	ready_retime(s);
	ladder_retime(s);
	hooks_retime(s);
	action_await_stable(s);
}

static bool same_restarts(const struct subsystem_policy *a, const struct subsystem_policy *b)
{
	return a->restart == b->restart && a->restart_delay_ms == b->restart_delay_ms &&
	       a->restart_max_delay_ms == b->restart_max_delay_ms &&
	       a->restart_max_attempts == b->restart_max_attempts;
}

/* S waits for its restart, or had none to wait for, and O says otherwise: what was decided by the
 * old options does not hold any more. */
static bool restarts_anew(const struct subsystem *s, const struct subsystem_options *o)
{
	bool waits = s->state == STATE_RESTARTING ||
		     (s->state == STATE_FAILED && s->config_up && s->wish == OPERATOR_NONE &&
		      !subsystem_is_periodic(o));

	return waits && !same_restarts(subsystem_newest(s)->policy, o->policy) &&
	       backoff_policy_restarts(o, s->outcome == OUTCOME_SUCCEEDED) &&
	       !backoff_exhausted(o, s->attempt);
}

/* Only keys that act without a restart differ. */
static void update_live(struct subsystem *s, struct subsystem_options *o)
{
	struct core *c = s->core;

	if (restarts_anew(s, o)) {
		s->order_reason = REASON_RELOAD;
		s->kick = true;
	}
	health_replace(s, o);
	if (s->next != NULL)
		subsystem_set_next_options(s, o);
	else
		subsystem_set_options(s, o);
	retime(s);
	if (s->overlap != NULL) {
		subsystem_set_options(s->overlap->second, o);
		retime(s->overlap->second);
	}
	if (s->attached)
		c->ops->output_attach(c->ops_ctx, s->slot, s->options);
}

/* What waits for its restart or has failed is tried at once with the new options. */
static void try_changed(struct subsystem *s, const struct subsystem_options *was,
			const struct subsystem_options *o)
{
	bool was_on_call = subsystem_is_periodic(was) || was->policy->socket_activation;
	bool wanted = s->config_up && s->wish == OPERATOR_NONE;

	if (s->state != STATE_RESTARTING &&
	    (!wanted || subsystem_is_periodic(o) ||
	     (s->state != STATE_FAILED &&
	      !(was_on_call && starts_at_once(o) && subsystem_is_down(s)))))
		return;
	s->order_reason = REASON_RELOAD;
	s->kick = true;
}

/* A process that runs is replaced; one that is being stopped gets the new options next time. */
static void update_by_restart(struct subsystem *s, struct subsystem_options *o)
{
	const struct subsystem_options *was = subsystem_newest(s);

	if (s->state == STATE_RUNNING || (s->state == STATE_STARTING && subsystem_has_process(s))) {
		s->order_reason = REASON_RELOAD;
		s->bounce = true;
		/* A service that becomes a job with a schedule ends, and waits for its time. */
		s->kick = subsystem_is_periodic(was) || starts_at_once(o);
	} else {
		try_changed(s, was, o);
	}
	subsystem_set_next_options(s, o);
}

/* Autostart acts upwards only: taking it away stops nothing. */
static void update_autostart(struct subsystem *s, const struct subsystem_options *o)
{
	if (!o->autostart || s->config_up)
		return;
	s->config_up = true;
	s->order_reason = REASON_RELOAD;
	s->kick |= s->wish == OPERATOR_NONE && subsystem_is_down(s) && starts_at_once(o);
}

static void update(struct subsystem *s, struct subsystem_options *o, bool restart)
{
	bool same_times = schedule_is_same(subsystem_newest(s), o);

	if (s->removed) {
		revive(s, o);
	} else {
		if (restart)
			update_by_restart(s, o);
		else
			update_live(s, o);
		update_autostart(s, o);
	}
	health_retime(s);
	if (!same_times)
		schedule_renew(s);
	publish_update(s);
	subsystem_mark(s);
}

/* Of instances, those with the highest numbers go first. */
static void remove_missing(struct core *c, const struct config_diff *diff, enum reason reason)
{
	for (size_t i = diff->removed.n; i-- > 0;) {
		struct subsystem *s = registry_find(&c->registry, diff->removed.items[i]);

		if (s == NULL)
			continue;
		s->removed = true;
		s->order_reason = reason;
		s->kick = false;
		s->bounce = false;
		publish_update(s);
		subsystem_mark(s);
	}
}

static void update_named(struct core *c, const struct strlist *names, bool restart)
{
	for (size_t i = 0; i < names->n; i++) {
		struct subsystem *s = registry_find(&c->registry, names->items[i]);
		struct subsystem_options *o = config_find(config_current(), names->items[i]);

		if (s != NULL && (s->removed || subsystem_newest(s) != o))
			update(s, o, restart);
	}
}

/* Some of them may be there still, on their way down. */
static void add_named(struct core *c, const struct strlist *names, enum reason reason)
{
	update_named(c, names, false);
	for (size_t i = 0; i < names->n && !c->unplaced; i++)
		if (registry_find(&c->registry, names->items[i]) == NULL)
			add_one(c, config_find(config_current(), names->items[i]), reason);
	if (c->unplaced)
		apply_added(c, reason);
	else
		saved_store_head(c);
}

/* Of one that was adopted a moment ago the state does not say yet that it runs. */
static void catch_up(struct subsystem *s, const struct subsystem_options *was, bool restart)
{
	struct subsystem_options *o = subsystem_newest(s);

	/* what is being stopped gets the new ones next time */
	if (restart && s->proc.phase == PROC_UP && s->state != STATE_STOPPING) {
		log_at(LOG_INFO, s->name, "its options have changed since it was started");
		s->order_reason = REASON_RELOAD;
		s->bounce = true;
		s->kick = true;
	} else if (restart && s->proc.phase == PROC_NONE) {
		try_changed(s, was, o);
	}
	update_autostart(s, o);
	if (!schedule_is_same(was, o))
		schedule_renew(s);
	publish_update(s);
	subsystem_mark(s);
}

static void catch_up_named(struct core *c, const struct config *before, const struct strlist *names,
			   bool restart)
{
	for (size_t i = 0; i < names->n; i++) {
		struct subsystem *s = registry_find(&c->registry, names->items[i]);
		const struct subsystem_options *was = config_find(before, names->items[i]);

		if (s != NULL && was != NULL && !s->removed)
			catch_up(s, was, restart);
	}
}

void apply_missed(struct core *c, const struct config *before)
{
	struct config_diff diff;

	config_diff(before, config_current(), &diff);
	catch_up_named(c, before, &diff.restarted, true);
	catch_up_named(c, before, &diff.updated, false);
	config_diff_fini(&diff);
}

static void tell_reloaded(struct core *c, const struct config_diff *diff)
{
	json_t *j = config_diff_json(diff);

	json_object_set_new(j, "generation",
			    json_integer((json_int_t)config_current()->generation));
	event_send(c->chan, EVENT_CONFIG_RELOADED, j);
}

static int refuse(struct config *new, int error)
{
	config_free(new);
	return error;
}

void core_tell_reload(struct core *c)
{
	if (shutdown_active(&c->shutdown))
		return;
	c->ops->daemon_state(c->ops_ctx, DAEMON_RELOADING, false, "reloading");
	c->status_told_ns = 0;
	c->status_changed = true;
}

/* NEW->change, if need be made here: something else was published since it was made. */
static const struct config_change *change_of(struct config *new, bool numbers_only)
{
	const struct config *now = config_current();

	if (new->change == NULL || new->change->from != now->generation) {
		if (numbers_only)
			config_share_namesakes(now, new);
		config_compare(now, new);
	}
	return new->change;
}

/* Publish NEW and note what that means for each subsystem that is named in NEW->change. The others
 * are not looked at, unless something of procd's own has changed that concerns them. */
static void carry_out(struct core *c, struct config *new, enum reason reason)
{
	struct config_change *change = take(new->change);
	const struct config_diff *diff = &change->diff;

	if (c->ops->publishing != NULL)
		c->ops->publishing(c->ops_ctx, config_current()->generation + 1);
	config_publish(new, 1);
	c->daemon_changed = true;
	if (reason == REASON_RELOAD)
		core_tell_reload(c);
	tell_reloaded(c, diff);
	narrate_reload(diff, reason == REASON_RELOAD ? "configuration reloaded" : "scaled");
	saved_store_head(c);
	remove_missing(c, diff, reason);
	update_named(c, &diff->restarted, true);
	update_named(c, &diff->updated, false);
	if (diff->settings.n > 0)
		registry_for_each(s, &c->registry) {
			health_retime(s);
			ladder_retime(s);
			if (s->overlap != NULL)
				ladder_retime(s->overlap->second);
		}
	add_named(c, &diff->added, reason);
	if (change->listens)
		sockets_bind(c);
	if (change->links || c->nedges > 0)
		edges_build(c);
	config_change_free(change);
}

bool apply_scaled(struct core *c, struct config *new, struct strlist *affected)
{
	const struct config_diff *diff;

	if (shutdown_active(&c->shutdown)) {
		config_free(new);
		return false;
	}
	diff = &change_of(new, true)->diff;
	strlist_copy(affected, &diff->added);
	for (size_t i = 0; i < diff->removed.n; i++)
		strlist_add(affected, diff->removed.items[i]);
	if (affected->n == 0)
		config_free(new);
	else
		carry_out(c, new, REASON_REQUEST);
	return affected->n > 0;
}

int core_apply(struct core *c, struct config *new, bool allow_empty, json_t **summary)
{
	const struct config_diff *diff;

	if (summary != NULL)
		*summary = NULL;
	if (shutdown_active(&c->shutdown))
		return refuse(new, -ESHUTDOWN);
	if (config_declared(new) == 0 && !allow_empty)
		return refuse(new, -ENOENT);
	diff = &change_of(new, false)->diff;
	if (summary != NULL)
		*summary = config_diff_json(diff);
	if (diff->equal)
		return refuse(new, -EALREADY);
	carry_out(c, new, REASON_RELOAD);
	return 0;
}

void core_reject(struct core *c, const struct config_diag *diag)
{
	json_t *j = json_object();

	json_object_set_new(j, "errors", config_diag_json(diag, false));
	event_send(c->chan, EVENT_CONFIG_REJECTED, j);
}
