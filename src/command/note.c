/* First what holds it up or is wrong, then how it ended, when it comes back, and last what it says
 * itself. */
#include "command/note.h"

static const struct {
	const char *state;
	enum tint tint;
} state_tints[] = {
	{ "\"running\"", TINT_GREEN }, { "\"starting\"", TINT_YELLOW },
	{ "\"stopping\"", TINT_YELLOW }, { "\"restarting\"", TINT_YELLOW },
	{ "\"failed\"", TINT_RED }, { "\"stopped\"", TINT_DIM },
};

enum tint state_tint(struct span state)
{
	for (size_t i = 0; i < ARRAY_LEN(state_tints); i++)
		if (span_is(state, state_tints[i].state))
			return state_tints[i].tint;
	return TINT_NONE;
}

static void add_comma(struct strbuf *out, size_t from)
{
	if (out->len > from)
		strbuf_addstr(out, ", ");
}

/* PREFIX and the string V; nothing when there is none. */
static bool add_text(struct strbuf *out, size_t from, const char *prefix, struct span v)
{
	if (!view_has(v))
		return false;
	add_comma(out, from);
	strbuf_addstr(out, prefix);
	return span_string(v, out);
}

/* PREFIX and the strings of the array V. */
static bool add_list(struct strbuf *out, size_t from, const char *prefix, struct span v)
{
	struct span item;
	bool any = false;
	struct scan s;

	if (!view_has(v))
		return false;
	s = scan_text(v.s, v.n);
	if (!scan_enter(&s, '['))
		return false;
	while (scan_element(&s) && scan_value(&s, &item)) {
		add_comma(out, from);
		if (!any)
			strbuf_addstr(out, prefix);
		span_string(item, out);
		any = true;
	}
	return any;
}

/* How the last run ended. */
static bool add_end(struct strbuf *out, size_t from, const char *prefix, const struct view *v)
{
	if (add_text(out, from, prefix, v->last_error) || add_text(out, from, prefix, v->signal))
		return true;
	if (!view_has(v->exit_code))
		return false;
	add_comma(out, from);
	strbuf_addf(out, "%sexit %.*s", prefix, (int)v->exit_code.n, v->exit_code.s);
	return !span_is(v->exit_code, "0");
}

static bool add_health(struct strbuf *out, size_t from, const struct view *v)
{
	if (!span_is(v->health, "\"unhealthy\""))
		return false;
	add_comma(out, from);
	strbuf_addstr(out, "unhealthy");
	if (view_has(v->health_detail)) {
		strbuf_addstr(out, ": ");
		span_string(v->health_detail, out);
	}
	return true;
}

/* "2026-11-22T20:21:07.123456789Z" up to the seconds. */
static void add_next_run(struct strbuf *out, size_t from, struct span at)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	if (!view_has(at) || !span_string(at, &text))
		return;
	add_comma(out, from);
	strbuf_addf(out, "next run %.19sZ", text.buf);
}

static void add_next_restart(struct strbuf *out, size_t from, struct span in_ms)
{
	int64_t ms;

	if (!span_int(in_ms, &ms))
		return;
	add_comma(out, from);
	strbuf_addf(out, "restart in %lld.%01llds", (long long)(ms / 1000),
		    (long long)(ms % 1000 / 100));
}

enum tint note_format(const struct view *v, struct strbuf *out)
{
	bool running = span_is(v->state, "\"running\""), waits, bad = false;
	size_t from = out->len;

	bad |= add_health(out, from, v);
	waits = add_list(out, from, "waits for ", v->waits_for);
	waits |= add_text(out, from, "waits for ", v->awaits);
	waits |= add_text(out, from, "runs ", v->doing);
	if (!running && !waits)
		bad |= add_end(out, from, "", v);
	add_next_restart(out, from, v->next_restart_ms);
	add_next_run(out, from, v->next_run_at);
	if (span_is(v->gave_up, "true")) {
		add_comma(out, from);
		strbuf_addstr(out, "gave up");
		bad = true;
	}
	waits |= add_list(out, from, "degraded: ", v->degraded);
	add_text(out, from, "", v->status_text);
	if (running && out->len == from && !span_is(v->exit_code, "0"))
		add_end(out, from, "before: ", v);
	return bad ? TINT_RED : waits ? TINT_YELLOW : TINT_NONE;
}
