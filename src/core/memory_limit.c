/* Who samples the memory of processes sees values; here is what they mean. Whether it was told is
 * saved, so the next supervisor does not tell it again. */
#include "base/log.h"
#include "core/live.h"
#include "core/publish.h"

static void tell(struct subsystem *s, uint64_t value, uint64_t limit)
{
	json_t *j = publish_ident(s);

	json_object_set_new(j, "resource", json_text("memory"));
	json_object_set_new(j, "value", json_integer((json_int_t)value));
	json_object_set_new(j, "limit", json_integer((json_int_t)limit));
	tally_add(s->core->tally, TALLY_RESOURCE_ALERTS, 1);
	event_send(s->core->chan, EVENT_RESOURCE_ALERT, j);
	log_at(LOG_WARN, s->name, "has %llu bytes of memory, more than its soft limit of %llu",
	       (unsigned long long)value, (unsigned long long)limit);
}

/* As an order of people, but that it takes back no stop. */
static void restart(struct subsystem *s)
{
	s->order_reason = REASON_MEMORY;
	s->bounce = s->state == STATE_STARTING || s->state == STATE_RUNNING;
	s->kick = true;
	edges_refresh(s);
	subsystem_mark(s);
}

void core_memory_used(struct core *c, uint32_t slot, uint64_t spawn_id, bool over, uint64_t value,
		      uint64_t limit)
{
	struct subsystem *s = registry_at(&c->registry, slot);

	if (s == NULL || s->proc.spawn_id != spawn_id || !subsystem_is_up(s) ||
	    s->memory_over == over)
		return;
	s->memory_over = over;
	if (over)
		tell(s, value, limit);
	if (over && s->goal.up && subsystem_newest(s)->policy->on_memory_limit == ON_MEMORY_RESTART)
		restart(s);
	publish_update(s);
}
