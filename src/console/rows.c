/* Sorting is by a key and then by the order in which the rows came, so that equal rows do not
 * change places from one second to the next. Figures sort from large to small, names from small to
 * large, states from the worst on. */
#include "console/rows.h"

#include "base/alloc.h"

static const char *const sort_names[SORT_NKEYS + 1] = {
	[SORT_NAME] = "name", [SORT_STATE] = "state", [SORT_UPTIME] = "uptime",
	[SORT_RESTARTS] = "restarts", [SORT_CPU] = "cpu", [SORT_MEMORY] = "memory",
	[SORT_NKEYS] = "config",
};

const char *sort_name(enum sort_key key)
{
	return sort_names[key];
}

static void row_free(struct row *row)
{
	free(row->name);
	free(row->state);
	free(row->note);
	free(row);
}

void rows_fini(struct rows *r)
{
	for (size_t i = 0; i < r->n; i++)
		row_free(r->all[i]);
	free(r->all);
	free(r->shown);
	map_fini(&r->by_name);
	*r = (struct rows)ROWS_INIT;
}

/* --- what is known ---------------------------------------------------------------------------- */

struct row *rows_find(const struct rows *r, const char *name)
{
	return map_find(&r->by_name, name);
}

struct row *rows_get(struct rows *r, const char *name)
{
	struct row *row = rows_find(r, name);

	if (!row) {
		row = x_calloc(1, sizeof(*row));
		*row = (struct row){
			.name = x_strdup(name), .state = x_strdup(""), .note = x_strdup(""),
			.pid = -1, .uptime_ms = -1, .rss_bytes = -1, .threads = -1, .fds = -1,
			.cpu_percent = -1,
		};
		if (r->n == r->cap) {
			r->cap = MAX(r->cap * 2, (size_t)64);
			r->all = x_reallocarray(r->all, r->cap, sizeof(*r->all));
		}
		r->all[r->n++] = row;
		map_put(&r->by_name, name, row);
	}
	row->seen = true;
	return row;
}

void row_set_state(struct row *row, const char *state, enum tint tint)
{
	row->state_tint = tint;
	if (strcmp(row->state, state) == 0)
		return;
	free(row->state);
	row->state = x_strdup(state);
}

void row_set_note(struct row *row, const char *note, size_t n, enum tint tint)
{
	struct strbuf safe = STRBUF_INIT;

	cell_escape(note, n, &safe);
	free(row->note);
	row->note = safe.len > 0 ? strbuf_detach(&safe) : x_strdup("");
	row->note_tint = tint;
}

void rows_begin(struct rows *r)
{
	for (size_t i = 0; i < r->n; i++)
		r->all[i]->seen = false;
}

/* Those who stay hand over: the next one below, else above. */
static struct row *neighbour(const struct rows *r)
{
	size_t place = rows_place(r);

	for (size_t i = place; i < r->nshown; i++)
		if (r->shown[i]->seen)
			return r->shown[i];
	for (size_t i = place; i-- > 0;)
		if (r->shown[i]->seen)
			return r->shown[i];
	return NULL;
}

/* Drop those that are not SEEN. */
static void sweep(struct rows *r)
{
	size_t kept = 0;

	if (r->chosen && !r->chosen->seen)
		r->chosen = neighbour(r);
	for (size_t i = 0; i < r->n; i++) {
		if (r->all[i]->seen) {
			r->all[kept++] = r->all[i];
			continue;
		}
		map_remove(&r->by_name, r->all[i]->name);
		row_free(r->all[i]);
	}
	if (kept != r->n)
		r->nshown = 0;	/* holds rows that are gone, until the next rows_arrange() */
	r->n = kept;
}

void rows_end(struct rows *r)
{
	sweep(r);
	rows_arrange(r);
}

void rows_remove(struct rows *r, const char *name)
{
	struct row *row = rows_find(r, name);

	if (!row)
		return;
	for (size_t i = 0; i < r->n; i++)
		r->all[i]->seen = true;
	row->seen = false;
	rows_end(r);
}

/* --- order ------------------------------------------------------------------------------------ */

/* The worst first. */
static int state_rank(const char *state)
{
	static const char *const ranks[] = {
		"failed", "restarting", "stopping", "starting", "running", "stopped",
	};

	for (int i = 0; i < (int)ARRAY_LEN(ranks); i++)
		if (strcmp(ranks[i], state) == 0)
			return i;
	return (int)ARRAY_LEN(ranks);
}

