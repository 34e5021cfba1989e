/* The status board. A slot is one RCU pointer; beside it lies a 32-bit hash of the name in an array
 * of its own, so that finding one name among thousands reads a few dense cache lines and compares
 * text only where the hash agrees. There is no hash table to keep right under concurrent readers.
 *
 * Address space for all slots is reserved once; memory follows as slots are used. */
#include "event/board.h"

#include <stdatomic.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "base/text.h"

ENUMTEXT(health, "health",
	 [HEALTH_UNKNOWN] = "unknown",
	 [HEALTH_HEALTHY] = "healthy",
	 [HEALTH_UNHEALTHY] = "unhealthy");

ENUMTEXT(daemon_state, "daemon state",
	 [DAEMON_STARTING] = "starting",
	 [DAEMON_RUNNING] = "running",
	 [DAEMON_RELOADING] = "reloading",
	 [DAEMON_STOPPING] = "stopping");

/* What was replaced and may still be looked at. It waits for others, as each call of the helper
 * costs more than the records: a wake-up of its thread and a barrier on every processor. */
#define BATCH 32
struct batch {
	struct rcu_head rcu;
	unsigned n;
	void *gone[BATCH];
};

struct board {
	uint32_t max_slots;
	_Atomic uint32_t nslots;	/* highest slot ever in use + 1, lowered when the end is freed */
	struct board_daemon *daemon;	/* RCU */
	struct board_record **records;	/* RCU, each */
	_Atomic uint32_t *hashes;	/* of the names; 0 where there is no record */
	struct batch *batch;		/* not full yet; NULL: none */
};

/* FNV-1a; never 0. */
static uint32_t name_hash(const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	return h != 0 ? h : 1;
}

struct board *board_new(uint32_t max_slots)
{
	struct board *b = x_calloc(1, sizeof(*b));

	BUG_ON(max_slots == 0);
	b->max_slots = max_slots;
	b->records = x_reserve(max_slots * sizeof(struct board_record *));
	b->hashes = x_reserve(max_slots * sizeof(uint32_t));
	b->daemon = x_calloc(1, sizeof(*b->daemon));
	return b;
}

static void free_batch(struct batch *batch)
{
	for (unsigned i = 0; batch != NULL && i < batch->n; i++)
		free(batch->gone[i]);
	free(batch);
}

void board_free(struct board *b)
{
	if (b == NULL)
		return;
	free_batch(b->batch);
	for (uint32_t i = 0; i < atomic_load(&b->nslots); i++)
		free(b->records[i]);
	free(b->daemon);
	munmap(b->records, b->max_slots * sizeof(struct board_record *));
	munmap(b->hashes, b->max_slots * sizeof(uint32_t));
	free(b);
}

/* --- main thread ---------------------------------------------------------------------------- */

static void on_grace_period(struct rcu_head *head)
{
	free_batch(container_of(head, struct batch, rcu));
}

static void retire(struct board *b, void *old)
{
	if (b->batch == NULL)
		b->batch = x_calloc(1, sizeof(*b->batch));
	b->batch->gone[b->batch->n++] = old;
	if (b->batch->n == BATCH)
		rcu_retire(&take(b->batch)->rcu, on_grace_period);
}

void board_put(struct board *b, uint32_t slot, struct board_record *record)
{
	uint32_t n = atomic_load_explicit(&b->nslots, memory_order_relaxed);
	struct board_record *old;

	BUG_ON(slot >= b->max_slots);
	if (record != NULL)
		record->slot = slot;
	old = rcu_publish(&b->records[slot], record);
	atomic_store_explicit(&b->hashes[slot], record != NULL ? name_hash(record->name) : 0,
			      memory_order_release);
	if (record != NULL && slot >= n)
		n = slot + 1;
	while (n > 0 && b->records[n - 1] == NULL)
		n--;
	atomic_store_explicit(&b->nslots, n, memory_order_release);
	if (old != NULL)
		retire(b, old);
}

void board_put_daemon(struct board *b, struct board_daemon *daemon)
{
	retire(b, rcu_publish(&b->daemon, daemon));
}

static const struct board_texts no_texts = {
	.description = "", .groups = "", .waits_for = "", .awaits = "", .status = "",
	.health_detail = "", .degraded = "", .cause = "",
};

static size_t text_room(const char *text)
{
	return text != NULL && *text != '\0' ? strlen(text) + 1 : 0;
}

static const char *text_keep(const char *text, char **at)
{
	size_t n = text_room(text);

	if (n == 0)
		return "";
	memcpy(*at, text, n);
	*at += n;
	return *at - n;
}

