/* The id in the subsystem's entry decides: what it names is the own process. Where it names
 * neither, because that one is gone, or not noted yet, the entry of the second one says which that
 * is. Without memory the younger one stays. */
#include "core/places.h"

#include "base/alloc.h"
#include "core/live.h"

const struct record *places_record(const struct core *c, uint32_t slot, enum record_state *state)
{
	const struct record *r;

	if (slot >= places_nrecords(c))
		return NULL;
	r = record_get(c->records, slot);
	*state = (enum record_state)atomic_load_explicit(&r->state, memory_order_acquire);
	return *state == RECORD_FREE || *state >= RECORD_NSTATES ? NULL : r;
}

uint32_t places_nrecords(const struct core *c)
{
	return c->records == NULL ? 0
				  : atomic_load_explicit(&c->records->header->nslots,
							 memory_order_acquire);
}

/* Is SLOT, as far as memory knows, that of a subsystem called so? */
static bool is_home(const struct core *c, uint32_t slot, const char *record_name, bool for_certain)
{
	struct memory_entry e;

	if (!memory_load(&c->memory, slot, &e) || e.flags & MEMORY_SECOND)
		return !for_certain;
	return record_name_is_of(record_name, e.name);
}

static void note(struct places *p, uint32_t home, uint32_t spare)
{
	if (home < p->n && home != spare)
		p->spare[home] = spare + 1;
}

/* A damaged record does not say where it belongs. */
static void note_by_name(struct places *p, const struct core *c, const struct record *r)
{
	for (uint32_t home = 0; home < p->n; home++)
		if (is_home(c, home, r->name, true))
			note(p, home, r->slot);
}

void places_find(struct places *p, const struct core *c, uint32_t nslots)
{
	*p = (struct places){ .spare = x_calloc(nslots + 1, sizeof(uint32_t)), .n = nslots };
	for (uint32_t slot = 0; slot < nslots; slot++) {
		enum record_state state;
		const struct record *r = places_record(c, slot, &state);
		struct memory_entry e;

		if (memory_load(&c->memory, slot, &e) && e.flags & MEMORY_SECOND)
			note(p, e.run_delay_ms, slot);
		if (r == NULL || !record_name_is_second(r->name))
			continue;
		if (r->capture_of == 0)
			note_by_name(p, c, r);
		else if (is_home(c, r->capture_of - 1, r->name, false))
			note(p, r->capture_of - 1, slot);
	}
}

void places_fini(struct places *p)
{
	free(p->spare);
	*p = (struct places){ .n = 0 };
}

/* Is the main process that R is about in the second place of another slot? */
static bool is_guest(const struct places *p, const struct record *r)
{
	if (!record_name_is_second(r->name))
		return false;
	for (uint32_t home = 0; home < p->n; home++)
		if (p->spare[home] == r->slot + 1)
			return true;
	return false;
}

static bool is_second_by_entry(const struct core *c, uint32_t spare, const struct record *r)
{
	struct memory_entry e;

	return memory_load(&c->memory, spare, &e) && e.flags & MEMORY_SECOND &&
	       e.spawn_id == r->spawn_id;
}

/* Is A the own process, rather than B? */
static bool is_own(const struct core *c, const struct place_verdict *v, const struct record *a,
		   const struct record *b, const struct memory_entry *e)
{
	if (e != NULL && (e->spawn_id == a->spawn_id || (b != NULL && e->spawn_id == b->spawn_id)))
		return e->spawn_id == a->spawn_id;
	if (is_second_by_entry(c, v->spare, a))
		return false;
	return b == NULL || is_second_by_entry(c, v->spare, b) || a->spawn_id > b->spawn_id;
}

struct place_verdict places_judge(const struct places *p, const struct core *c, uint32_t slot,
				  const struct memory_entry *e)
{
	enum record_state home_state = RECORD_FREE, spare_state = RECORD_FREE;
	const struct record *home = places_record(c, slot, &home_state), *spare = NULL;
	struct place_verdict v = { .second = slot < p->n && p->spare[slot] != 0 };

	if (home != NULL && (!record_name_is_main(home->name) || is_guest(p, home)))
		home = NULL;
	if (v.second) {
		v.spare = p->spare[slot] - 1;
		spare = places_record(c, v.spare, &spare_state);
	}
	if (spare != NULL && !record_name_is_second(spare->name))
		spare = NULL;
	if (spare == NULL && (home == NULL || !v.second || is_own(c, &v, home, NULL, e))) {
		v.own = home;
		v.own_state = home_state;
	} else if (spare != NULL && is_own(c, &v, spare, home, e)) {
		v.own = spare;
		v.own_state = spare_state;
		v.other = home;
		v.other_state = home_state;
	} else {
		v.own = spare != NULL ? home : NULL;
		v.own_state = home_state;
		v.other = spare != NULL ? spare : home;
		v.other_state = spare != NULL ? spare_state : home_state;
	}
	return v;
}