static int compare(double a, double b)	/* large before small */
{
	return a < b ? 1 : a > b ? -1 : 0;
}

static int compare_rows(const struct rows *r, const struct row *a, const struct row *b)
{
	switch (r->sort) {
	case SORT_NAME:
		return strcmp(a->name, b->name);
	case SORT_STATE:
		return state_rank(a->state) - state_rank(b->state);
	case SORT_UPTIME:
		return compare((double)a->uptime_ms, (double)b->uptime_ms);
	case SORT_RESTARTS:
		return compare((double)a->restarts, (double)b->restarts);
	case SORT_CPU:
		return compare(a->cpu_percent, b->cpu_percent);
	case SORT_MEMORY:
		return compare((double)a->rss_bytes, (double)b->rss_bytes);
	case SORT_NKEYS:
		break;
	}
	return 0;
}

/* Stable, so equal rows stay where they are; N is at most some thousands. */
static void merge_sort(const struct rows *r, struct row **rows, struct row **spare, size_t n)
{
	size_t half = n / 2, a = 0, b = half, at = 0;

	if (n < 2)
		return;
	merge_sort(r, rows, spare, half);
	merge_sort(r, rows + half, spare, n - half);
	while (a < half && b < n) {
		int order = compare_rows(r, rows[a], rows[b]);

		spare[at++] = (r->reversed ? -order : order) <= 0 ? rows[a++] : rows[b++];
	}
	while (a < half)
		spare[at++] = rows[a++];
	while (b < n)
		spare[at++] = rows[b++];
	memcpy(rows, spare, n * sizeof(struct row *));
}

static bool is_shown(const struct rows *r, const struct row *row)
{
	return *r->filter == '\0' || strstr(row->name, r->filter) || strstr(row->state, r->filter);
}

void rows_arrange(struct rows *r)
{
	auto_free(freep) struct row **spare = x_calloc(r->n + 1, sizeof(struct row *));
	size_t place = rows_place(r);
	bool there = false;

	r->shown = x_reallocarray(r->shown, r->n + 1, sizeof(struct row *));
	r->nshown = 0;
	for (size_t i = 0; i < r->n; i++)
		if (is_shown(r, r->all[i]))
			r->shown[r->nshown++] = r->all[i];
	merge_sort(r, r->shown, spare, r->nshown);
	for (size_t i = 0; i < r->nshown; i++)
		there |= r->shown[i] == r->chosen;
	if (r->nshown == 0)
		r->chosen = NULL;
	else if (!r->pinned)
		r->chosen = r->shown[0];
	else if (!there)
		r->chosen = r->shown[MIN(place, r->nshown - 1)];
}

void rows_sort(struct rows *r, enum sort_key key)
{
	r->reversed = key == r->sort && key != SORT_NKEYS ? !r->reversed : false;
	r->sort = key;
	rows_arrange(r);
}

void rows_sort_step(struct rows *r, int by)
{
	int key = ((int)r->sort + by + SORT_NKEYS + 1) % (SORT_NKEYS + 1);

	r->reversed = false;
	r->sort = (enum sort_key)key;
	rows_arrange(r);
}

/* --- the chosen one --------------------------------------------------------------------------- */

size_t rows_place(const struct rows *r)
{
	for (size_t i = 0; i < r->nshown; i++)
		if (r->shown[i] == r->chosen)
			return i;
	return 0;
}

void rows_move(struct rows *r, long by)
{
	long place = (long)rows_place(r);

	if (r->nshown == 0)
		return;
	if (by > 0)
		place = by < (long)r->nshown - place ? place + by : (long)r->nshown - 1;
	else
		place = -by < place ? place + by : 0;
	r->chosen = r->shown[place];
	r->pinned = place > 0;
}

void rows_scroll(struct rows *r, size_t height)
{
	size_t place = rows_place(r);

	if (height == 0)
		return;
	r->first = MIN(r->first, r->nshown > height ? r->nshown - height : 0);
	if (place < r->first)
		r->first = place;
	else if (place >= r->first + height)
		r->first = place - height + 1;
}

size_t rows_marked(const struct rows *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += r->all[i]->marked;
	return n;
}

void rows_unmark(struct rows *r)
{
	for (size_t i = 0; i < r->n; i++)
		r->all[i]->marked = false;
}
