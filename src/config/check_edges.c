/* Dependencies: every name must be known, and following them must come to an end. Both are refused
 * here, at load, because at run time they would be a wait without end. */
#include "base/alloc.h"
#include "base/graph.h"
#include "base/text.h"
#include "config/check.h"
#include "config/depend.h"
#include "config/type.h"

#define SUGGESTIONS_MAX 20	/* looking for the nearest of thousands of names takes time */
#define CYCLES_MAX 16		/* told in one run */

struct edges {
	const struct candidate *c;
	const struct config *config;
	struct graph graph;
	unsigned suggestions;
};

/* The row of KIND's key. */
static int key_of(const struct candidate *c, enum edge_kind kind)
{
	const char *name = enumtext_name(&edge_kind_text, (int)kind);
	struct schema_key key;

	BUG_ON(schema_find(&c->index, "subsystem", name, strlen(name), &key) < 0);
	return key.key;
}

/* Where item number AT of KIND's list of subsystem NODE was written. */
static struct place item_place(const struct edges *e, uint32_t node, enum edge_kind kind, size_t at)
{
	const struct scope *scope = e->c->subsystems[node];
	const struct setting *s = scope_find(scope, key_of(e->c, kind));
	const struct value *v;

	if (s == NULL)
		s = scope_find(&e->c->defaults, key_of(e->c, kind));
	if (s == NULL)
		return (struct place){ 0 };
	v = s->value.kind == VALUE_ARRAY && at < s->value.n ? &s->value.items[at] : &s->value;
	return setting_place(e->c, s, v->line, v->column);
}

static void unknown(struct edges *e, uint32_t node, enum edge_kind kind, size_t at)
{
	const struct subsystem_options *o = e->config->subsystems[node];
	const char *item = edge_list(o, kind)->items[at], *near = NULL;
	struct place place = item_place(e, node, kind, at);
	auto_free(freep) const char **names = NULL;
	auto_free(freep) char *name = NULL;
	enum condition condition;
	size_t n;

	edge_split(item, kind, &n, &condition);
	name = x_strndup(item, n);
	if (e->suggestions++ < SUGGESTIONS_MAX) {
		size_t others = 0;

		names = x_calloc(e->config->nsubsystems, sizeof(*names));
		for (size_t i = 0; i < e->config->nsubsystems; i++)
			if (i != node)
				names[others++] = e->config->subsystems[i]->name;
		near = text_nearest(name, names, others);
	}
	diag_error(e->c->diag, &place, "subsystem.%s.%s: there is no subsystem \"%.80s\"%s%s%s",
		   o->name, enumtext_name(&edge_kind_text, (int)kind), name,
		   near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
		   near != NULL ? "\"?" : "");
}

static void check_item(struct edges *e, const struct map *numbers, uint32_t node,
		       enum edge_kind kind, size_t at)
{
	const struct subsystem_options *o = e->config->subsystems[node], *target;
	enum condition condition;
	struct place place;
	uint32_t other;

	target = edge_target(e->config, edge_list(o, kind)->items[at], kind, &condition);
	if (target == NULL) {
		unknown(e, node, kind, at);
		return;
	}
	/* Health probes are the key `health`, which no subsystem has. */
	if (condition == CONDITION_HEALTHY) {
		place = item_place(e, node, kind, at);
		diag_error(e->c->diag, &place, "subsystem.%s.%s: \"%s\" has no health probe, so it "
			   "never becomes healthy; wait for it to be ready instead", o->name,
			   enumtext_name(&edge_kind_text, (int)kind), target->name);
	}
	if (kind == EDGE_WANTS)
		return;
	other = (uint32_t)(uintptr_t)map_find(numbers, target->name) - 1;
	if (kind == EDGE_BEFORE)
		graph_add(&e->graph, other, node);
	else
		graph_add(&e->graph, node, other);
}

/* Which item makes NODE wait for OTHER? */
static bool find_item(const struct edges *e, uint32_t node, uint32_t other, struct place *place)
{
	for (int kind = 0; kind < EDGE_NKINDS; kind++) {
		uint32_t owner = kind == EDGE_BEFORE ? other : node;
		uint32_t named = kind == EDGE_BEFORE ? node : other;
		const struct strlist *list = edge_list(e->config->subsystems[owner],
						       (enum edge_kind)kind);
		enum condition condition;

		for (size_t i = 0; kind != EDGE_WANTS && i < list->n; i++)
			if (edge_target(e->config, list->items[i], (enum edge_kind)kind,
					&condition) == e->config->subsystems[named]) {
				*place = item_place(e, owner, (enum edge_kind)kind, i);
				return true;
			}
	}
	return false;
}

static void tell_cycle(const struct edges *e, const uint32_t *cycle, uint32_t n)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	struct place place = { 0 };

	BUG_ON(!find_item(e, cycle[0], cycle[1 % n], &place));
	for (uint32_t i = 0; i <= n; i++)
		strbuf_addf(&text, i > 0 ? " -> %s" : "%s",
			    e->config->subsystems[cycle[i % n]]->name);
	diag_error(e->c->diag, &place, "dependency cycle: %s; each would start only after the next",
		   text.buf);
}

static void check_cycles(struct edges *e)
{
	auto_free(freep) uint32_t *cycle = x_calloc(MAX(e->graph.n, 1u), sizeof(*cycle));

	for (int told = 0; told < CYCLES_MAX && !graph_order(&e->graph); told++) {
		uint32_t n = graph_cycle(&e->graph, cycle);

		tell_cycle(e, cycle, n);
		graph_cut(&e->graph, cycle[0]);
	}
}

void check_edges(const struct candidate *c, const struct config *config)
{
	struct edges e = { .c = c, .config = config };
	struct map numbers = MAP_INIT;

	for (size_t i = 0; i < config->nsubsystems; i++)
		map_put(&numbers, config->subsystems[i]->name, (void *)(uintptr_t)(i + 1));
	graph_init(&e.graph, (uint32_t)config->nsubsystems);
	for (uint32_t node = 0; node < config->nsubsystems; node++)
		for (int kind = 0; kind < EDGE_NKINDS; kind++)
			for (size_t i = 0; i < edge_list(config->subsystems[node],
							 (enum edge_kind)kind)->n; i++)
				check_item(&e, &numbers, node, (enum edge_kind)kind, i);
	check_cycles(&e);
	graph_fini(&e.graph);
	map_fini(&numbers);
}
