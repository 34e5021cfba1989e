/* `procd top`, in four files: verbs_top.c (the loop), top_link.c (what procd tells), top_view.c
 * (what is drawn) and top_keys.c (what is pressed). One thread; each waits for nothing but the
 * loop's poll.
 */
#ifndef COMMAND_TOP_H
#define COMMAND_TOP_H

#include "command/call.h"
#include "command/view.h"
#include "console/pager.h"
#include "console/screen.h"

#define TOP_REFRESH_NS NS_PER_SEC	/* figures; everything else comes as events */
#define TOP_RETRY_NS (NS_PER_SEC / 4)
#define TOP_ORDERS_MAX 16

enum top_view { TOP_TABLE, TOP_LOGS, TOP_EVENTS, TOP_WHY, TOP_HELP };
enum top_prompt { PROMPT_NONE, PROMPT_FILTER, PROMPT_CONFIRM };

struct top_order {		/* on its way */
	json_int_t id;		/* 0: this place is free */
	char what[64];		/* "stop web" */
};

struct top {
	const struct cli_options *o;
	struct screen *screen;
	struct frame frame;
	struct rows rows;
	struct pager pager;
	enum top_view view;
	char about[NAME_CAP];		/* whom the view shows; "" all */
	enum top_prompt prompt;
	char filter_before[64];
	const struct verb *verb;	/* waits for confirmation */
	bool leave;
	bool redraw;

	char message[256];		/* harmless; "" none */
	enum tint message_tint;
	int64_t message_until_ns;

	/* the connection for everything but output */
	struct call call;
	bool connected;
	bool ending;			/* procd told that it shuts down */
	int64_t retry_at_ns, refresh_at_ns, asked_at_ns;
	json_int_t status_id, why_id, events_id;	/* 0: not asked */
	struct top_order orders[TOP_ORDERS_MAX];
	/* output of ABOUT has its own, so that leaving the view ends it */
	struct client log;
	struct strbuf partial[2];	/* of stdout and stderr */

	/* what the daemon says of itself */
	struct strbuf name, state;
	int64_t uptime_ms, keeper_pid, supervisor_pid;
	json_int_t counts[6];		/* in the order of top_states */
	json_int_t total;
};

extern const char *const top_states[6];

void top_say(struct top *t, enum tint tint, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* top_link.c. Each may find that the connection has ended; then it is tried again. */
void link_begin(struct top *t);		/* call.client is connected: subscribe, ask */
void link_read(struct top *t);		/* it is readable */
void link_refresh(struct top *t);	/* ask for the figures, unless an answer is due */
void link_retry(struct top *t);
void link_order(struct top *t, const struct verb *verb, json_t *names, const char *what);
void link_why(struct top *t);		/* about ABOUT */
void link_events(struct top *t);	/* those of before, for the view */
void link_log_open(struct top *t);
void link_log_read(struct top *t);
void link_log_close(struct top *t);

/* top_events.c: an event as words, appended to OUT: "08:42:18 web failed (was running)
 * exit_code=1" */
void event_words(struct span event, struct strbuf *out);

/* top_view.c */
void view_draw(struct top *t);
unsigned view_height(const struct top *t);	/* rows of a list on this screen */

/* top_keys.c */
void keys_press(struct top *t, int key);

#endif
