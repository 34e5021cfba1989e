/* Two ways to find a subsystem: by slot (facts, timers, board) and by name (people, reloads). */
#include "base/alloc.h"
#include "core/registry.h"
#include "keeper/record.h"

void registry_fini(struct registry *r)
{
	free(r->slots);
	free(r->tasks);
	free(r->reserved);
	free(r->lodgers);
	map_fini(&r->names);
	*r = (struct registry)REGISTRY_INIT;
}

static struct subsystem *registry_lodger(const struct registry *r, uint32_t slot)
{
	return r->lodgers != NULL && slot < r->nslots ? r->lodgers[slot] : NULL;
}

bool registry_is_free(const struct registry *r, uint32_t slot)
{
	return slot < RECORDS_MAX_SLOTS &&
	       (slot >= r->nslots || (r->slots[slot] == NULL && r->tasks[slot] == NULL &&
				      !r->reserved[slot] && !registry_lodger(r, slot)));
}

bool registry_free_slot(struct registry *r, uint32_t *slot)
{
	while (r->first_free < r->nslots && !registry_is_free(r, r->first_free))
		r->first_free++;
	*slot = r->first_free;
	return *slot < RECORDS_MAX_SLOTS;
}

/* Room for SLOT, which is free. */
static void take_slot(struct registry *r, uint32_t slot)
{
	BUG_ON(!registry_is_free(r, slot));
	if (slot >= r->cap) {
		uint32_t cap = MAX(slot + 1, r->cap * 2);

		r->slots = x_reallocarray(r->slots, cap, sizeof(*r->slots));
		memset(r->slots + r->cap, 0, (cap - r->cap) * sizeof(*r->slots));
		r->tasks = x_reallocarray(r->tasks, cap, sizeof(*r->tasks));
		memset(r->tasks + r->cap, 0, (cap - r->cap) * sizeof(*r->tasks));
		r->reserved = x_reallocarray(r->reserved, cap, sizeof(*r->reserved));
		memset(r->reserved + r->cap, 0, (cap - r->cap) * sizeof(*r->reserved));
		if (r->lodgers != NULL) {
			r->lodgers = x_reallocarray(r->lodgers, cap, sizeof(*r->lodgers));
			memset(r->lodgers + r->cap, 0, (cap - r->cap) * sizeof(*r->lodgers));
		}
		r->cap = cap;
	}
	r->nslots = MAX(r->nslots, slot + 1);
}

void registry_add(struct registry *r, uint32_t slot, const char *name, struct subsystem *s)
{
	take_slot(r, slot);
	r->slots[slot] = s;
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

void registry_add_task(struct registry *r, uint32_t slot, struct task *task)
{
	take_slot(r, slot);
	r->tasks[slot] = task;
}

void registry_remove_task(struct registry *r, uint32_t slot)
{
	r->tasks[slot] = NULL;
	r->first_free = MIN(r->first_free, slot);
}

struct task *registry_task_at(const struct registry *r, uint32_t slot)
{
	return slot < r->nslots ? r->tasks[slot] : NULL;
}

void registry_reserve(struct registry *r, uint32_t slot)
{
	take_slot(r, slot);
	r->reserved[slot] = true;
}

void registry_unreserve(struct registry *r, uint32_t slot)
{
	r->reserved[slot] = false;
	r->first_free = MIN(r->first_free, slot);
}

void registry_lodge(struct registry *r, uint32_t slot, struct subsystem *s)
{
	take_slot(r, slot);
	if (r->lodgers == NULL)
		r->lodgers = x_calloc(r->cap, sizeof(*r->lodgers));
	r->lodgers[slot] = s;
}

void registry_unlodge(struct registry *r, uint32_t slot)
{
	r->lodgers[slot] = NULL;
	r->first_free = MIN(r->first_free, slot);
}

struct subsystem *registry_tenant(const struct registry *r, uint32_t slot)
{
	struct subsystem *s = registry_at(r, slot);

	return s != NULL ? s : registry_lodger(r, slot);
}
