/* One picture from what is known: a line about the daemon, the list, what is to be said about the
 * chosen one, and a line of help, of news or of input. On a screen of few rows the list stays. */
#include "base/clock.h"
#include "command/note.h"
#include "command/top.h"
#include "console/figures.h"

#define ROWS_FOR_DETAIL 8
#define ROWS_FOR_FOOTER 4
#define SILENT_NS (3 * NS_PER_SEC)

static unsigned below(const struct top *t)	/* rows below the list */
{
	unsigned rows = screen_rows(t->screen);

	return rows >= ROWS_FOR_DETAIL && t->view == TOP_TABLE ? 2 : rows >= ROWS_FOR_FOOTER;
}

unsigned view_height(const struct top *t)
{
	unsigned rows = screen_rows(t->screen), used = below(t) + 1 + (t->view == TOP_TABLE);

	return rows > used ? rows - used : 1;
}

/* --- the line at the top ---------------------------------------------------------------------- */

static void put_counts(struct top *t)
{
	struct frame *f = &t->frame;
	char text[64];

	snprintf(text, sizeof(text), "%lld subsystem%s", (long long)t->total,
		 t->total == 1 ? "" : "s");
	frame_add(f, TINT_NONE, text);
	for (size_t i = 0; i < ARRAY_LEN(top_states); i++) {
		char quoted[32];

		if (t->counts[i] == 0)
			continue;
		snprintf(quoted, sizeof(quoted), "\"%s\"", top_states[i]);
		snprintf(text, sizeof(text), "%lld %s", (long long)t->counts[i], top_states[i]);
		frame_add(f, TINT_NONE, ", ");
		frame_add(f, state_tint((struct span){ quoted, strlen(quoted) }), text);
	}
}

static void put_header(struct top *t)
{
	struct frame *f = &t->frame;
	int64_t now = clock_mono_ns();
	char text[128], age[FIGURE_CAP];

	frame_row(f, 0, false);
	frame_add(f, TINT_BOLD, t->name.len > 0 ? t->name.buf : "procd");
	if (!t->connected) {
		frame_add(f, TINT_RED, t->ending ? ": procd has ended; waiting for another start" :
			  ": not connected; trying again");
		return;
	}
	if (t->status_id != 0 && now - t->asked_at_ns > SILENT_NS) {
		snprintf(text, sizeof(text), ": no answer for %llds",
			 (long long)((now - t->asked_at_ns) / NS_PER_SEC));
		frame_add(f, TINT_RED, text);
		return;
	}
	if (t->supervisor_pid == 0) {
		frame_add(f, TINT_NONE, ": waiting for its first answer");
		return;
	}
	age_format(t->uptime_ms, age);
	snprintf(text, sizeof(text), ", up %s: ", age);
	frame_add(f, TINT_NONE, text);
	if (strcmp(t->state.buf, "running") != 0 && t->state.len > 0) {
		frame_add(f, TINT_YELLOW, t->state.buf);
		frame_add(f, TINT_NONE, ", ");
	}
	if (*t->rows.filter != '\0') {
		snprintf(text, sizeof(text), "/%s  ", t->rows.filter);
		frame_add(f, TINT_CYAN, text);
	}
	put_counts(t);
	snprintf(text, sizeof(text), "  by %s%s", sort_name(t->rows.sort),
		 t->rows.reversed ? ", reversed" : "");
	if (f->column + strlen(text) > f->columns)	/* the title of the column is bold, too */
		return;
	frame_pad(f, f->columns - (unsigned)strlen(text));
	frame_add(f, TINT_DIM, text);
}

/* --- the lines at the bottom ------------------------------------------------------------------ */

static void put_detail(struct top *t, unsigned row)
{
	const struct row *chosen = t->rows.chosen;
	struct frame *f = &t->frame;

	frame_row(f, row, false);
	if (!chosen && t->supervisor_pid == 0)
		return;
	if (!chosen) {
		frame_add(f, TINT_DIM, *t->rows.filter ? "nothing matches the filter" :
			  "there are no subsystems");
		return;
	}
	if (*chosen->note == '\0')
		return;
	frame_add(f, TINT_BOLD, chosen->name);
	frame_add(f, TINT_NONE, ": ");
	frame_add(f, chosen->note_tint, chosen->note);
}

