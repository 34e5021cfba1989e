/* The log thread writes the words down when something turned, and status reads them: nobody looks
 * at a target that another thread works with. */
#include "output/trouble.h"

#include "base/alloc.h"
#include "base/fd.h"

struct slot_trouble {
	uint32_t slot;
	char *text;
};

void troubles_init(struct troubles *t)
{
	*t = (struct troubles){ .all = STRBUF_INIT };
	pthread_mutex_init(&t->lock, NULL);
}

static void forget(struct troubles *t)
{
	strbuf_reset(&t->all);
	for (size_t i = 0; i < t->n; i++)
		free(t->of[i].text);
	free(take(t->of));
	t->n = 0;
}

void troubles_fini(struct troubles *t)
{
	forget(t);
	strbuf_fini(&t->all);
	pthread_mutex_destroy(&t->lock);
}

static void describe(const struct target *t, struct strbuf *out)
{
	strbuf_addf(out, "cannot write %s: %s\n", target_name(t),
		    t->number < 0 ? file_refusal(t->err) : strerror(-t->err));
}

static bool describe_slot(const struct captures *c, uint32_t slot, struct strbuf *out)
{
	const struct target *targets[2];

	capture_targets(c, slot, targets);
	for (int i = 0; i < 2; i++)
		if (targets[i] != NULL && targets[i]->err != 0 &&
		    (i == 0 || targets[i] != targets[0]))
			describe(targets[i], out);
	return out->len > 0;
}

static void describe_slots(struct troubles *t, const struct captures *c)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	size_t cap = 0;

	for (uint32_t slot = 0; slot < c->nslots; slot++) {
		strbuf_reset(&text);
		if (!describe_slot(c, slot, &text))
			continue;
		if (t->n == cap) {
			cap = MAX(cap * 2, (size_t)8);
			t->of = x_reallocarray(t->of, cap, sizeof(*t->of));
		}
		t->of[t->n++] = (struct slot_trouble){ slot, x_strdup(text.buf) };
	}
}

void troubles_describe(struct troubles *t, const struct targets *targets,
		       const struct captures *captures)
{
	bool failing = false;

	pthread_mutex_lock(&t->lock);
	forget(t);
	list_for_each(l, &targets->all) {
		const struct target *target = list_entry(l, struct target, link);

		if (target->err != 0)
			describe(target, &t->all);
		failing |= target->err != 0;
	}
	if (failing)
		describe_slots(t, captures);
	if (captures->in_memory > 0)
		strbuf_addf(&t->all, "no room in the run directory: captured output of %llu streams "
			    "would not survive procd\n", (unsigned long long)captures->in_memory);
	atomic_store(&t->any, failing);
	pthread_mutex_unlock(&t->lock);
}

bool troubles_there(const struct troubles *t)
{
	return atomic_load_explicit(&t->any, memory_order_relaxed);
}

void troubles_tell(struct troubles *t, struct strbuf *out)
{
	pthread_mutex_lock(&t->lock);
	if (t->all.len > 0)	/* without the last newline */
		strbuf_add(out, t->all.buf, t->all.len - 1);
	pthread_mutex_unlock(&t->lock);
}

static const struct slot_trouble *find(const struct troubles *t, uint32_t slot)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (t->of[mid].slot == slot)
			return &t->of[mid];
		if (t->of[mid].slot < slot)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

void troubles_tell_slot(struct troubles *t, uint32_t slot, struct strbuf *out)
{
	const struct slot_trouble *found;

	if (!troubles_there(t))
		return;
	pthread_mutex_lock(&t->lock);
	found = find(t, slot);
	if (found != NULL)
		strbuf_addstr(out, found->text);
	pthread_mutex_unlock(&t->lock);
}
