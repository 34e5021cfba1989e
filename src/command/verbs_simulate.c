/* `simulate`: the policy of a configuration on a clock that need not be waited for. */
#include <unistd.h>

#include "base/alloc.h"
#include "base/units.h"
#include "command/verbs.h"
#include "config/config.h"
#include "console/table.h"
#include "simulate/simulate.h"

#define FOR_DEFAULT_MS (10 * 60 * MS_PER_SEC)
#define FOR_MAX_MS (366 * 24 * 3600 * MS_PER_SEC)
#define ROWS_MAX 60	/* for people; --json has all */

/* --- for people ------------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

/* "-" for null. */
static void add_time(struct table *t, const json_t *object, const char *key)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	const json_t *ms = json_object_get(object, key);

	if (json_is_integer(ms))
		duration_format(json_integer_value(ms), &text);
	table_add(t, TINT_NONE, json_is_integer(ms) ? text.buf : "-");
}

static void add_number(struct table *t, const json_t *object, const char *key)
{
	auto_free(freep) char *text = x_asprintf(
		"%lld", (long long)json_integer_value(json_object_get(object, key)));

	table_add(t, TINT_NONE, text);
}

static enum tint tint_of(const char *state)
{
	return strcmp(state, "running") == 0 ? TINT_GREEN :
	       strcmp(state, "failed") == 0  ? TINT_RED :
					       TINT_NONE;
}

static void add_note(struct strbuf *out, const json_t *event)
{
	const json_t *error = json_object_get(event, "error");
	const json_t *next = json_object_get(event, "next_restart_ms");
	const json_t *code = json_object_get(event, "exit_code");

	strbuf_addstr(out, text_of(event, "reason"));
	if (error != NULL)
		strbuf_addf(out, ": %s", text_of(error, "message"));
	else if (strcmp(text_of(event, "state"), "failed") == 0 && json_is_integer(code) &&
		 strcmp(text_of(event, "reason"), "exit") == 0)
		strbuf_addf(out, ", code %lld", (long long)json_integer_value(code));
	if (json_is_true(json_object_get(event, "gave_up")))
		strbuf_addstr(out, ", given up");
	if (json_is_integer(next)) {
		strbuf_addstr(out, ", again in ");
		duration_format(json_integer_value(next), out);
	}
}

static void print_table(struct table *t, struct strbuf *out)
{
	table_fit(t, terminal_columns(STDOUT_FILENO));
	table_format(t, colour_wanted(STDOUT_FILENO), out);
	table_fini(t);
}

static void add_events(const json_t *events, struct strbuf *out)
{
	static const char *const titles[] = { ">AT", "NAME", "STATE", "BECAUSE" };
	struct table t;
	json_t *event;
	size_t i;

	table_init(&t, titles, ARRAY_LEN(titles));
	json_array_foreach(events, i, event) {
		auto_free(strbuf_fini) struct strbuf note = STRBUF_INIT;
		const char *state = text_of(event, "state");

		if (i >= ROWS_MAX)
			break;
		add_time(&t, event, "at_ms");
		table_add(&t, TINT_NONE, text_of(event, "name"));
		table_add(&t, tint_of(state), state);
		add_note(&note, event);
		table_add(&t, TINT_NONE, note.buf);
	}
	print_table(&t, out);
	if (json_array_size(events) > ROWS_MAX)
		strbuf_addf(out, "... and %zu more (--json has all)\n",
			    json_array_size(events) - ROWS_MAX);
}

/* Why it is not as it should be. */
static const char *trouble_of(const json_t *s)
{
	const json_t *why = json_object_get(s, "why");
	size_t n = json_array_size(why);

	if (json_is_true(json_object_get(s, "ok")))
		return "";
	if (json_is_true(json_object_get(s, "gave_up")))
		return "given up: no restart is left";
	return n > 0 ? json_string_value(json_array_get(why, n - 1)) : "";
}

static void add_subsystems(const json_t *subsystems, struct strbuf *out)
{
	static const char *const titles[] = { "NAME", "STATE", ">STARTS", ">READY AFTER", ">DOWN",
					      ">LONGEST", "NOTE" };
	struct table t;
	json_t *s;
	size_t i;

	table_init(&t, titles, ARRAY_LEN(titles));
	json_array_foreach(subsystems, i, s) {
		table_add(&t, TINT_NONE, text_of(s, "name"));
		table_add(&t, tint_of(text_of(s, "state")), text_of(s, "state"));
		add_number(&t, s, "starts");
		add_time(&t, s, "ready_after_ms");
		add_time(&t, s, "down_ms");
		add_time(&t, s, "longest_down_ms");
		table_add(&t, TINT_NONE, trouble_of(s));
	}
	print_table(&t, out);
}

