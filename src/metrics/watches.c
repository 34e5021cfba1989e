/* memory_soft_limit: whose memory is watched, and on which side of the limit it was last. What is
 * told is a change of sides, and the way back is longer than the way over. */
#include "base/alloc.h"
#include "metrics/sampler_inner.h"

/* Both lists are in the order of their configurations: the next is mostly at *GUESS. */
static const struct watch *watch_find(const struct watch *list, size_t n, const char *name,
				      size_t *guess)
{
	for (size_t i = 0; i < n; i++) {
		const struct watch *w = &list[(*guess + i) % n];

		if (strcmp(w->name, name) != 0)
			continue;
		*guess = (size_t)(w - list) + 1;
		return w;
	}
	return NULL;
}

static size_t watches_count(const struct config *config)
{
	size_t n = 0;

	for (size_t i = 0; i < config->nsubsystems; i++)
		n += config->subsystems[i]->policy->memory_soft_limit != 0;
	return n;
}

void watches_read(struct sampler *s, const struct config *config)
{
	struct watch *old = s->watches;
	size_t nold = s->nwatches, guess = 0;

	s->nwatches = 0;
	s->watches = x_calloc(watches_count(config) + 1, sizeof(*s->watches));
	for (size_t i = 0; i < config->nsubsystems; i++) {
		const struct subsystem_options *o = config->subsystems[i];
		const struct watch *before;
		struct watch *w = &s->watches[s->nwatches];

		if (o->policy->memory_soft_limit == 0)
			continue;
		before = watch_find(old, nold, o->name, &guess);
		if (before != NULL && before->limit == o->policy->memory_soft_limit)
			*w = *before;
		else
			*w = (struct watch){ .slot = (uint32_t)i,
					     .limit = o->policy->memory_soft_limit };
		snprintf(w->name, sizeof(w->name), "%s", o->name);
		s->nwatches++;
	}
	free(old);
}

/* Where the subsystem is now; inside a read section. NULL: nowhere. */
static const struct board_record *watched(const struct sampler *s, struct watch *w)
{
	const struct board_record *r = w->slot < board_slots(s->setup.board) ?
		board_get(s->setup.board, w->slot) : NULL;

	if (r == NULL || strcmp(r->name, w->name) != 0)
		r = board_find(s->setup.board, w->name);
	if (r != NULL)
		w->slot = r->slot;
	return r;
}

static void judge(struct sampler *s, struct watch *w, const struct sample *p)
{
	bool over = p->now.rss_bytes > w->limit;
	struct sampler_news news = {
		.slot = w->slot, .spawn_id = p->spawn_id, .over = over,
		.value = p->now.rss_bytes, .limit = w->limit,
	};

	if (w->spawn_id != p->spawn_id)
		w->level = LEVEL_UNKNOWN;
	w->spawn_id = p->spawn_id;
	if (over ? w->level == LEVEL_OVER :
	    w->level == LEVEL_UNDER || news.value >= w->limit / 10 * 9)
		return;
	w->level = over ? LEVEL_OVER : LEVEL_UNDER;
	s->setup.tell(s->setup.ctx, &news);
}

void watch_look(struct sampler *s, struct watch *w)
{
	const struct sample *p = NULL;
	const struct board_record *r;
	bool runs;

	rcu_enter();
	r = watched(s, w);
	runs = r != NULL && r->pid > 0;
	rcu_leave();
	if (!runs)
		return;
	sample_take(s, w->slot, false);
	p = s->by_slot[w->slot];
	if (p != NULL)
		judge(s, w, p);
}
