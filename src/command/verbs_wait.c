/* `wait`: events say when to look, status says what is. Subscribed first, asked second, so
 * nothing falls between; nothing is polled. A state that is entered and left again counts,
 * because its event is seen. */
#include <errno.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/strlist.h"
#include "command/stream.h"
#include "command/verbs.h"
#include "command/view.h"
#include "event/event.h"

#define NAMES_AT_ONCE 400

enum wanted { WANT_STATE, WANT_READY, WANT_HEALTHY };

struct waiting {
	struct call call;
	enum wanted wanted;
	char state[16];		/* WANT_STATE: quoted, as in JSON */
	struct map left;	/* names that are not there yet */
	bool begun;		/* LEFT was filled */
	bool look;		/* status may have changed */
};

static bool fulfilled(const struct waiting *w, const struct view *v)
{
	switch (w->wanted) {
	case WANT_STATE:
		return span_is(v->state, w->state);
	case WANT_READY:
		return span_is(v->ready, "true");
	case WANT_HEALTHY:
		return span_is(v->health, "\"healthy\"");
	}
	return false;
}

static void look_at(void *ctx, const struct view *v)
{
	auto_free(strbuf_fini) struct strbuf name = STRBUF_INIT;
	struct waiting *w = ctx;

	if (!span_string(v->name, &name))
		return;
	if (fulfilled(w, v))
		map_remove(&w->left, name.buf);
	else if (!w->begun)
		map_put(&w->left, name.buf, w);
}

/* One question, and what it says of those that are left; takes PARAMS. */
static int ask(struct waiting *w, json_t *params)
{
	const char *text;
	size_t len;
	int rc = call_ask(&w->call, "status.get", params, &text, &len);

	if (rc == 0 && !view_each(text, len, look_at, NULL, w))
		rc = call_broken(&w->call, -EPROTO);
	return rc;
}

/* A request has no room for thousands of names, so they are asked for by the hundred. */
static int ask_left(struct waiting *w)
{
	auto_free(strlist_fini) struct strlist left = STRLIST_INIT;
	size_t i = 0;
	int rc = 0;

	map_for_each(slot, &w->left)
		strlist_add(&left, slot->key);
	while (rc == 0 && i < left.n) {
		json_t *names = json_array();

		for (; i < left.n && json_array_size(names) < NAMES_AT_ONCE; i++)
			if (map_find(&w->left, left.items[i]))
				json_array_append_new(names, json_text(left.items[i]));
		if (json_array_size(names) > 0)
			rc = ask(w, json_pack("{s:o}", "names", names));
		else
			json_decref(names);
	}
	return rc;
}

/* One notification: an event for a name that is waited for is a reason to look, or already
 * enough. */
static void on_line(void *ctx, const char *line, size_t len)
{
	auto_free(strbuf_fini) struct strbuf name = STRBUF_INIT;
	struct waiting *w = ctx;
	struct view v;
	size_t n;
	const char *event = client_params_text(line, len, "event", &n);

	if (!event || !view_read((struct span){ event, n }, &v))
		return;
	if (!span_string(v.name, &name)) {	/* a gap: anything may have happened */
		w->look = true;
		return;
	}
	if (!w->begun || !map_find(&w->left, name.buf))
		return;
	if (w->wanted == WANT_STATE && fulfilled(w, &v))
		map_remove(&w->left, name.buf);
	else
		w->look = true;
}

static int look(struct waiting *w)
{
	int rc;

	w->look = false;
	if (w->begun)
		return ask_left(w);
	rc = ask(w, call_names(w->call.o));
	w->begun = rc == 0;
	return rc;
}

/* Subscribe and follow until all are there: 0. Otherwise *BROKEN with the result of
 * client_line(), or the exit code. */
static int follow(struct waiting *w, bool *broken)
{
	const char *line;
	size_t len;
	int rc = call_ask(&w->call, "events.subscribe", json_object(), &line, &len);

	if (rc == 0)
		rc = look(w);
	while (rc == 0 && w->left.n > 0) {
		if (w->look && !client_has_line(&w->call.client)) {
			rc = look(w);
			continue;
		}
		stream_unlimited(&w->call);
		rc = client_line(&w->call.client, &line, &len);
		if (rc <= 0) {
			*broken = true;
			return rc;
		}
		on_line(w, line, len);
		rc = 0;
	}
	return rc;
}

static int read_wish(const struct cli_options *o, struct waiting *w)
{
	auto_free(strbuf_fini) struct strbuf states = STRBUF_INIT;
	const char *wish = cli_value(o, "for");

	w->wanted = WANT_STATE;
	if (!wish || strcmp(wish, "ready") == 0) {
		w->wanted = WANT_READY;
	} else if (strcmp(wish, "healthy") == 0) {
		w->wanted = WANT_HEALTHY;
	} else if (enumtext_find(&subsystem_state_text, wish) >= 0) {
		snprintf(w->state, sizeof(w->state), "\"%s\"", wish);
	} else {
		enumtext_join(&subsystem_state_text, &states);
		return cli_fail_usage(o, "wait: --for \"%s\": not one of %s, ready, healthy", wish,
				      states.buf);
	}
	return 0;
}

int verb_wait(const struct cli_options *o)
{
	struct waiting w = { .left = MAP_INIT };
	bool broken = true;
	int rc = read_wish(o, &w);

	if (rc != 0)
		return rc;
	rc = call_open(&w.call, o);
	while (rc == 0 && broken) {
		w.call.client.notified = on_line;
		w.call.client.ctx = &w;
		broken = false;
		rc = follow(&w, &broken);
		if (broken)
			rc = stream_again(&w.call, rc);
	}
	if (rc == 0 && o->json)
		rc = cli_print_json(json_pack("{s:b}", "result", 1));
	call_fini(&w.call);
	map_fini(&w.left);
	return rc;
}
