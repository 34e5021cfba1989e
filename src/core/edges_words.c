/* What a subsystem waits for, in words. */
#include "base/alloc.h"
#include "core/edges.h"
#include "core/live.h"

void edges_waits_for(const struct subsystem *s, unsigned max, struct strbuf *out)
{
	unsigned n = 0;

	if (!edges_waiting(s))
		return;
	list_for_each(item, &edges_of(s)->out) {
		const struct edge *e = list_entry(item, struct edge, out);

		if (!e->unmet || n++ == max)
			return;
		strbuf_addf(out, "%s%s", n > 1 ? " " : "", e->to->name);
		if (edge_is_hard(e->kind) && e->condition != CONDITION_READY)
			strbuf_addf(out, ":%s", enumtext_name(&condition_text, (int)e->condition));
	}
}

static const struct subsystem *first_stuck(const struct subsystem *s)
{
	list_for_each(item, &edges_of(s)->out) {
		const struct edge *e = list_entry(item, struct edge, out);

		if (e->stuck)
			return e->to;
	}
	BUG("stuck without an edge that is");
}

char *edges_trouble(const struct subsystem *s)
{
	const struct subsystem *root = s;
	auto_free(freep) char *end = NULL;

	/* Deeper than this a chain is no explanation. */
	for (int depth = 0; depth < 64 && edges_stuck(root); depth++)
		root = first_stuck(root);
	if (edges_stuck(root))
		return x_asprintf("%s, which waits, too", root->name);
	if (!root->goal.up)
		return x_asprintf("%s, which is meant to be down: %s", root->name,
				  enumtext_name(&goal_why_text, (int)root->goal.why));
	end = subsystem_end_text(root);
	return x_asprintf("%s, which is %s%s%s", root->name,
			  enumtext_name(&subsystem_state_text, (int)root->state),
			  end != NULL ? ": " : "", end != NULL ? end : "");
}