static const char *const hints[] = {
	[TOP_TABLE] = "q quit  h help  s start  x stop  r restart  l logs  e events  w why  / filter",
	[TOP_LOGS] = "q back  arrows scroll  End follow",
	[TOP_EVENTS] = "q back  arrows scroll  End follow",
	[TOP_WHY] = "q back  arrows scroll",
	[TOP_HELP] = "q back",
};

static void put_confirmation(struct top *t)
{
	size_t marked = rows_marked(&t->rows);
	char text[NAME_CAP + 64];

	if (marked > 0)
		snprintf(text, sizeof(text), "%s the %zu marked ones? (y/n)", t->verb->name, marked);
	else
		snprintf(text, sizeof(text), "%s %s? (y/n)", t->verb->name, t->about);
	frame_add(&t->frame, TINT_YELLOW, text);
}

static void put_footer(struct top *t, unsigned row)
{
	struct frame *f = &t->frame;

	frame_row(f, row, false);
	if (t->prompt == PROMPT_FILTER) {
		frame_add(f, TINT_CYAN, "filter: ");
		frame_add(f, TINT_BOLD, t->rows.filter);
		frame_add(f, TINT_BOLD, "_");
	} else if (t->prompt == PROMPT_CONFIRM) {
		put_confirmation(t);
	} else if (*t->message != '\0') {
		frame_add(f, t->message_tint, t->message);
	} else {
		frame_add(f, TINT_DIM, hints[t->view]);
	}
}

/* --- the views -------------------------------------------------------------------------------- */

static const char *const help[] = {	/* at most 79 columns */
	"Up Down PgUp PgDn Home End    choose (also k j, g G)",
	"s  x  r                       start, stop, restart the chosen one",
	"Space  u                      mark it, unmark all: s x r take those marked then",
	"l  Return                     output of the chosen one, as it comes",
	"e  E                          its events; those of all",
	"w                             why it is in its state",
	"/                             only names and states that hold a text; Escape: all",
	"C M R T N U O                 sort by cpu, memory, restarts, state, name, uptime,",
	"                              or as in the config; again: the other way round",
	"<  >                          sort by the next column to the left, to the right",
	"Ctrl-L                        draw everything anew",
	"q                             back; in the table: end",
};

static void put_help(struct top *t, unsigned to)
{
	for (unsigned i = 0; i < ARRAY_LEN(help) && i + 1 < to; i++) {
		frame_row(&t->frame, i + 1, false);
		frame_add(&t->frame, TINT_NONE, help[i]);
	}
}

static void put_title(struct top *t)
{
	static const char *const titles[] = {
		[TOP_TABLE] = "", [TOP_LOGS] = "output of ", [TOP_EVENTS] = "events of ",
		[TOP_WHY] = "why ", [TOP_HELP] = "keys of procd top",
	};
	struct frame *f = &t->frame;

	frame_row(f, 0, true);
	frame_add(f, TINT_BOLD, titles[t->view]);
	if (t->view != TOP_HELP)
		frame_add(f, TINT_BOLD, *t->about ? t->about : "all");
	if (!t->connected)
		frame_add(f, TINT_NONE, "  (not connected; trying again)");
	else if (t->pager.back > 0)
		frame_add(f, TINT_NONE, "  (scrolled back)");
	frame_pad(f, f->columns);
}

void view_draw(struct top *t)
{
	unsigned rows = screen_rows(t->screen), last = rows - MIN(rows, below(t));
	struct frame *f = &t->frame;

	if (*t->message != '\0' && clock_mono_ns() >= t->message_until_ns)
		*t->message = '\0';
	frame_begin(f, screen_columns(t->screen), rows);
	if (t->view == TOP_TABLE) {
		rows_arrange(&t->rows);
		put_header(t);
		frame_table(f, &t->rows, 1, last);
		if (below(t) == 2)
			put_detail(t, rows - 2);
	} else {
		put_title(t);
		if (t->view == TOP_HELP)
			put_help(t, last);
		else
			pager_show(&t->pager, f, 1, last);
	}
	if (below(t) > 0 || t->prompt != PROMPT_NONE)
		put_footer(t, rows - 1);
	screen_draw(t->screen, f);
	t->redraw = false;
}
