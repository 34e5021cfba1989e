/* String to pointer hash map (open addressing). Keys are copied, unless the map is told to borrow
 * them: then a key is the caller's, and stays where it is for as long as it is in. Values belong to
 * the caller. One thread at a time. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>

#include "base/util.h"

struct map_slot {
	const char *key;	/* NULL: free */
	void *value;
	uint64_t hash;
};

struct map {
	struct map_slot *slots;
	size_t n;
	size_t cap;	/* power of two or 0 */
	bool borrows;	/* keys */
};

#define MAP_INIT { 0 }
#define MAP_INIT_BORROWING { .borrows = true }

void map_fini(struct map *m);			/* values and borrowed keys are not freed */
void *map_find(const struct map *m, const char *key);		/* NULL: not there */
void *map_find_n(const struct map *m, const char *key, size_t len);
/* Insert or replace. Returns the previous value or NULL. VALUE must not be NULL. */
void *map_put(struct map *m, const char *key, void *value);
void *map_remove(struct map *m, const char *key);		/* returns the value or NULL */

#define map_for_each(slot, m)                                                                     \
	for (struct map_slot *slot = (m)->slots; slot != NULL && slot < (m)->slots + (m)->cap;    \
	     slot++)                                                                              \
		if (slot->key != NULL)

#endif
