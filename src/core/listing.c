/* Slots are given away lowest first, so after a few reloads their order means nothing to
 * anybody. */
#include "core/listing.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "config/family.h"

enum { PLACE_LEAVING = INT32_MAX - 1, PLACE_OWN };

struct listed {
	uint32_t place, slot;
};

/* *NEXT: where it is, if all is in order. */
static uint32_t place_of(const struct config *config, const char *name, uint32_t *next)
{
	uint32_t at = *next;

	if (strcmp(name, OWN_SUBSYSTEM) == 0)
		return PLACE_OWN;
	if (at >= config->nsubsystems || strcmp(config->subsystems[at]->name, name) != 0)
		if (!config_position(config, name, &at))
			return PLACE_LEAVING;
	*next = at + 1;
	return at;
}

static int by_place(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

void listing_sort(const struct board *board, const struct config *config, uint32_t *slots, size_t n)
{
	auto_free(freep) struct listed *list = x_calloc(n + 1, sizeof(*list));
	uint32_t next = 0;
	bool sorted = true;

	for (size_t i = 0; i < n; i++) {
		const struct board_record *r = board_get(board, slots[i]);

		list[i].slot = slots[i];
		list[i].place = r != NULL ? place_of(config, r->name, &next) : PLACE_LEAVING;
		sorted &= i == 0 || list[i - 1].place <= list[i].place;
	}
	if (sorted)
		return;
	qsort(list, n, sizeof(*list), by_place);
	for (size_t i = 0; i < n; i++)
		slots[i] = list[i].slot;
}
