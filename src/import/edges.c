/* Who depends on whom: by the names of the format while files are read, by procd's when all are
 * known. */
#include "base/alloc.h"
#include "import/model.h"

static void add_edge(struct import_service *s, const struct import_edge *edge)
{
	if (s->nedges == s->edges_cap) {
		s->edges_cap = s->edges_cap != 0 ? s->edges_cap * 2 : 4;
		s->edges = x_reallocarray(s->edges, s->edges_cap, sizeof(*s->edges));
	}
	s->edges[s->nedges++] = *edge;
}

void import_edge(struct import_service *s, const char *key, const char *id, const char *condition,
		 int line)
{
	add_edge(s, &(struct import_edge){
		.key = key, .id = x_strdup(id), .condition = x_strdup(condition), .line = line,
	});
}

void import_soft_edge(struct import_service *s, const char *key, const char *id, int line)
{
	add_edge(s, &(struct import_edge){
		.key = key, .id = x_strdup(id), .line = line, .quiet = true,
	});
}

/* False: nobody is called so. */
static bool resolve_edge(struct import *im, struct import_service *s, const struct import_edge *e,
			 struct map *seen)
{
	struct import_service *to = import_find(im, e->id);
	auto_free(freep) char *text = NULL, *mark = NULL;

	if (to == NULL)
		return false;
	mark = x_asprintf("%s %s", e->key, to->name);
	if (to == s || map_put(seen, mark, s) != NULL)
		return true;
	text = e->condition != NULL ? x_asprintf("%s:%s", to->name, e->condition) :
	       x_strdup(to->name);
	import_list_add(s, e->key, text);
	return true;
}

/* Those of one line are one note. */
static void note_missing(struct import_service *s, const struct import_edge *e, struct strbuf *ids,
			 size_t n)
{
	auto_free(freep) char *what = x_asprintf("%s on %s", e->key, ids->buf);

	if (n == 1)
		import_note(s, e->line, what, "%s is not among what was imported", ids->buf);
	else if (n > 1)
		import_note(s, e->line, what, "these are not among what was imported");
	strbuf_reset(ids);
}

static void resolve_edges(struct import *im, struct import_service *s)
{
	auto_free(map_fini) struct map seen = MAP_INIT;
	auto_free(strbuf_fini) struct strbuf ids = STRBUF_INIT;
	size_t missing = 0;

	for (size_t k = 0; k < s->nedges; k++) {
		const struct import_edge *e = &s->edges[k];

		if (!resolve_edge(im, s, e, &seen) && !e->quiet)
			strbuf_addf(&ids, "%s%s", missing++ > 0 ? ", " : "", e->id);
		if (missing > 0 && (k + 1 == s->nedges || s->edges[k + 1].line != e->line ||
				    strcmp(s->edges[k + 1].key, e->key) != 0)) {
			note_missing(s, e, &ids, missing);
			missing = 0;
		}
	}
}

void import_resolve(struct import *im)
{
	for (size_t i = 0; i < im->n; i++)
		resolve_edges(im, im->services[i]);
}
