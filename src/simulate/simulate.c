/* Lets the time of a simulated world pass, and writes down what was told: a line per change of
 * state, and for each subsystem how long it was not ready after it had been. */
#include "simulate/simulate.h"

#include <string.h>

#include "base/alloc.h"
#include "config/options.h"
#include "config/store.h"
#include "simulate/world.h"

#define CRASH_AFTER_NS NS_PER_SEC	/* SCENARIO_CRASH: when all had this long in peace */
#define EVENTS_MAX 20000
#define STEPS_MAX 2000000

struct account {
	const char *name;	/* of its options */
	bool oneshot;		/* comes and goes: that is no downtime */
	uint64_t starts;
	int64_t first_ready_ns, down_since_ns;	/* -1: never, not */
	int64_t down_ns, longest_ns;
};

struct story {
	struct world world;
	uint64_t cursor;
	struct account *accounts;
	size_t n;
	json_t *events;
	bool truncated;
};

static int64_t since_start(int64_t mono_ns)
{
	return mono_ns - WORLD_EPOCH_NS;
}

static json_t *in_ms(int64_t ns)
{
	return ns < 0 ? json_null() : json_integer(ns / NS_PER_MS);
}

/* --- what was told ---------------------------------------------------------------------------- */

static struct account *account_of(struct story *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->accounts[i].name, name) == 0)
			return &s->accounts[i];
	return NULL;
}

static void end_of_downtime(struct account *a, int64_t now)
{
	int64_t down = now - a->down_since_ns;

	if (a->down_since_ns < 0)
		return;
	a->down_ns += down;
	a->longest_ns = MAX(a->longest_ns, down);
	a->down_since_ns = -1;
}

static void take_ready(struct account *a, bool ready, int64_t now)
{
	if (ready) {
		end_of_downtime(a, now);
		if (a->first_ready_ns < 0)
			a->first_ready_ns = now;
	} else if (a->first_ready_ns >= 0 && a->down_since_ns < 0) {
		a->down_since_ns = now;
	}
}

static void take_state(struct story *s, struct account *a, const json_t *event, int64_t at)
{
	static const char *const kept[] = { "name", "state", "prev", "reason", "exit_code",
					    "next_restart_ms", "gave_up", "error" };
	json_t *line;

	a->starts += strcmp(json_string_value(json_object_get(event, "state")), "starting") == 0;
	if (json_array_size(s->events) >= EVENTS_MAX) {
		s->truncated = true;
		return;
	}
	line = json_pack("{s:o}", "at_ms", in_ms(at));
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		json_object_set(line, kept[i], json_object_get(event, kept[i]));
	json_array_append_new(s->events, line);
}

static void take_event(struct story *s, const json_t *event)
{
	const char *type = json_string_value(json_object_get(event, "type"));
	const char *name = json_string_value(json_object_get(event, "name"));
	int64_t at = since_start(json_integer_value(json_object_get(event, "at_mono_ns")));
	struct account *a = name ? account_of(s, name) : NULL;

	if (a != NULL && strcmp(type, "state_changed") == 0)
		take_state(s, a, event, at);
	else if (a != NULL && !a->oneshot && strcmp(type, "ready_changed") == 0)
		take_ready(a, json_is_true(json_object_get(event, "ready")), at);
}

static void take_events(struct story *s)
{
	struct strbuf body = STRBUF_INIT, line = STRBUF_INIT;
	enum chan_result r;
	uint64_t lost;

	while ((r = chan_try_recv(s->world.chan, &s->cursor, &body, &lost)) == CHAN_OK ||
	       r == CHAN_GAP) {
		json_t *event = NULL;

		if (r == CHAN_OK) {
			event_line(s->cursor, body.buf, body.len, &line);
			event = json_loads(line.buf, 0, NULL);
		}
		if (event != NULL)
			take_event(s, event);
		else
			s->truncated = true;
		json_decref(event);
		strbuf_reset(&body);
		strbuf_reset(&line);
	}
	strbuf_fini(&body);
	strbuf_fini(&line);
}

/* --- the course of time ----------------------------------------------------------------------- */

/* A oneshot, or what waits for a connection, is as it should be when it is not ready. */
static bool must_be_ready(const struct subsystem_options *o, const struct board_record *r)
{
	return r->goal_up && o->type == TYPE_SERVICE && !o->policy->socket_activation;
}

static bool all_are_ready(const struct story *s)
{
	const struct config *config = config_current();

	for (size_t i = 0; i < config->nsubsystems; i++) {
		const struct subsystem_options *o = config->subsystems[i];
		const struct board_record *r = board_find(s->world.board, o->name);

		if (r != NULL && must_be_ready(o, r) && !r->ready)
			return false;
	}
	return true;
}

