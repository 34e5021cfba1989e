/* A directed graph of numbered nodes: which order respects every arrow, and if none does, why not.
 * No recursion: the depth of a graph costs memory of its own and no stack. One thread at a time. */
#ifndef BASE_GRAPH_H
#define BASE_GRAPH_H

#include <stdbool.h>

#include "base/util.h"

struct graph {
	uint32_t n;			/* nodes 0 .. n-1 */
	struct graph_arrow {
		uint32_t from, to;
	} *arrows;
	uint32_t narrows, cap;
	/* of the last graph_order() */
	uint32_t *order;		/* NULL before; its first NORDERED items are valid */
	uint32_t nordered;
	uint32_t *first, *next;		/* arrows by their head: first[to], then next[arrow] */
	uint32_t *left;			/* per node: unordered nodes that its arrows lead to */
};

void graph_init(struct graph *g, uint32_t nodes);
void graph_fini(struct graph *g);
/* FROM comes after TO. Arrows may be doubled, and may lead from a node to itself. */
void graph_add(struct graph *g, uint32_t from, uint32_t to);
/* Put the nodes in order: each after those that its arrows lead to. False: there is a cycle, and
 * ORDER holds only what does not lead into one. O(n + arrows). */
bool graph_order(struct graph *g);
/* After graph_order() was false: one cycle, following the arrows, into OUT (room for n nodes), its
 * smallest node first. Returns its length. */
uint32_t graph_cycle(const struct graph *g, uint32_t *out);
/* Take NODE out: its arrows are forgotten. */
void graph_cut(struct graph *g, uint32_t node);

#endif
