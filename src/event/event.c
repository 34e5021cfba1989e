/* What can happen, as text tables, and the general way of sending it: jansson, cut to a size that
 * the ring can take. The one frequent kind has a way of its own in event_state.c. */
#include "event/event.h"

#include "base/clock.h"

/* Names are many but short, issues are long: the list of those who still run may be longer. */
#define EVENT_BYTES_MAX (8u * 1024)
#define PROGRESS_BYTES_MAX (16u * 1024 - 256)
#define TEXT_KEPT_MAX 1024u	/* bytes of one string in an event that is too long */
#define SHRINK_DEPTH_MAX 8

ENUMTEXT(event_kind, "event type",
	 [EVENT_STATE_CHANGED] = "state_changed",
	 [EVENT_SUBSYSTEM_ADDED] = "subsystem_added",
	 [EVENT_SUBSYSTEM_REMOVED] = "subsystem_removed",
	 [EVENT_READY_CHANGED] = "ready_changed",
	 [EVENT_HEALTH_CHANGED] = "health_changed",
	 [EVENT_CONFIG_RELOADED] = "config_reloaded",
	 [EVENT_CONFIG_REJECTED] = "config_rejected",
	 [EVENT_SHUTDOWN_STARTED] = "shutdown_started",
	 [EVENT_SHUTDOWN_PROGRESS] = "shutdown_progress",
	 [EVENT_RESOURCE_ALERT] = "resource_alert",
	 [EVENT_SUPERVISOR_RECOVERED] = "supervisor_recovered",
	 [EVENT_SPAWN_DEFERRED] = "spawn_deferred",
	 [EVENT_RUN_SKIPPED] = "run_skipped",
	 [EVENT_OVERLAP] = "overlap");
_Static_assert(ARRAY_LEN(event_kind_names) == EVENT_COUNT, "a kind of event without a name");

ENUMTEXT(subsystem_state, "state",
	 [STATE_STOPPED] = "stopped",
	 [STATE_STARTING] = "starting",
	 [STATE_RUNNING] = "running",
	 [STATE_STOPPING] = "stopping",
	 [STATE_FAILED] = "failed",
	 [STATE_RESTARTING] = "restarting");
_Static_assert(ARRAY_LEN(subsystem_state_names) == STATE_NSTATES, "a state without a name");

ENUMTEXT(reason, "reason",
	 [REASON_EXIT] = "exit",
	 [REASON_SIGNAL] = "signal",
	 [REASON_START] = "start",
	 [REASON_HEALTH] = "health",
	 [REASON_WATCHDOG] = "watchdog",
	 [REASON_START_TIMEOUT] = "start_timeout",
	 [REASON_REQUEST] = "request",
	 [REASON_DEPENDENCY] = "dependency",
	 [REASON_RELOAD] = "reload",
	 [REASON_SHUTDOWN] = "shutdown",
	 [REASON_MEMORY] = "memory",
	 [REASON_SCHEDULE] = "schedule",
	 [REASON_ADOPTED] = "adopted",
	 [REASON_WATCH] = "watch",
	 [REASON_HOOK] = "hook",
	 [REASON_SOCKET] = "socket",
	 [REASON_IDLE] = "idle",
	 [REASON_ON_FAILURE] = "on_failure");
_Static_assert(ARRAY_LEN(reason_names) == REASON_COUNT, "a reason without a name");

/* --- shrinking ------------------------------------------------------------------------------ */

static size_t dumped_size(const json_t *j)
{
	return json_dumpb(j, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
}

/* Cut at a character's border. */
static void clip_text(json_t *text)
{
	const char *s = json_string_value(text);
	size_t n = json_string_length(text);

	if (n <= TEXT_KEPT_MAX)
		return;
	n = TEXT_KEPT_MAX;
	while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	json_string_setn_nocheck(text, s, n);
}

static void clip_texts(json_t *j, int depth)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_string(j))
		clip_text(j);
	if (depth == 0)
		return;
	if (json_is_array(j))
		json_array_foreach(j, i, value)
			clip_texts(value, depth - 1);
	if (json_is_object(j))
		json_object_foreach(j, key, value)
			clip_texts(value, depth - 1);
}

/* Drop items from the end of ARRAY until at least EXCESS bytes are saved or it is empty. */
static void shorten(json_t *array, size_t excess)
{
	size_t saved = 0;

	while (saved < excess && json_array_size(array) > 0) {
		size_t last = json_array_size(array) - 1;

		saved += dumped_size(json_array_get(array, last)) + 1;
		json_array_remove(array, last);
	}
}

static json_t *longest_array(json_t *object)
{
	json_t *value, *longest = NULL;
	size_t size, longest_size = sizeof("[]") - 1;
	const char *key;

	json_object_foreach(object, key, value) {
		size = json_is_array(value) ? dumped_size(value) : 0;
		if (size > longest_size) {
			longest_size = size;
			longest = value;
		}
	}
	return longest;
}

/* Make EVENT fit into MAX bytes and say so in it. Its scalars alone always fit: they are ours. */
static void shrink(json_t *event, size_t max)
{
	json_t *array;

	if (dumped_size(event) <= max)
		return;
	json_object_set_new(event, "truncated", json_true());
	clip_texts(event, SHRINK_DEPTH_MAX);
	while (dumped_size(event) > max && (array = longest_array(event)) != NULL)
		shorten(array, dumped_size(event) - max);
}

/* --- sending -------------------------------------------------------------------------------- */

uint64_t event_send(struct chan *chan, enum event_kind kind, json_t *fields)
{
	auto_free(json_decrefp) json_t *rest = fields;
	auto_free(json_decrefp) json_t *event = json_object();
	auto_free(strbuf_fini) struct strbuf at = STRBUF_INIT;
	auto_free(strbuf_fini) struct strbuf body = STRBUF_INIT;

	clock_format_rfc3339(clock_real_ns(), &at);
	json_object_set_new(event, "type", json_string(enumtext_name(&event_kind_text, kind)));
	json_object_set_new(event, "at", json_string(at.buf));
	json_object_set_new(event, "at_mono_ns", json_integer(clock_mono_ns()));
	if (rest != NULL)
		json_object_update_missing(event, rest);
	shrink(event, kind == EVENT_SHUTDOWN_PROGRESS ? PROGRESS_BYTES_MAX : EVENT_BYTES_MAX);
	json_dump(event, &body);
	return chan_send(chan, body.buf, body.len);
}

/* --- the reader's side ---------------------------------------------------------------------- */

void event_line(uint64_t seq, const char *body, size_t len, struct strbuf *out)
{
	static const char start[] = "{\"type\":\"";
	const char *quote = NULL;
	size_t head;

	if (len > sizeof(start) - 1 && memcmp(body, start, sizeof(start) - 1) == 0)
		quote = memchr(body + sizeof(start) - 1, '"', len - (sizeof(start) - 1));
	BUG_ON(quote == NULL);
	head = (size_t)(quote + 1 - body);
	strbuf_reserve(out, len + sizeof(",\"seq\":18446744073709551615"));
	strbuf_add(out, body, head);
	strbuf_addf(out, ",\"seq\":%llu", (unsigned long long)seq);
	strbuf_add(out, body + head, len - head);
}

void event_gap_line(uint64_t lost, struct strbuf *out)
{
	strbuf_addf(out, "{\"type\":\"gap\",\"lost\":%llu}", (unsigned long long)lost);
}
