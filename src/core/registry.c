/* Two ways to find a subsystem: by slot (facts, timers, board) and by name (people, reloads). */
#include "base/alloc.h"
#include "core/registry.h"
#include "keeper/record.h"

void registry_fini(struct registry *r)
{
	free(r->slots);
	map_fini(&r->names);
	*r = (struct registry)REGISTRY_INIT;
}

bool registry_free_slot(struct registry *r, uint32_t *slot)
{
	while (r->first_free < r->nslots && r->slots[r->first_free] != NULL)
		r->first_free++;
	*slot = r->first_free;
	return *slot < RECORDS_MAX_SLOTS;
}

void registry_add(struct registry *r, uint32_t slot, const char *name, struct subsystem *s)
{
	BUG_ON(slot >= RECORDS_MAX_SLOTS);
	if (slot >= r->cap) {
		uint32_t cap = MAX(slot + 1, r->cap * 2);

		r->slots = x_reallocarray(r->slots, cap, sizeof(struct subsystem *));
		memset(r->slots + r->cap, 0, (cap - r->cap) * sizeof(struct subsystem *));
		r->cap = cap;
	}
	BUG_ON(r->slots[slot] != NULL);
	r->slots[slot] = s;
	r->nslots = MAX(r->nslots, slot + 1);
	r->n++;
	BUG_ON(map_put(&r->names, name, s) != NULL);
}

void registry_remove(struct registry *r, uint32_t slot, const char *name)
{
	r->slots[slot] = NULL;
	r->first_free = MIN(r->first_free, slot);
	r->n--;
	map_remove(&r->names, name);
}

struct subsystem *registry_find(const struct registry *r, const char *name)
{
	return map_find(&r->names, name);
}

struct subsystem *registry_at(const struct registry *r, uint32_t slot)
{
	return slot < r->nslots ? r->slots[slot] : NULL;
}
