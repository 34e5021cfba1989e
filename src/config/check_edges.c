/* Dependencies: every name must be known, and following them must come to an end. Both are refused
 * here, at load, because at run time they would be a wait without end. */
#include "base/alloc.h"
#include "base/graph.h"
#include "base/text.h"
#include "config/check.h"
#include "config/depend.h"
#include "config/family.h"
#include "config/type.h"

#define SUGGESTIONS_MAX 20	/* looking for the nearest of thousands of names takes time */
#define CYCLES_MAX 16		/* told in one run */
#define EDGES_MAX 1000000	/* each instance of one may need each instance of another */

struct edges {
	const struct candidate *c;
	const struct config *config;
	struct graph graph;
	unsigned suggestions;
	uint32_t n;			/* edges so far; those of GRAPH are no more */
	const struct scope *told;	/* its instances are alike: the first one was complained about */
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
	return item_of_list_place(e->c, node, key_of(e->c, kind), at);
}

/* NAME looks like an instance of a subsystem that has fewer, or none. */
static bool tell_instance(struct edges *e, const struct place *place, const char *what,
			  const char *name)
{
	auto_free(freep) char *base = NULL;
	const struct family *f;
	uint32_t node;
	size_t len;

	if (instance_number(name, &len) < 0)
		return false;
	base = x_strndup(name, len);
	f = family_find(e->config, base);
	if (f != NULL)
		diag_error(e->c->diag, place, "%s: there is no \"%.80s\": %s has %u instances",
			   what, name, base, f->n);
	else if (!config_position(e->config, base, &node))
		return false;
	else if (!check_bad_in(e->c, e->c->owners[node], AT_OWN(instances)))
		diag_error(e->c->diag, place, "%s: there is no \"%.80s\": %s declares no instances",
			   what, name, base);
	return true;
}

static const char *nearest(struct edges *e, const struct scope *scope, const char *name)
{
	auto_free(freep) const char **names = NULL;
	size_t others = 0;

	if (e->suggestions++ >= SUGGESTIONS_MAX)
		return NULL;
	names = x_calloc(e->c->nsubsystems, sizeof(*names));
	for (size_t i = 0; i < e->c->nsubsystems; i++)
		if (e->c->subsystems[i] != scope)
			names[others++] = e->c->subsystems[i]->name;
	return text_nearest(name, names, others);
}

static void unknown(struct edges *e, uint32_t node, enum edge_kind kind, size_t at)
{
	const struct scope *scope = e->c->owners[node];
	const char *item = edge_list(e->config->subsystems[node], kind)->items[at], *near;
	auto_free(freep) char *what = x_asprintf("subsystem.%s.%s", scope->name,
						 enumtext_name(&edge_kind_text, (int)kind));
	struct place place = item_place(e, node, kind, at);
	auto_free(freep) char *name = NULL;
	enum condition condition;
	size_t n;

	edge_split(item, kind, &n, &condition);
	name = x_strndup(item, n);
	if (tell_instance(e, &place, what, name))
		return;
	near = nearest(e, scope, name);
	diag_error(e->c->diag, &place, "%s: there is no subsystem \"%.80s\"%s%s%s", what, name,
		   near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
		   near != NULL ? "\"?" : "");
}

static void never_healthy(struct edges *e, uint32_t node, enum edge_kind kind, size_t at)
{
	const char *item = edge_list(e->config->subsystems[node], kind)->items[at];
	struct place place = item_place(e, node, kind, at);

	diag_error(e->c->diag, &place, "subsystem.%s.%s: \"%.*s\" has no health probe, so it "
		   "never becomes healthy; wait for it to be ready instead",
		   e->c->owners[node]->name, enumtext_name(&edge_kind_text, (int)kind),
		   (int)strcspn(item, ":"), item);
}

static void names_itself(struct edges *e, uint32_t node, size_t at)
{
	const struct scope *scope = e->c->owners[node];
	struct place place = item_place(e, node, EDGE_ON_FAILURE, at);

	diag_error(e->c->diag, &place, "subsystem.%s.on_failure: \"%s\" cannot start itself; that is "
		   "what restart is for", scope->name,
		   e->config->subsystems[node]->links->on_failure.items[at]);
}

