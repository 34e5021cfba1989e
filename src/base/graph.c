/* Kahn's algorithm: what leads nowhere (any more) comes next. What is left over at the end leads
 * into a cycle, so following any of its arrows among the left-over nodes must meet itself. */
#include "base/graph.h"

#include "base/alloc.h"

#define NONE UINT32_MAX

void graph_init(struct graph *g, uint32_t nodes)
{
	*g = (struct graph){ .n = nodes };
}

static void forget_order(struct graph *g)
{
	free(g->order);
	free(g->first);
	free(g->next);
	free(g->left);
	g->order = g->first = g->next = g->left = NULL;
	g->nordered = 0;
}

void graph_fini(struct graph *g)
{
	forget_order(g);
	free(g->arrows);
	*g = (struct graph){ 0 };
}

void graph_add(struct graph *g, uint32_t from, uint32_t to)
{
	BUG_ON(from >= g->n || to >= g->n);
	if (g->narrows == g->cap) {
		g->cap = MAX(g->cap * 2, 16u);
		g->arrows = x_reallocarray(g->arrows, g->cap, sizeof(*g->arrows));
	}
	g->arrows[g->narrows++] = (struct graph_arrow){ from, to };
}

void graph_cut(struct graph *g, uint32_t node)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < g->narrows; i++)
		if (g->arrows[i].from != node && g->arrows[i].to != node)
			g->arrows[kept++] = g->arrows[i];
	g->narrows = kept;
}

static void index_arrows(struct graph *g)
{
	g->order = x_calloc(MAX(g->n, 1u), sizeof(uint32_t));
	g->left = x_calloc(MAX(g->n, 1u), sizeof(uint32_t));
	g->first = x_calloc(MAX(g->n, 1u), sizeof(uint32_t));
	g->next = x_calloc(MAX(g->narrows, 1u), sizeof(uint32_t));
	for (uint32_t i = 0; i < g->n; i++)
		g->first[i] = NONE;
	for (uint32_t i = g->narrows; i-- > 0;) {
		g->left[g->arrows[i].from]++;
		g->next[i] = g->first[g->arrows[i].to];
		g->first[g->arrows[i].to] = i;
	}
}

bool graph_order(struct graph *g)
{
	forget_order(g);
	index_arrows(g);
	for (uint32_t i = 0; i < g->n; i++)
		if (g->left[i] == 0)
			g->order[g->nordered++] = i;
	/* The ordered part is the queue of those whose followers are still to be looked at. */
	for (uint32_t done = 0; done < g->nordered; done++)
		for (uint32_t a = g->first[g->order[done]]; a != NONE; a = g->next[a])
			if (--g->left[g->arrows[a].from] == 0)
				g->order[g->nordered++] = g->arrows[a].from;
	return g->nordered == g->n;
}

/* Per left-over node: one arrow to a left-over node. */
static void choose_steps(const struct graph *g, uint32_t *step)
{
	for (uint32_t i = 0; i < g->n; i++)
		step[i] = NONE;
	for (uint32_t a = 0; a < g->narrows; a++) {
		uint32_t from = g->arrows[a].from, to = g->arrows[a].to;

		if (g->left[from] > 0 && g->left[to] > 0 && step[from] == NONE)
			step[from] = to;
	}
}

uint32_t graph_cycle(const struct graph *g, uint32_t *out)
{
	auto_free(freep) uint32_t *step = x_calloc(MAX(g->n, 1u), sizeof(uint32_t));
	uint32_t at = 0, smallest, len = 0;

	BUG_ON(g->order == NULL || g->nordered == g->n);
	choose_steps(g, step);
	while (step[at] == NONE)
		at++;
	/* After n steps it has walked into the cycle, wherever it began. */
	for (uint32_t i = 0; i < g->n; i++)
		at = step[at];
	smallest = at;
	for (uint32_t i = step[at]; i != at; i = step[i])
		smallest = MIN(smallest, i);
	at = smallest;
	do {
		out[len++] = at;
		at = step[at];
	} while (at != smallest);
	return len;
}
