/* The last resort of a subsystem: others are started when no restart will mend it.
 *
 * Each one started so remembers for whom. That gives people an answer, and makes circles harmless:
 * who is started because of A, directly or through others, never starts A in its turn. An
 * operator's stop is stronger, as it is everywhere; what is up already has nothing to do. */
#include "core/on_failure.h"

#include "base/log.h"
#include "config/family.h"
#include "core/edges.h"
#include "core/live.h"
#include "core/publish.h"

static bool names(const struct config *config, const struct subsystem *s, const char *name)
{
	const struct strlist *list = &subsystem_newest(s)->links->on_failure;
	uint32_t first, n;

	for (size_t i = 0; i < list->n; i++) {
		if (!config_select(config, list->items[i], &first, &n))
			continue;
		for (uint32_t at = first; at < first + n; at++)
			if (strcmp(config->subsystems[at]->name, name) == 0)
				return true;
	}
	return false;
}

/* Slots are given away again, and a reload may have taken the tie between the two away. */
static const struct subsystem *cause_of(const struct subsystem *s)
{
	const struct subsystem *cause;

	if (s->order_reason != REASON_ON_FAILURE || s->cause == 0)
		return NULL;
	cause = registry_at(&s->core->registry, s->cause - 1);
	return cause != NULL && names(config_current(), cause, s->name) ? cause : NULL;
}

const char *on_failure_cause(const struct subsystem *s)
{
	const struct subsystem *cause = cause_of(s);

	return cause != NULL ? cause->name : NULL;
}

/* Was S started, in the end, because T had failed? */
static bool is_for(const struct subsystem *s, const struct subsystem *t)
{
	uint32_t steps = s->core->registry.n;

	for (; s != NULL && steps-- > 0; s = cause_of(s))
		if (s == t)
			return true;
	return false;
}

static bool is_up(const struct subsystem *t)
{
	return t->goal.up && !t->bounce &&
	       (t->kick || t->state == STATE_STARTING || t->state == STATE_RUNNING ||
		t->state == STATE_RESTARTING);
}

static void start_one(const struct subsystem *s, struct subsystem *t)
{
	if (t == NULL || t->removed || is_up(t))
		return;
	if (t->wish == OPERATOR_DOWN || t->ill || is_for(s, t)) {
		log_at(LOG_INFO, t->name, "not started for the failure of %s: %s", s->name,
		       t->wish == OPERATOR_DOWN ? "somebody stopped it" :
		       t->ill ? "it was stopped because it was unhealthy" :
				"that one was started for a failure of this one");
		return;
	}
	log_at(LOG_INFO, t->name, "is started because %s has failed for good", s->name);
	t->pulled |= !t->config_up;
	t->order_reason = REASON_ON_FAILURE;
	t->cause = s->slot + 1;
	t->note_stale = true;
	t->kick = true;
	edges_refresh(t);
	publish_update(t);
	subsystem_mark(t);
}

void on_failure_start(struct subsystem *s)
{
	const struct config *config = config_current();
	const struct strlist *list = &subsystem_newest(s)->links->on_failure;
	uint32_t first, n;

	for (size_t i = 0; i < list->n; i++) {
		if (!config_select(config, list->items[i], &first, &n))
			continue;	/* S is on its way out, with an older configuration */
		for (uint32_t at = first; at < first + n; at++)
			start_one(s, registry_find(&s->core->registry,
						   config->subsystems[at]->name));
	}
}