/* Two short lists of a file can mean a square of edges. */
static bool add_edges(struct edges *e, uint32_t node, enum edge_kind kind, uint32_t first,
		      uint32_t n)
{
	e->n += n;
	if (e->n > EDGES_MAX)
		return false;
	for (uint32_t i = first; i < first + n && edge_orders(kind); i++)
		if (kind == EDGE_BEFORE)
			graph_add(&e->graph, i, node);
		else
			graph_add(&e->graph, node, i);
	return true;
}

/* False: it is no use to go on. */
static bool check_item(struct edges *e, uint32_t node, enum edge_kind kind, size_t at)
{
	const struct scope *scope = e->c->owners[node];
	const char *item = edge_list(e->config->subsystems[node], kind)->items[at];
	enum condition condition;
	struct place place;
	uint32_t first, n;

	if (!edge_targets(e->config, item, kind, &condition, &first, &n)) {
		if (scope != e->told)
			unknown(e, node, kind, at);
		return true;
	}
	if (condition == CONDITION_HEALTHY && scope != e->told && n > 0 &&
	    e->config->subsystems[first]->policy->health == NULL &&
	    !check_bad_in(e->c, e->c->owners[first], AT_POLICY(health)))
		never_healthy(e, node, kind, at);
	if (kind == EDGE_ON_FAILURE && scope != e->told && node >= first && node - first < n)
		names_itself(e, node, at);
	if (add_edges(e, node, kind, first, n))
		return true;
	place = item_place(e, node, kind, at);
	diag_error(e->c->diag, &place, "subsystem.%s.%s: with these there are more than %d "
		   "dependencies: each instance has one on each instance", scope->name,
		   enumtext_name(&edge_kind_text, (int)kind), EDGES_MAX);
	return false;
}

static bool check_node(struct edges *e, uint32_t node)
{
	size_t errors = e->c->diag->nerrors;
	bool more = true;

	for (int kind = 0; kind < EDGE_NKINDS && more; kind++) {
		const struct strlist *list = edge_list(e->config->subsystems[node],
						       (enum edge_kind)kind);

		for (size_t i = 0; i < list->n && more; i++)
			more = check_item(e, node, (enum edge_kind)kind, i);
	}
	if (e->c->diag->nerrors > errors)
		e->told = e->c->owners[node];
	return more;
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
		uint32_t first, n;

		for (size_t i = 0; edge_orders((enum edge_kind)kind) && i < list->n; i++)
			if (edge_targets(e->config, list->items[i], (enum edge_kind)kind,
					 &condition, &first, &n) &&
			    named >= first && named - first < n) {
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

/* Other instances of the same subsystem are in the same cycles. */
static void cut(struct edges *e, uint32_t node)
{
	uint32_t first = node, end = node + 1;

	while (first > 0 && e->c->owners[first - 1] == e->c->owners[node])
		first--;
	while (end < e->graph.n && e->c->owners[end] == e->c->owners[node])
		end++;
	for (uint32_t i = first; i < end; i++)
		graph_cut(&e->graph, i);
}

static void check_cycles(struct edges *e)
{
	auto_free(freep) uint32_t *cycle = x_calloc(MAX(e->graph.n, 1u), sizeof(*cycle));

	for (int told = 0; told < CYCLES_MAX && !graph_order(&e->graph); told++) {
		uint32_t n = graph_cycle(&e->graph, cycle);

		tell_cycle(e, cycle, n);
		cut(e, cycle[0]);
	}
}

void check_edges(const struct candidate *c, const struct config *config)
{
	struct edges e = { .c = c, .config = config };
	bool more = true;

	graph_init(&e.graph, (uint32_t)config->nsubsystems);
	for (uint32_t node = 0; node < config->nsubsystems && more; node++)
		more = check_node(&e, node);
	if (more)
		check_cycles(&e);
	graph_fini(&e.graph);
}
