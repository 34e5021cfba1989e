/* base/graph: order and cycles, against a plain definition on random graphs. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/graph.h"
#include "unit.h"

static bool reaches(const struct graph *g, uint32_t from, uint32_t to)
{
	bool seen[16] = { false };
	bool more = true;

	seen[from] = true;
	while (more) {
		more = false;
		for (uint32_t i = 0; i < g->narrows; i++)
			if (seen[g->arrows[i].from] && !seen[g->arrows[i].to])
				more = seen[g->arrows[i].to] = true;
	}
	if (from != to)
		return seen[to];
	for (uint32_t i = 0; i < g->narrows; i++)
		if (seen[g->arrows[i].from] && g->arrows[i].to == to)
			return true;
	return false;
}

static bool has_arrow(const struct graph *g, uint32_t from, uint32_t to)
{
	for (uint32_t i = 0; i < g->narrows; i++)
		if (g->arrows[i].from == from && g->arrows[i].to == to)
			return true;
	return false;
}

static void insist_order(const struct graph *g)
{
	uint32_t place[16];

	for (uint32_t i = 0; i < g->nordered; i++)
		place[g->order[i]] = i;
	for (uint32_t i = 0; i < g->narrows; i++)
		ck_assert_uint_lt(place[g->arrows[i].to], place[g->arrows[i].from]);
}

static void insist_cycle(const struct graph *g)
{
	uint32_t cycle[16], n = graph_cycle(g, cycle);

	ck_assert_uint_ge(n, 1);
	for (uint32_t i = 0; i < n; i++) {
		ck_assert(has_arrow(g, cycle[i], cycle[(i + 1) % n]));
		ck_assert_uint_ge(cycle[i], cycle[0]);
		for (uint32_t k = 0; k < i; k++)
			ck_assert_uint_ne(cycle[i], cycle[k]);
	}
}

START_TEST(F74_random_graphs_agree_with_the_definition)
{
	unsigned int seed = 74;
	int cyclic = 0;

	for (int round = 0; round < 2000; round++) {
		uint32_t n = 1 + (uint32_t)rand_r(&seed) % 10;
		uint32_t arrows = (uint32_t)rand_r(&seed) % (n + 3);
		bool expected = true;
		struct graph g;

		graph_init(&g, n);
		for (uint32_t i = 0; i < arrows; i++)
			graph_add(&g, (uint32_t)rand_r(&seed) % n, (uint32_t)rand_r(&seed) % n);
		for (uint32_t i = 0; i < n; i++)
			expected = expected && !reaches(&g, i, i);
		ck_assert_int_eq(graph_order(&g), expected);
		if (expected)
			insist_order(&g);
		else
			insist_cycle(&g);
		cyclic += !expected;
		graph_fini(&g);
	}
	ck_assert_int_gt(cyclic, 200);
	ck_assert_int_lt(cyclic, 1800);
}
END_TEST

START_TEST(what_leads_nowhere_comes_first)
{
	struct graph g;

	graph_init(&g, 4);
	graph_add(&g, 0, 3);
	ck_assert(graph_order(&g));
	ck_assert_uint_eq(g.order[0], 1);
	ck_assert_uint_eq(g.order[1], 2);
	ck_assert_uint_eq(g.order[2], 3);
	ck_assert_uint_eq(g.order[3], 0);
	graph_fini(&g);
	graph_init(&g, 0);
	ck_assert(graph_order(&g));
	graph_fini(&g);
}
END_TEST

START_TEST(S25_a_self_reference_and_a_diamond)
{
	struct graph g;
	uint32_t cycle[5];

	graph_init(&g, 5);
	graph_add(&g, 3, 1);
	graph_add(&g, 3, 2);
	graph_add(&g, 1, 0);
	graph_add(&g, 2, 0);
	ck_assert(graph_order(&g));
	graph_add(&g, 4, 4);
	ck_assert(!graph_order(&g));
	ck_assert_uint_eq(graph_cycle(&g, cycle), 1);
	ck_assert_uint_eq(cycle[0], 4);
	graph_cut(&g, 4);
	ck_assert(graph_order(&g));
	graph_fini(&g);
}
END_TEST

START_TEST(a_chain_and_a_ring_of_a_million_need_no_stack)
{
	uint32_t n = 1000000;
	auto_free(freep) uint32_t *cycle = x_calloc(n, sizeof(*cycle));
	struct graph g;

	graph_init(&g, n);
	for (uint32_t i = 0; i + 1 < n; i++)
		graph_add(&g, i, i + 1);
	ck_assert(graph_order(&g));
	ck_assert_uint_eq(g.order[0], n - 1);
	graph_add(&g, n - 1, 0);
	ck_assert(!graph_order(&g));
	ck_assert_uint_eq(graph_cycle(&g, cycle), n);
	ck_assert_uint_eq(cycle[0], 0);
	graph_fini(&g);
}
END_TEST

int main(void)
{
	const TTest *tests[] = { F74_random_graphs_agree_with_the_definition,
				 what_leads_nowhere_comes_first,
				 S25_a_self_reference_and_a_diamond,
				 a_chain_and_a_ring_of_a_million_need_no_stack };

	return unit_run("base: graph", tests, ARRAY_LEN(tests));
}
