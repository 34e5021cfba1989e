/* After a death: which of two processes of one name is the subsystem's own (core/overlap.h).
 * Pure. */
#ifndef CORE_PLACES_H
#define CORE_PLACES_H

#include "core/memory.h"
#include "keeper/plan.h"
#include "keeper/record.h"

struct core;

/* The record of SLOT, NULL when it is free. */
const struct record *places_record(const struct core *c, uint32_t slot, enum record_state *state);
/* Is what R is about meant to die with its keeper, and that is dead? */
static inline bool places_condemned(const struct record *r)
{
	return r->flags & PLAN_DIE_WITH_KEEPER && r->fate & RECORD_TAKEN_OVER;
}
/* How many slots the records have room for. */
uint32_t places_nrecords(const struct core *c);

/* Per slot of a subsystem, 1 + the slot of its second place; 0: there is none. */
struct places {
	uint32_t *spare;
	uint32_t n;
};
void places_find(struct places *p, const struct core *c, uint32_t nslots);
void places_fini(struct places *p);

struct place_verdict {
	const struct record *own, *other;	/* NULL: none */
	enum record_state own_state, other_state;
	uint32_t spare;				/* valid while SECOND */
	bool second;				/* there is a second place */
};
/* What belongs to SLOT, whose entry in memory is E (NULL: none). */
struct place_verdict places_judge(const struct places *p, const struct core *c, uint32_t slot,
				  const struct memory_entry *e);

#endif
