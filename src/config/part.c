/* A part is copied when the first value in it is written, so subsystems that say nothing of their
 * own have the same one; neighbours that say the same are joined. What owns memory in a part, the
 * option table knows. */
#include "config/part.h"

#include <string.h>

#include "base/alloc.h"
#include "base/util.h"
#include "config/schema.h"
#include "config/type.h"

/* All parts begin with it. */
struct part {
	_Atomic uint32_t refs;
};

static const struct {
	size_t at, size;
} kinds[PART_N] = {
	[PART_LINKS] = { AT_OWN(links), sizeof(struct subsystem_links) },
	[PART_POLICY] = { AT_OWN(policy), sizeof(struct subsystem_policy) },
	[PART_RIGHTS] = { AT_OWN(rights), sizeof(struct subsystem_rights) },
	[PART_STREAMS] = { AT_OWN(streams), sizeof(struct subsystem_streams) },
};
_Static_assert(offsetof(struct subsystem_links, refs) == 0 &&
	       offsetof(struct subsystem_policy, refs) == 0 &&
	       offsetof(struct subsystem_rights, refs) == 0 &&
	       offsetof(struct subsystem_streams, refs) == 0, "parts begin with their references");

static struct part **slot_of(enum option_part kind, struct subsystem_options *o)
{
	return (void *)((char *)o + kinds[kind].at);
}

static void copy_values(enum option_part kind, struct subsystem_options *to,
			const struct subsystem_options *from)
{
	for (const struct option *const *row = schema_of_part(kind); *row != NULL; row++)
		if ((*row)->type->copy != NULL)
			(*row)->type->copy(*row, to, from);
}

/* O's part of KIND, which nobody else has. */
static struct part *part_own(enum option_part kind, struct subsystem_options *o)
{
	struct part **slot = slot_of(kind, o), *shared = *slot, *own;
	struct subsystem_options from;

	if (atomic_load_explicit(&shared->refs, memory_order_acquire) <= 1)
		return shared;
	memcpy(&from, o, sizeof(from));
	own = x_malloc(kinds[kind].size);
	memcpy(own, shared, kinds[kind].size);
	atomic_init(&own->refs, 1);
	*slot = own;
	copy_values(kind, o, &from);
	atomic_fetch_sub_explicit(&shared->refs, 1, memory_order_acq_rel);
	return own;
}

const void *part_read(uint32_t at, const void *obj)
{
	enum option_part kind = at >> PART_SHIFT;

	if (kind != PART_OWN)
		obj = *(const void *const *)(const void *)((const char *)obj + kinds[kind].at);
	return (const char *)obj + (at & ((1U << PART_SHIFT) - 1));
}

void *part_resolve(uint32_t at, void *obj)
{
	return (void *)(uintptr_t)part_read(at, obj);
}

void *part_write(uint32_t at, void *obj)
{
	enum option_part kind = at >> PART_SHIFT;

	if (kind != PART_OWN)
		obj = part_own(kind, obj);
	return (char *)obj + (at & ((1U << PART_SHIFT) - 1));
}

struct subsystem_links *links_write(struct subsystem_options *o)
{
	return (void *)part_own(PART_LINKS, o);
}

struct subsystem_policy *policy_write(struct subsystem_options *o)
{
	return (void *)part_own(PART_POLICY, o);
}

struct subsystem_rights *rights_write(struct subsystem_options *o)
{
	return (void *)part_own(PART_RIGHTS, o);
}

struct subsystem_streams *streams_write(struct subsystem_options *o)
{
	return (void *)part_own(PART_STREAMS, o);
}

/* --- life ----------------------------------------------------------------------------------- */

void parts_new(struct subsystem_options *o)
{
	for (enum option_part kind = PART_LINKS; kind < PART_N; kind++) {
		struct part *p = x_calloc(1, kinds[kind].size);

		atomic_init(&p->refs, 1);
		*slot_of(kind, o) = p;
	}
}

void parts_share(struct subsystem_options *o)
{
	for (enum option_part kind = PART_LINKS; kind < PART_N; kind++)
		atomic_fetch_add_explicit(&(*slot_of(kind, o))->refs, 1, memory_order_relaxed);
}

/* What was looked up belongs to the part, too, and to no key. */
static void forget_resolved(enum option_part kind, struct subsystem_options *o)
{
	if (kind == PART_POLICY)
		zone_unref(o->policy->zone);
	if (kind != PART_RIGHTS)
		return;
	free(o->rights->home);
	free(o->rights->login_shell);
	free(o->rights->user_name);
	free(o->rights->numa_cpus);
	free(o->rights->gids);
}

static void drop(enum option_part kind, struct subsystem_options *o)
{
	struct part *p = *slot_of(kind, o);

	if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (const struct option *const *row = schema_of_part(kind); *row != NULL; row++)
		if ((*row)->type->clear != NULL)
			(*row)->type->clear(*row, o);
	forget_resolved(kind, o);
	free(p);
}

void parts_drop(struct subsystem_options *o)
{
	for (enum option_part kind = PART_LINKS; kind < PART_N; kind++)
		drop(kind, o);
}

static bool same_values(enum option_part kind, const struct subsystem_options *a,
			const struct subsystem_options *b)
{
	for (const struct option *const *row = schema_of_part(kind); *row != NULL; row++)
		if (!(*row)->type->equal(*row, a, b))
			return false;
	return true;
}

void parts_join(struct subsystem_options *o, const struct subsystem_options *other)
{
	struct subsystem_options theirs;

	memcpy(&theirs, other, sizeof(theirs));
	for (enum option_part kind = PART_LINKS; kind < PART_N; kind++) {
		struct part **slot = slot_of(kind, o), *p = *slot_of(kind, &theirs);

		if (*slot == p || atomic_load_explicit(&(*slot)->refs, memory_order_acquire) > 1 ||
		    !same_values(kind, o, other))
			continue;
		atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
		drop(kind, o);
		*slot = p;
	}
}
