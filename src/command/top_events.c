/* Events as a person reads them: time of day, who, what, and the members that are left. */
#include <time.h>

#include "command/top.h"

/* "2026-11-22T20:21:07.123456789Z" as the local time of day. */
static void add_time(struct span at, struct strbuf *out)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	struct tm tm = { 0 };
	char local[16];
	time_t when;

	if (!span_string(at, &text) || !strptime(text.buf, "%Y-%m-%dT%H:%M:%S", &tm))
		return;
	when = timegm(&tm);
	localtime_r(&when, &tm);
	strftime(local, sizeof(local), "%H:%M:%S ", &tm);
	strbuf_addstr(out, local);
}

static bool is_told_apart(struct span key)
{
	static const char *const keys[] = {
		"type", "seq", "at", "at_mono_ns", "id", "name", "state", "prev", "stderr_tail",
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (span_is(key, keys[i]))
			return true;
	return false;
}

static void add_value(struct span key, struct span value, struct strbuf *out)
{
	strbuf_addf(out, " %.*s=", (int)key.n, key.s);
	if (!span_string(value, out))
		strbuf_add(out, value.s, value.n);
}

void event_words(struct span event, struct strbuf *out)
{
	auto_free(strbuf_fini) struct strbuf rest = STRBUF_INIT;
	struct span type = { 0 }, at = { 0 }, name = { 0 }, state = { 0 }, prev = { 0 }, key, value;
	struct scan s = scan_text(event.s, event.n);

	if (!scan_enter(&s, '{'))
		return;
	while (scan_key(&s, &key) && scan_value(&s, &value)) {
		struct span *place = span_is(key, "type") ? &type : span_is(key, "at") ? &at :
			span_is(key, "name") ? &name : span_is(key, "state") ? &state :
			span_is(key, "prev") ? &prev : NULL;

		if (place)
			*place = value;
		else if (!is_told_apart(key) && !span_is(value, "null"))
			add_value(key, value, &rest);
	}
	add_time(at, out);
	if (name.n > 0 && span_string(name, out))
		strbuf_addch(out, ' ');
	if (state.n > 0 && prev.n > 0) {
		span_string(state, out);
		strbuf_addstr(out, " (was ");
		span_string(prev, out);
		strbuf_addch(out, ')');
	} else {
		span_string(type, out);
	}
	strbuf_add(out, rest.buf, rest.len);
}
