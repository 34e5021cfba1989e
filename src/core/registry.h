/* Who lives in which slot. A slot belongs to one subsystem for as long as it exists, over reloads
 * and supervisor deaths; the lowest free slot is given away first. Main thread. */
#ifndef CORE_REGISTRY_H
#define CORE_REGISTRY_H

#include <stdbool.h>

#include "base/map.h"

struct subsystem;
struct task;

struct registry {
	struct subsystem **slots;	/* NULL: none */
	struct task **tasks;		/* in a slot of their own; NULL: none */
	bool *reserved;			/* for a listening socket */
	struct subsystem **lodgers;	/* whose process has a place beside its slot; NULL: nobody ever
					 * had (core/overlap.h) */
	uint32_t nslots;		/* highest slot ever used + 1 */
	uint32_t cap;
	uint32_t first_free;		/* no free slot below it */
	uint32_t n;			/* subsystems */
	struct map names;		/* borrowed from those that have them */
};
#define REGISTRY_INIT { .names = MAP_INIT_BORROWING }

void registry_fini(struct registry *r);		/* the subsystems are the caller's */
/* Lowest free slot; false when RECORDS_MAX_SLOTS are taken. */
bool registry_free_slot(struct registry *r, uint32_t *slot);
/* SLOT must be free and NAME, which S keeps, unknown. */
void registry_add(struct registry *r, uint32_t slot, const char *name, struct subsystem *s);
void registry_remove(struct registry *r, uint32_t slot, const char *name);
struct subsystem *registry_find(const struct registry *r, const char *name);	/* NULL: unknown */
struct subsystem *registry_at(const struct registry *r, uint32_t slot);	/* NULL: none */

/* The same for a process beside the main ones, which has no name. SLOT must be free. */
void registry_add_task(struct registry *r, uint32_t slot, struct task *task);
void registry_remove_task(struct registry *r, uint32_t slot);
struct task *registry_task_at(const struct registry *r, uint32_t slot);	/* NULL: none */

/* A slot without a process, for what the keeper holds. SLOT must be free. */
void registry_reserve(struct registry *r, uint32_t slot);
void registry_unreserve(struct registry *r, uint32_t slot);
/* A second place for processes of S. SLOT must be free. */
void registry_lodge(struct registry *r, uint32_t slot, struct subsystem *s);
void registry_unlodge(struct registry *r, uint32_t slot);
/* Whose process may be in SLOT: of whom it is, or who has it as a second place; NULL: nobody's. */
struct subsystem *registry_tenant(const struct registry *r, uint32_t slot);
bool registry_is_free(const struct registry *r, uint32_t slot);

#define registry_for_each(s, r)                                                                   \
	for (uint32_t s##_i = 0; s##_i < (r)->nslots; s##_i++)                                    \
		for (struct subsystem *s = (r)->slots[s##_i]; s != NULL; s = NULL)

#endif