static void add_end(const json_t *result, struct strbuf *out)
{
	const json_t *ready = json_object_get(result, "ready_after_ms");
	const json_t *code = json_object_get(result, "exit_code");

	if (json_is_integer(ready)) {
		strbuf_addstr(out, "up after ");
		duration_format(json_integer_value(ready), out);
	} else {
		strbuf_addstr(out, "not everything came up");
	}
	strbuf_addstr(out, "; seen: ");
	duration_format(json_integer_value(json_object_get(result, "ended_ms")), out);
	if (json_is_integer(code))
		strbuf_addf(out, "; then procd ends with code %lld",
			    (long long)json_integer_value(code));
	strbuf_addch(out, '\n');
	if (json_is_true(json_object_get(result, "truncated")))
		strbuf_addstr(out, "this is not all: too much happens\n");
}

static int print_result(const struct cli_options *o, const json_t *result)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

	if (o->quiet)
		return EXIT_OK;
	add_events(json_object_get(result, "events"), &out);
	strbuf_addch(&out, '\n');
	add_subsystems(json_object_get(result, "subsystems"), &out);
	strbuf_addch(&out, '\n');
	add_end(result, &out);
	return cli_print(out.buf, out.len);
}

/* --- the verb --------------------------------------------------------------------------------- */

struct wish {
	struct scenario scenario;
	struct takes takes;
	int64_t for_ms;
};

static void wish_fini(struct wish *w)
{
	scenario_fini(&w->scenario);
	takes_fini(&w->takes);
}

static bool wish_parse(const struct cli_options *o, struct wish *w, struct error *e)
{
	const char *scenario = cli_value(o, "scenario"), *time = cli_value(o, "for");

	w->for_ms = FOR_DEFAULT_MS;
	if (!scenario_parse(scenario ? scenario : "start", &w->scenario, e) ||
	    !takes_parse(cli_value(o, "takes"), &w->takes, e))
		return false;
	if (time != NULL && (duration_parse(time, &w->for_ms) != 0 || w->for_ms > FOR_MAX_MS)) {
		error_set(e, ERROR_STATE_VALUE, 0, "--for: '%s' is not a time of up to a year", time);
		return false;
	}
	return true;
}

/* NULL: CONFIG knows each name. */
static const char *stranger(const struct config *config, const struct wish *w)
{
	if (w->scenario.name != NULL && !simulate_knows(config, w->scenario.name))
		return w->scenario.name;
	for (size_t i = 0; i < w->takes.n; i++)
		if (!simulate_knows(config, w->takes.items[i].name))
			return w->takes.items[i].name;
	return NULL;
}

static int run(const struct cli_options *o, const struct wish *w)
{
	const char *scenario = cli_value(o, "scenario");
	auto_free(error_fini) struct error e = ERROR_INIT;
	auto_free(json_decrefp) json_t *result = NULL;
	struct config *config = NULL;
	int rc = verb_load_config(o, &config);
	bool ok;

	if (rc != 0)
		return rc;
	if (stranger(config, w) != NULL) {
		error_set(&e, ERROR_SUBSYSTEM_NOT_FOUND, 0, "no subsystem '%s'",
			  stranger(config, w));
		config_free(config);
		return cli_fail(o, EXIT_NOT_FOUND, RPC_INVALID_PARAMS, &e, NULL);
	}
	result = simulate(config, &w->scenario, &w->takes, w->for_ms * NS_PER_MS);
	ok = json_is_true(json_object_get(result, "ok"));
	json_object_set_new(result, "scenario", json_text(scenario ? scenario : "start"));
	rc = o->json ? cli_print_json(json_incref(result)) : print_result(o, result);
	return rc != 0 ? rc : ok ? EXIT_OK : EXIT_FAILED;
}

int verb_simulate(const struct cli_options *o)
{
	auto_free(error_fini) struct error e = ERROR_INIT;
	struct wish w = { .takes = TAKES_INIT };
	int rc = wish_parse(o, &w, &e) ? run(o, &w) : cli_fail_usage(o, "%s", e.message);

	wish_fini(&w);
	return rc;
}