struct board_record *board_record_new(const char *name, const struct board_texts *t)
{
	const char *const texts[] = { t->description, t->last_error, t->groups, t->waits_for,
				      t->awaits, t->status, t->health_detail, t->degraded, t->cause,
				      t->doing };
	size_t n = strlen(name) + 1;
	size_t at_texts = (offsetof(struct board_record, name) + n + 7) & ~(size_t)7;
	size_t room = t->last_error != NULL;
	struct board_record *r;
	struct board_texts *kept;
	char *at;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		room += text_room(texts[i]);
	r = x_calloc(1, MAX(at_texts + (room > 0 ? sizeof(*kept) + room : 0), sizeof(*r)));
	memcpy(r->name, name, n);
	r->texts = &no_texts;
	if (room == 0)
		return r;
	kept = (void *)((char *)r + at_texts);
	at = (char *)(kept + 1);
	*kept = (struct board_texts){
		.description = text_keep(t->description, &at),
		.last_error = t->last_error != NULL ? text_keep(t->last_error, &at) : NULL,
		.groups = text_keep(t->groups, &at),
		.waits_for = text_keep(t->waits_for, &at),
		.awaits = text_keep(t->awaits, &at),
		.status = text_keep(t->status, &at),
		.health_detail = text_keep(t->health_detail, &at),
		.degraded = text_keep(t->degraded, &at),
		.cause = text_keep(t->cause, &at),
		.doing = t->doing != NULL ? text_keep(t->doing, &at) : NULL,
	};
	r->texts = kept;
	return r;
}

/* --- readers -------------------------------------------------------------------------------- */

const struct board_daemon *board_daemon(const struct board *b)
{
	return rcu_get(&b->daemon);
}

uint32_t board_slots(const struct board *b)
{
	return atomic_load_explicit(&b->nslots, memory_order_acquire);
}

const struct board_record *board_get(const struct board *b, uint32_t slot)
{
	if (slot >= board_slots(b))
		return NULL;
	return rcu_get(&b->records[slot]);
}

const struct board_record *board_find(const struct board *b, const char *name)
{
	uint32_t n = board_slots(b);
	uint32_t hash = name_hash(name);

	for (uint32_t i = 0; i < n; i++) {
		const struct board_record *r;

		if (atomic_load_explicit(&b->hashes[i], memory_order_relaxed) != hash)
			continue;
		r = rcu_get(&b->records[i]);
		if (r != NULL && strcmp(r->name, name) == 0)
			return r;
	}
	return NULL;
}

/* --- selecting ------------------------------------------------------------------------------ */

/* Is NAME an instance of BASE, "BASE@12"? */
static bool is_instance_of(const char *name, const char *base)
{
	size_t n = strlen(base);

	if (strncmp(name, base, n) != 0 || name[n] != '@' || name[n + 1] == '\0')
		return false;
	return strspn(name + n + 1, "0123456789") == strlen(name + n + 1);
}

/* Is WORD one of the blank-separated WORDS? */
static bool has_word(const char *words, const char *word)
{
	size_t n = strlen(word);

	while (n > 0 && *words != '\0') {
		size_t len = strcspn(words, " ");

		if (len == n && memcmp(words, word, n) == 0)
			return true;
		words += len;
		words += strspn(words, " ");
	}
	return false;
}

static bool glob_matches_record(const char *pattern, const char *name)
{
	char base[NAME_CAP];
	size_t n = strcspn(name, "@");

	if (glob_match(pattern, name))
		return true;
	if (name[n] == '\0')
		return false;
	/* A glob, too, may name the subsystem and mean its instances. */
	memcpy(base, name, n);
	base[n] = '\0';
	return glob_match(pattern, base);
}

static bool selects(const char *pattern, const struct board_record *r)
{
	if (strcmp(r->name, OWN_SUBSYSTEM) == 0)
		return false;
	if (strcmp(pattern, "all") == 0)
		return true;
	if (pattern[0] == '@')
		return has_word(r->texts->groups, pattern + 1);
	if (strpbrk(pattern, "*?[") != NULL)
		return glob_matches_record(pattern, r->name);
	return is_instance_of(r->name, pattern);
}

/* Mark the slots below N that PATTERN selects; returns whether there were any. */
static bool mark(const struct board *b, const char *pattern, bool *marks, uint32_t n)
{
	bool all = strcmp(pattern, "all") == 0;
	const struct board_record *exact = all ? NULL : board_find(b, pattern);
	bool any = all;		/* all of nothing is fine */

	if (exact != NULL && exact->slot < n) {
		marks[exact->slot] = true;
		return true;
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct board_record *r = rcu_get(&b->records[i]);

		if (r == NULL || !selects(pattern, r))
			continue;
		marks[i] = true;
		any = true;
	}
	return any;
}

const char *board_match(const struct board *b, const struct strlist *patterns, uint32_t **out,
			size_t *n)
{
	uint32_t nslots = board_slots(b);
	auto_free(freep) bool *marks = x_calloc((size_t)nslots + 1, sizeof(*marks));
	size_t nmarks = 0;

	for (size_t i = 0; i < patterns->n; i++)
		if (!mark(b, patterns->items[i], marks, nslots))
			return patterns->items[i];
	for (uint32_t i = 0; i < nslots; i++)
		nmarks += marks[i];
	if (nmarks == 0)
		return NULL;
	*out = x_reallocarray(*out, *n + nmarks, sizeof(**out));
	for (uint32_t i = 0; i < nslots; i++)
		if (marks[i])
			(*out)[(*n)++] = i;
	return NULL;
}
