/* What every restart tells, the hot path: JSON by hand into a buffer on the stack, well under a
 * microsecond, no allocation. The calendar part of "at" is formatted once a second and kept per
 * thread.
 *
 * The buffer cannot overflow: the length of a name is bounded, the other texts are cut, and what is
 * put in goes through put_bytes(), which asserts it. */
#include "base/clock.h"
#include "base/error.h"
#include "base/signame.h"
#include "base/text.h"
#include "event/event.h"

#define BODY_MAX 6144
#define MESSAGE_MAX 2048	/* escaped bytes of an error message */
#define NAME_MAX_ESCAPED (NAME_CAP * 6)
#define TAIL_MAX 1536		/* escaped bytes of what it wrote last */
#define TOKEN_MAX 64		/* stage, errno and signal names */
#define AT_MAX 40

struct writer {
	size_t len;
	char buf[BODY_MAX];
};

static void put_bytes(struct writer *w, const char *bytes, size_t n)
{
	BUG_ON(n > BODY_MAX - w->len);
	memcpy(w->buf + w->len, bytes, n);
	w->len += n;
}

#define put_literal(w, text) put_bytes((w), "" text, sizeof(text) - 1)

static void put_str(struct writer *w, const char *s)
{
	put_bytes(w, s, strlen(s));
}

static void put_uint(struct writer *w, uint64_t n)
{
	char digits[20];
	size_t i = sizeof(digits);

	do
		digits[--i] = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	put_bytes(w, digits + i, sizeof(digits) - i);
}

static void put_int(struct writer *w, int64_t n)
{
	if (n < 0)
		put_literal(w, "-");
	put_uint(w, n < 0 ? -(uint64_t)n : (uint64_t)n);
}

/* N, or null when it is NONE. */
static void put_int_or_null(struct writer *w, int64_t n, int64_t none)
{
	if (n == none)
		put_literal(w, "null");
	else
		put_int(w, n);
}

/* One character that cannot be copied as it is; returns how many bytes of S it took. */
static size_t put_special(struct writer *w, const unsigned char *s)
{
	static const char hex[] = "0123456789abcdef";
	uint32_t code;
	size_t n;

	if (*s == '"' || *s == '\\') {
		char escaped[2] = { '\\', (char)*s };

		put_bytes(w, escaped, sizeof(escaped));
		return 1;
	}
	if (*s < 0x20) {
		char escaped[6] = { '\\', 'u', '0', '0', hex[*s >> 4], hex[*s & 15] };

		put_bytes(w, escaped, sizeof(escaped));
		return 1;
	}
	n = utf8_decode((const char *)s, strnlen((const char *)s, 4), &code);
	if (n == 0) {
		put_literal(w, "\xef\xbf\xbd");
		return 1;
	}
	put_bytes(w, (const char *)s, n);
	return n;
}

/* TEXT as a JSON string of at most MAX bytes between the quotes; it ends early rather than in the
 * middle of a character. */
static void put_text(struct writer *w, const char *text, size_t max)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t end = w->len + 1 + max - 6;	/* the longest escape */

	put_literal(w, "\"");
	while (*s != '\0' && w->len <= end) {
		if (*s >= 0x20 && *s < 0x80 && *s != '"' && *s != '\\') {
			BUG_ON(w->len == BODY_MAX);
			w->buf[w->len++] = (char)*s++;
			continue;
		}
		s += put_special(w, s);
	}
	put_literal(w, "\"");
}

/* The date of a second does not change, so it is made once; the nine digits are put in by hand. */
static void put_time(struct writer *w, int64_t real_ns)
{
	static _Thread_local int64_t cached_sec = INT64_MIN;
	static _Thread_local char cached[AT_MAX];
	static _Thread_local size_t cached_len;	/* up to and with the point */
	int64_t ns = real_ns % NS_PER_SEC;
	int64_t sec = real_ns / NS_PER_SEC;
	char digits[10];

	if (ns < 0) {
		ns += NS_PER_SEC;
		sec--;
	}
	if (sec != cached_sec) {
		auto_free(strbuf_fini) struct strbuf at = STRBUF_INIT;
		const char *point;

		clock_format_rfc3339(sec * NS_PER_SEC, &at);
		point = strchr(at.buf, '.');
		BUG_ON(point == NULL || point - at.buf >= AT_MAX - 1);
		cached_len = (size_t)(point - at.buf) + 1;
		memcpy(cached, at.buf, cached_len);
		cached_sec = sec;
	}
	for (int i = 8; i >= 0; i--, ns /= 10)
		digits[i] = (char)('0' + ns % 10);
	digits[9] = 'Z';
	put_bytes(w, cached, cached_len);
	put_bytes(w, digits, sizeof(digits));
}

