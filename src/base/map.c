/* String to pointer hash map: open addressing with linear probing, at most three quarters full.
 * Removal moves the followers back, so there are no tombstones and look-ups stay short however
 * often subsystems come and go. */
#include "base/map.h"

#include "base/alloc.h"
#include "base/hash.h"

/* Keys come from the administrator's config: nobody chooses them to collide. */
static uint64_t hash_bytes(const char *key, size_t len)
{
	return hash_fold(hash_add(HASH_START, key, len));
}

static void drop_key(const struct map *m, struct map_slot *slot)
{
	if (!m->borrows)
		free((char *)(uintptr_t)slot->key);
}

void map_fini(struct map *m)
{
	for (size_t i = 0; i < m->cap; i++)
		drop_key(m, &m->slots[i]);
	free(m->slots);
	*m = (struct map){ .borrows = m->borrows };
}

/* The slot that holds the key, else the free one where it would go. CAP is not 0. */
static struct map_slot *slot_of(const struct map *m, const char *key, size_t len, uint64_t hash)
{
	size_t mask = m->cap - 1;

	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct map_slot *slot = &m->slots[i];

		if (slot->key == NULL)
			return slot;
		if (slot->hash == hash && strncmp(slot->key, key, len) == 0 &&
		    slot->key[len] == '\0')
			return slot;
	}
}

void *map_find(const struct map *m, const char *key)
{
	return map_find_n(m, key, strlen(key));
}

void *map_find_n(const struct map *m, const char *key, size_t len)
{
	struct map_slot *slot;

	if (m->n == 0)
		return NULL;
	slot = slot_of(m, key, len, hash_bytes(key, len));
	return slot->key != NULL ? slot->value : NULL;
}

static void grow(struct map *m)
{
	struct map bigger = { .n = m->n, .cap = MAX(m->cap * 2, (size_t)8),
			      .borrows = m->borrows };

	bigger.slots = x_calloc(bigger.cap, sizeof(*bigger.slots));
	for (size_t i = 0; i < m->cap; i++) {
		struct map_slot *old = &m->slots[i];

		if (old->key != NULL)
			*slot_of(&bigger, old->key, strlen(old->key), old->hash) = *old;
	}
	free(m->slots);
	*m = bigger;
}

void *map_put(struct map *m, const char *key, void *value)
{
	size_t len = strlen(key);
	uint64_t hash = hash_bytes(key, len);
	struct map_slot *slot;
	void *old;

	BUG_ON(value == NULL);
	if ((m->n + 1) * 4 > m->cap * 3)
		grow(m);
	slot = slot_of(m, key, len, hash);
	if (slot->key == NULL) {
		*slot = (struct map_slot){ m->borrows ? key : x_strdup(key), value, hash };
		m->n++;
		return NULL;
	}
	old = slot->value;
	slot->value = value;
	return old;
}

/* Close the gap at HOLE: each follower whose home is not behind the hole moves into it. */
static void close_gap(struct map *m, size_t hole)
{
	size_t mask = m->cap - 1;

	for (size_t i = (hole + 1) & mask; m->slots[i].key != NULL; i = (i + 1) & mask) {
		size_t home = m->slots[i].hash & mask;

		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		m->slots[hole] = m->slots[i];
		hole = i;
	}
	m->slots[hole] = (struct map_slot){ 0 };
}

void *map_remove(struct map *m, const char *key)
{
	size_t len = strlen(key);
	struct map_slot *slot;
	void *value;

	if (m->n == 0)
		return NULL;
	slot = slot_of(m, key, len, hash_bytes(key, len));
	if (slot->key == NULL)
		return NULL;
	value = slot->value;
	drop_key(m, slot);
	close_gap(m, (size_t)(slot - m->slots));
	m->n--;
	return value;
}
