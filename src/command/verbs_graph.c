/* `graph`: who depends on whom, for programs that draw. Hard edges are solid lines, soft ones are
 * dashed or dotted; an arrow leads from a subsystem to what it needs, or starts after. */
#include "base/alloc.h"
#include "base/map.h"
#include "command/call.h"
#include "command/verbs.h"

struct style {
	const char *kind;
	const char *dot;	/* attributes of the line */
	const char *mermaid;	/* the arrow */
};
static const struct style styles[] = {
	{ "depends_on", "style=solid", "-->" },
	{ "binds_to", "style=bold", "==>" },
	{ "wants", "style=dashed", "-.->" },
	{ "after", "style=dotted", "-.->" },
	{ "before", "style=dotted", "-.->" },
	{ "on_failure", "style=dashed, color=red", "-.->" },
};

static const struct style *style_of(const char *kind)
{
	for (size_t i = 0; kind != NULL && i < ARRAY_LEN(styles); i++)
		if (strcmp(styles[i].kind, kind) == 0)
			return &styles[i];
	return &styles[0];
}

struct arrow {
	const char *from, *to, *kind, *condition;	/* condition "": the default, or none */
};

static struct arrow arrow_of(const json_t *edge)
{
	const char *condition = json_string_value(json_object_get(edge, "condition"));
	struct arrow a = {
		.from = json_string_value(json_object_get(edge, "from")),
		.to = json_string_value(json_object_get(edge, "to")),
		.kind = json_string_value(json_object_get(edge, "kind")),
		.condition = condition != NULL && strcmp(condition, "ready") != 0 ? condition : "",
	};

	return a;
}

/* Names consist of letters, digits and "_.-@": nothing that would need escaping in quotes. */
static void add_dot(const json_t *graph, struct strbuf *out)
{
	const json_t *nodes = json_object_get(graph, "nodes");
	const json_t *edges = json_object_get(graph, "edges");
	json_t *item;
	size_t i;

	strbuf_addstr(out, "digraph procd {\n\trankdir = LR;\n\tnode [shape = box];\n");
	json_array_foreach(nodes, i, item)
		strbuf_addf(out, "\t\"%s\";\n", json_string_value(item));
	json_array_foreach(edges, i, item) {
		struct arrow a = arrow_of(item);

		strbuf_addf(out, "\t\"%s\" -> \"%s\" [label = \"%s%s%s\", %s];\n", a.from, a.to,
			    a.kind, *a.condition ? ":" : "", a.condition, style_of(a.kind)->dot);
	}
	strbuf_addstr(out, "}\n");
}

/* Its node ids may be words of its own language ("end"), so they are numbers. */
static void add_mermaid(const json_t *graph, struct strbuf *out)
{
	const json_t *nodes = json_object_get(graph, "nodes");
	const json_t *edges = json_object_get(graph, "edges");
	struct map numbers = MAP_INIT;
	json_t *item;
	size_t i;

	strbuf_addstr(out, "graph LR\n");
	json_array_foreach(nodes, i, item) {
		strbuf_addf(out, "\tn%zu[\"%s\"]\n", i, json_string_value(item));
		map_put(&numbers, json_string_value(item), (void *)(uintptr_t)(i + 1));
	}
	json_array_foreach(edges, i, item) {
		struct arrow a = arrow_of(item);

		strbuf_addf(out, "\tn%zu %s|%s%s%s| n%zu\n",
			    (size_t)(uintptr_t)map_find(&numbers, a.from) - 1,
			    style_of(a.kind)->mermaid, a.kind, *a.condition ? " " : "", a.condition,
			    (size_t)(uintptr_t)map_find(&numbers, a.to) - 1);
	}
	map_fini(&numbers);
}

/* The answer of another version may be anything. */
static bool is_whole(const json_t *graph)
{
	const json_t *edges = json_object_get(graph, "edges");
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(graph, "nodes"), i, item)
		if (!json_is_string(item))
			return false;
	json_array_foreach(edges, i, item) {
		struct arrow a = arrow_of(item);

		if (a.from == NULL || a.to == NULL || a.kind == NULL)
			return false;
	}
	return true;
}

int verb_graph(const struct cli_options *o)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	auto_free(json_decrefp) json_t *graph = NULL;
	const char *format = cli_value(o, "format");
	int rc;

	if (format == NULL)
		format = o->json ? "json" : "dot";
	if (strcmp(format, "dot") != 0 && strcmp(format, "mermaid") != 0 &&
	    strcmp(format, "json") != 0)
		return cli_fail_usage(o, "unknown format '%s'; known are dot, mermaid, json",
				      format);
	rc = call_once(o, "graph.get", NULL, CALL_PROMPT, &graph);
	if (rc != 0)
		return rc;
	if (strcmp(format, "json") == 0)
		return cli_print_json(json_incref(graph));
	if (!is_whole(graph)) {
		fputs("procd: the answer cannot be read\n", stderr);
		return EXIT_OS;
	}
	if (strcmp(format, "dot") == 0)
		add_dot(graph, &out);
	else
		add_mermaid(graph, &out);
	return cli_print(out.buf, out.len);
}