/* Members that are absent when there is nothing to tell. */
static void put_exceptions(struct writer *w, const struct state_event *e)
{
	if (e->gave_up)
		put_literal(w, ",\"gave_up\":true");
	if (e->killed)
		put_literal(w, ",\"killed\":true");
	if (e->core_dumped == 0)
		put_literal(w, ",\"core_dumped\":false");
	if (e->core_dumped > 0)
		put_literal(w, ",\"core_dumped\":true");
	if (e->stderr_tail != NULL) {
		put_literal(w, ",\"stderr_tail\":");
		put_text(w, e->stderr_tail, TAIL_MAX);
	}
	if (e->cause != NULL) {
		put_literal(w, ",\"cause\":");
		put_text(w, e->cause, NAME_MAX_ESCAPED);
	}
	if (e->error_stage == NULL)
		return;
	put_literal(w, ",\"error\":{\"stage\":");
	put_text(w, e->error_stage, TOKEN_MAX);
	put_literal(w, ",\"errno\":");
	if (e->error_errno != 0)
		put_text(w, errno_name(e->error_errno), TOKEN_MAX);
	else
		put_literal(w, "null");
	put_literal(w, ",\"message\":");
	put_text(w, e->error_message != NULL ? e->error_message : "", MESSAGE_MAX);
	put_literal(w, "}");
}

uint64_t event_state_changed(struct chan *chan, const struct state_event *e)
{
	struct writer w;

	w.len = 0;
	put_literal(&w, "{\"type\":\"state_changed\",\"id\":");
	put_uint(&w, e->id);
	put_literal(&w, ",\"name\":");
	put_text(&w, e->name, NAME_MAX_ESCAPED);
	put_literal(&w, ",\"state\":\"");
	put_str(&w, enumtext_name(&subsystem_state_text, (int)e->state));
	put_literal(&w, "\",\"prev\":\"");
	put_str(&w, enumtext_name(&subsystem_state_text, (int)e->prev));
	put_literal(&w, "\",\"at\":\"");
	put_time(&w, e->at_real_ns);
	put_literal(&w, "\",\"at_mono_ns\":");
	put_int(&w, e->at_mono_ns);
	put_literal(&w, ",\"pid\":");
	put_int_or_null(&w, e->pid, 0);
	put_literal(&w, ",\"exit_code\":");
	put_int_or_null(&w, e->exit_code, -1);
	put_literal(&w, ",\"signal\":");
	if (e->signal != 0)
		put_text(&w, signame(e->signal), TOKEN_MAX);
	else
		put_literal(&w, "null");
	put_literal(&w, ",\"reason\":\"");
	put_str(&w, enumtext_name(&reason_text, (int)e->reason));
	put_literal(&w, "\",\"restart_count\":");
	put_uint(&w, e->restart_count);
	put_literal(&w, ",\"next_restart_ms\":");
	put_int_or_null(&w, e->next_restart_ms, -1);
	put_exceptions(&w, e);
	put_literal(&w, "}");
	return chan_send(chan, w.buf, w.len);
}

uint64_t event_ready_changed(struct chan *chan, const struct ready_event *e)
{
	struct writer w;

	w.len = 0;
	put_literal(&w, "{\"type\":\"ready_changed\",\"at\":\"");
	put_time(&w, clock_real_ns());
	put_literal(&w, "\",\"at_mono_ns\":");
	put_int(&w, clock_mono_ns());
	put_literal(&w, ",\"id\":");
	put_uint(&w, e->id);
	put_literal(&w, ",\"name\":");
	put_text(&w, e->name, NAME_MAX_ESCAPED);
	put_literal(&w, ",\"ready\":");
	put_str(&w, e->ready ? "true" : "false");
	put_literal(&w, ",\"reason\":\"");
	put_str(&w, enumtext_name(&reason_text, (int)e->reason));
	put_literal(&w, "\"}");
	return chan_send(chan, w.buf, w.len);
}
