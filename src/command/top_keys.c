/* What a key does, in each view. Orders go to those that are marked, else to the chosen one; what
 * ends processes is asked back, what starts them is not. */
#include <limits.h>

#include "command/top.h"

static void go(struct top *t, enum top_view view, const char *about)
{
	snprintf(t->about, sizeof(t->about), "%s", about);
	pager_clear(&t->pager);
	t->view = view;
	screen_forget(t->screen);
	if (view == TOP_LOGS)
		link_log_open(t);
	else if (view == TOP_EVENTS)
		link_events(t);
	else if (view == TOP_WHY)
		link_why(t);
}

static void go_back(struct top *t)
{
	link_log_close(t);
	pager_clear(&t->pager);
	t->view = TOP_TABLE;
	screen_forget(t->screen);
}

/* --- orders ----------------------------------------------------------------------------------- */

static void give_order(struct top *t)
{
	size_t marked = rows_marked(&t->rows);
	json_t *names = json_array();
	char what[64];

	for (size_t i = 0; i < t->rows.n; i++)
		if (t->rows.all[i]->marked)
			json_array_append_new(names, json_text(t->rows.all[i]->name));
	if (marked == 0)
		json_array_append_new(names, json_text(t->about));
	if (marked == 0)
		snprintf(what, sizeof(what), "%s %.50s", t->verb->name, t->about);
	else
		snprintf(what, sizeof(what), "%s %zu subsystems", t->verb->name, marked);
	link_order(t, t->verb, names, what);
	rows_unmark(&t->rows);
}

static void plan_order(struct top *t, enum verb_id id)
{
	if (!t->rows.chosen)
		return;
	t->verb = &verb_table[id];
	/* Whoever is chosen now, not whoever is when "y" comes. */
	snprintf(t->about, sizeof(t->about), "%s", t->rows.chosen->name);
	if (id == VERB_START)
		give_order(t);
	else
		t->prompt = PROMPT_CONFIRM;
}

static void press_confirm(struct top *t, int key)
{
	t->prompt = PROMPT_NONE;
	if (key == 'y' || key == 'Y')
		give_order(t);
	else
		top_say(t, TINT_NONE, "nothing was done");
}

/* --- the filter ------------------------------------------------------------------------------- */

static void press_filter(struct top *t, int key)
{
	char *filter = t->rows.filter;
	size_t n = strlen(filter);

	if (key == PRESS_RETURN) {
		t->prompt = PROMPT_NONE;
	} else if (key == PRESS_ESCAPE) {
		memcpy(filter, t->filter_before, sizeof(t->filter_before));
		t->prompt = PROMPT_NONE;
	} else if (key == PRESS_BACK) {
		filter[n > 0 ? n - 1 : 0] = '\0';
	} else if (key >= ' ' && key < 0x7f && n + 1 < sizeof(t->rows.filter)) {
		filter[n] = (char)key;
		filter[n + 1] = '\0';
	}
}

static void begin_filter(struct top *t)
{
	memcpy(t->filter_before, t->rows.filter, sizeof(t->filter_before));
	*t->rows.filter = '\0';
	t->prompt = PROMPT_FILTER;
}

/* --- the table -------------------------------------------------------------------------------- */

/* How far a key moves; 0: it does not. */
static long way_of(const struct top *t, int key)
{
	long page = (long)view_height(t);

	switch (key) {
	case PRESS_UP:
	case 'k':
		return -1;
	case PRESS_DOWN:
	case 'j':
		return 1;
	case PRESS_PAGE_UP:
		return -page;
	case PRESS_PAGE_DOWN:
		return page;
	case PRESS_HOME:
	case 'g':
		return -INT_MAX;
	case PRESS_END:
	case 'G':
		return INT_MAX;
	default:
		return 0;
	}
}

static const struct {
	int key;
	enum sort_key sort;
} sorts[] = {
	{ 'N', SORT_NAME }, { 'T', SORT_STATE }, { 'U', SORT_UPTIME }, { 'R', SORT_RESTARTS },
	{ 'C', SORT_CPU }, { 'M', SORT_MEMORY }, { 'O', SORT_NKEYS },
};

static void mark(struct top *t)
{
	if (!t->rows.chosen)
		return;
	t->rows.chosen->marked = !t->rows.chosen->marked;
	rows_move(&t->rows, 1);
}

static void press_table(struct top *t, int key)
{
	const char *chosen = t->rows.chosen ? t->rows.chosen->name : NULL;

	for (size_t i = 0; i < ARRAY_LEN(sorts); i++)
		if (sorts[i].key == key)
			rows_sort(&t->rows, sorts[i].sort);
	if (way_of(t, key) != 0)
		rows_move(&t->rows, way_of(t, key));
	else if (key == 'q')
		t->leave = true;
	else if (key == 'h' || key == '?')
		go(t, TOP_HELP, "");
	else if (key == '/')
		begin_filter(t);
	else if (key == '<' || key == '>')
		rows_sort_step(&t->rows, key == '>' ? 1 : -1);
	else if (key == PRESS_ESCAPE)
		*t->rows.filter = '\0';
	else if (key == ' ')
		mark(t);
	else if (key == 'u')
		rows_unmark(&t->rows);
	else if (key == 's')
		plan_order(t, VERB_START);
	else if (key == 'x')
		plan_order(t, VERB_STOP);
	else if (key == 'r')
		plan_order(t, VERB_RESTART);
	else if ((key == 'l' || key == PRESS_RETURN) && chosen)
		go(t, TOP_LOGS, chosen);
	else if (key == 'e' && chosen)
		go(t, TOP_EVENTS, chosen);
	else if (key == 'E')
		go(t, TOP_EVENTS, "");
	else if (key == 'w' && chosen)
		go(t, TOP_WHY, chosen);
}

static void press_pager(struct top *t, int key)
{
	if (key == 'q' || key == PRESS_ESCAPE || key == PRESS_BACK)
		go_back(t);
	else
		pager_scroll(&t->pager, -way_of(t, key));
}

void keys_press(struct top *t, int key)
{
	t->redraw = true;
	if (key == ('L' & 0x1f))
		screen_forget(t->screen);
	else if (t->prompt == PROMPT_FILTER)
		press_filter(t, key);
	else if (t->prompt == PROMPT_CONFIRM)
		press_confirm(t, key);
	else if (t->view == TOP_TABLE)
		press_table(t, key);
	else
		press_pager(t, key);
}