/* What the scenario was about is over. */
static bool over(const struct story *s)
{
	const struct world *w = &s->world;

	switch (w->scenario->kind) {
	case SCENARIO_START:
		return w->booted && !world_works(w);
	case SCENARIO_CRASH:
		return w->booted && w->crash_ns == INT64_MAX && all_are_ready(s) &&
		       !world_works(w);
	default:
		return false;
	}
}

/* Returns when procd had booted, if all that is to be was ready then; else -1. */
static int64_t run(struct story *s, int64_t until_ns)
{
	struct world *w = &s->world;
	int64_t ready_ns = -1;
	bool booted = false;

	for (int step = 0; step < STEPS_MAX; step++) {
		bool rests = world_settle(w);
		int64_t next;

		take_events(s);
		if (w->booted && !booted) {
			booted = true;
			ready_ns = all_are_ready(s) ? since_start(w->now_ns) : -1;
			if (w->scenario->kind == SCENARIO_CRASH)
				w->crash_ns = w->now_ns + CRASH_AFTER_NS;
		}
		next = world_next_ns(w);
		if (w->finished || over(s) || next == INT64_MAX)
			return ready_ns;
		if (!rests)
			break;
		if (next > until_ns) {
			w->now_ns = until_ns;
			return ready_ns;
		}
		w->now_ns = next;
	}
	s->truncated = true;
	return ready_ns;
}

/* --- the result ------------------------------------------------------------------------------- */

static bool is_well(const struct story *s, const struct subsystem_options *o,
		    const struct account *a, const struct board_record *r)
{
	if (r == NULL || (!r->goal_up && !o->autostart))
		return true;
	if (r->gave_up || r->state == STATE_FAILED || (r->waiting && !r->ready))
		return false;
	if (!must_be_ready(o, r))
		return r->goal_up || !o->autostart || s->world.finished;
	return a->first_ready_ns >= 0;
}

static json_t *subsystem_json(const struct story *s, struct account *a, bool *all_well)
{
	const struct subsystem_options *o = config_find(config_current(), a->name);
	const struct board_record *r = board_find(s->world.board, a->name);
	bool well = is_well(s, o, a, r);
	json_t *why = well ? NULL : core_why(s->world.board, r, s->world.now_ns);
	json_t *lines = json_object_get(why, "why");
	json_t *j;

	*all_well &= well;
	end_of_downtime(a, since_start(s->world.now_ns));
	j = json_pack("{s:s, s:b, s:s, s:b, s:I, s:I, s:b, s:o, s:o, s:o}",
		      "name", a->name, "ok", (int)well,
		      "state", r ? enumtext_name(&subsystem_state_text, (int)r->state) : "stopped",
		      "ready", r ? (int)r->ready : 0,
		      "starts", (json_int_t)a->starts,
		      "restarts", (json_int_t)(r ? r->restart_count : 0),
		      "gave_up", r ? (int)r->gave_up : 0,
		      "ready_after_ms", in_ms(a->first_ready_ns),
		      "down_ms", in_ms(a->down_ns), "longest_down_ms", in_ms(a->longest_ns));
	json_object_set_new(j, "why", lines ? json_incref(lines) : json_array());
	json_decref(why);
	return j;
}

static json_t *result(struct story *s, int64_t ready_ns)
{
	const struct world *w = &s->world;
	json_t *subsystems = json_array();
	bool well = !w->finished || w->exit_code == 0;

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(subsystems, subsystem_json(s, &s->accounts[i], &well));
	return json_pack("{s:b, s:o, s:o, s:o, s:b, s:o, s:o}",
			 "ok", (int)(well && !s->truncated),
			 "ready_after_ms", in_ms(ready_ns),
			 "ended_ms", in_ms(since_start(w->now_ns)),
			 "exit_code", w->finished ? json_integer(w->exit_code) : json_null(),
			 "truncated", (int)s->truncated,
			 "events", json_incref(s->events), "subsystems", subsystems);
}

json_t *simulate(struct config *config, const struct scenario *scenario, const struct takes *takes,
		 int64_t for_ns)
{
	struct story s = { .events = json_array(), .n = config->nsubsystems };
	int64_t ready_ns;
	json_t *j;

	s.accounts = x_calloc(s.n + 1, sizeof(*s.accounts));
	for (size_t i = 0; i < s.n; i++)
		s.accounts[i] = (struct account){ .name = config->subsystems[i]->name,
						  .oneshot = config->subsystems[i]->type == TYPE_ONESHOT,
						  .first_ready_ns = -1, .down_since_ns = -1 };
	world_init(&s.world, config, scenario, takes);
	world_start(&s.world);
	ready_ns = run(&s, WORLD_EPOCH_NS + for_ns);
	j = result(&s, ready_ns);
	world_fini(&s.world);
	free(s.accounts);
	json_decref(s.events);
	return j;
}

bool simulate_knows(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->nsubsystems; i++)
		if (scenario_means(name, config->subsystems[i]->name))
			return true;
	return false;
}
