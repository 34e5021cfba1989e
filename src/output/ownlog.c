/* Hand-written formatting into given memory: captured lines come by the million. Escapes that reach
 * a terminal from a child are limited to colours; everything else is made harmless there. Files get
 * the bytes as they are. */
#include "output/ownlog.h"

#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "output/lines.h"

#define QUEUE_MAX (1024u * 1024)
#define NAME_WIDTH_MAX 32

static const char *const level_colors[LOG_NLEVELS] = { "\033[2m", "\033[2m", "", "\033[33m",
						       "\033[1;31m" };
static const char *const name_colors[] = { "\033[36m", "\033[32m", "\033[35m",
					   "\033[34m", "\033[96m", "\033[92m" };

void ownlog_init(struct ownlog *log, struct target *fallback)
{
	*log = (struct ownlog){ .fallback = fallback, .queue = STRBUF_INIT, .stamp_sec = -1 };
}

void ownlog_fini(struct ownlog *log)
{
	target_unref(log->target);
	target_unref(log->fallback);
	log->target = log->fallback = NULL;
	strbuf_fini(&log->queue);
}

static bool wants_color(bool configured)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return configured && (no_color == NULL || *no_color == '\0') &&
	       (term == NULL || strcmp(term, "dumb") != 0);
}

void ownlog_set_target(struct ownlog *log, struct target *target, bool json, bool color)
{
	target_unref(log->target);
	log->target = target;
	log->style = json ? OWNLOG_JSON : target->terminal ? OWNLOG_TERMINAL : OWNLOG_TEXT;
	log->color = log->style == OWNLOG_TERMINAL && wants_color(color);
	log->stamp_sec = -1;
}

/* --- pieces: each appends at P and returns the new end -------------------------------------- */

static char *put(char *p, const char *s, size_t n)
{
	memcpy(p, s, n);
	return p + n;
}

static char *put_text(char *p, const char *s)
{
	return put(p, s, strlen(s));
}

static char *put_number(char *p, unsigned long n)
{
	char digits[24];
	size_t i = sizeof digits;

	do
		digits[--i] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	return put(p, digits + i, sizeof digits - i);
}

/* The second is formatted once, the milliseconds each time. */
static char *put_stamp(struct ownlog *log, char *p, int64_t real_ns)
{
	int64_t sec = real_ns / NS_PER_SEC;
	unsigned ms = (unsigned)(real_ns / NS_PER_MS % 1000);

	if (sec != log->stamp_sec) {
		time_t t = (time_t)sec;
		struct tm tm;

		if (log->style == OWNLOG_TERMINAL) {
			localtime_r(&t, &tm);
			strftime(log->stamp, sizeof log->stamp, "%H:%M:%S.", &tm);
		} else {
			gmtime_r(&t, &tm);
			strftime(log->stamp, sizeof log->stamp, "%Y-%m-%dT%H:%M:%S.", &tm);
		}
		log->stamp_sec = sec;
	}
	p = put_text(p, log->stamp);
	*p++ = (char)('0' + ms / 100);
	*p++ = (char)('0' + ms / 10 % 10);
	*p++ = (char)('0' + ms % 10);
	if (log->style != OWNLOG_TERMINAL)
		*p++ = 'Z';
	return p;
}

/* Length of the valid UTF-8 sequence at S, 0 when there is none. */
static size_t utf8_length(const char *s, size_t n)
{
	unsigned char c = (unsigned char)*s;
	size_t len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

	return len > 0 && len <= n && (len == 1 || utf8_valid(s, len)) ? len : 0;
}

static char *put_json(char *p, const char *s, size_t n)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < n;) {
		unsigned char c = (unsigned char)s[i];
		size_t len = utf8_length(s + i, n - i);

		if (len > 1) {
			p = put(p, s + i, len);
			i += len;
			continue;
		}
		i++;
		if (len == 0) {
			p = put(p, "\\ufffd", 6);
		} else if (c == '"' || c == '\\') {
			*p++ = '\\';
			*p++ = (char)c;
		} else if (c == '\t') {
			p = put(p, "\\t", 2);
		} else if (c == '\n') {
			p = put(p, "\\n", 2);
		} else if (c < 0x20 || c == 0x7f) {
			p = put(p, "\\u00", 4);
			*p++ = hex[c >> 4];
			*p++ = hex[c & 15];
		} else {
			*p++ = (char)c;
		}
	}
	return p;
}

/* ESC [ digits ; ... m at S: its length, else 0. */
static size_t color_length(const char *s, size_t n)
{
	size_t i = 2;

	if (n < 3 || s[0] != '\033' || s[1] != '[')
		return 0;
	while (i < n && i < 24 && ((s[i] >= '0' && s[i] <= '9') || s[i] == ';'))
		i++;
	return i < n && s[i] == 'm' ? i + 1 : 0;
}

/* One character for a terminal: as it is, or as \xNN. */
static char *put_visible(char *p, const char *s, size_t len)
{
	struct strbuf escaped = STRBUF_INIT;

	if (len == 1 && ((*s >= 0x20 && *s < 0x7f) || *s == '\t')) {
		*p++ = *s;
		return p;
	}
	terminal_escape(s, len, &escaped);
	p = put(p, escaped.buf, MIN(escaped.len, 6 * len));
	strbuf_fini(&escaped);
	return p;
}

static char *put_terminal(struct ownlog *log, char *p, const char *s, size_t n)
{
	bool colored = false;

	if (n > 0 && s[n - 1] == '\r')
		n--;
	for (size_t i = 0; i < n;) {
		size_t color = color_length(s + i, n - i), len = MAX(utf8_length(s + i, n - i), 1u);

		if (color > 0) {
			if (log->color)
				p = put(p, s + i, color);
			colored = log->color;
			i += color;
			continue;
		}
		p = put_visible(p, s + i, len);
		i += len;
	}
	return colored ? put_text(p, "\033[0m") : p;
}

static char *put_colored(struct ownlog *log, char *p, const char *color, const char *s, size_t n)
{
	if (!log->color || *color == '\0')
		return put(p, s, n);
	p = put_text(p, color);
	p = put(p, s, n);
	return put_text(p, "\033[0m");
}

/* "web[4242]", padded to the widest so far. */
static char *put_column(struct ownlog *log, char *p, const char *name, int pid)
{
	char label[NAME_CAP + 16], *end = put_text(label, name);
	unsigned hash = 0;

	for (const char *c = name; *c != '\0'; c++)
		hash = hash * 31 + (unsigned char)*c;
	if (pid > 0) {
		*end++ = '[';
		end = put_number(end, (unsigned long)pid);
		*end++ = ']';
	}
	size_t len = (size_t)(end - label);

	log->name_width = MIN(MAX(log->name_width, len), (size_t)NAME_WIDTH_MAX);
	p = put_colored(log, p, name_colors[hash % ARRAY_LEN(name_colors)], label, len);
	for (; len < log->name_width; len++)
		*p++ = ' ';
	return p;
}

/* --- captured lines -------------------------------------------------------------------------- */

static char *captured_json(struct ownlog *log, char *p, const struct captured *c)
{
	p = put_text(p, "{\"ts\":\"");
	p = put_stamp(log, p, c->real_ns);
	p = put_text(p, "\",\"level\":\"info\",\"subsystem\":\"");
	p = put_json(p, c->name, strlen(c->name));
	p = put_text(p, "\",\"pid\":");
	p = c->pid > 0 ? put_number(p, (unsigned long)c->pid) : put_text(p, "null");
	p = put_text(p, c->is_stderr ? ",\"stream\":\"stderr\"" : ",\"stream\":\"stdout\"");
	if (c->continued)
		p = put_text(p, ",\"partial\":true");
	p = put_text(p, ",\"msg\":\"");
	p = put_json(p, c->text, c->len);
	return put_text(p, "\"}");
}

static char *captured_text(struct ownlog *log, char *p, const struct captured *c)
{
	p = put_stamp(log, p, c->real_ns);
	p = put_text(p, c->is_stderr ? " err   " : " out   ");
	p = put_text(p, c->name);
	if (c->pid > 0) {
		*p++ = '[';
		p = put_number(p, (unsigned long)c->pid);
		*p++ = ']';
	}
	*p++ = ' ';
	return put(p, c->text, c->len);
}

static char *captured_terminal(struct ownlog *log, char *p, const struct captured *c)
{
	char *begin = p;

	p = put_stamp(log, p, c->real_ns);
	if (log->color) {
		memmove(begin + 4, begin, (size_t)(p - begin));
		memcpy(begin, "\033[2m", 4);
		p = put_text(p + 4, "\033[0m");
	}
	*p++ = ' ';
	p = put_column(log, p, c->name, c->pid);
	p = put_colored(log, p, c->is_stderr ? "\033[31m" : "\033[2m", " | ", 3);
	return put_terminal(log, p, c->text, c->len);
}

size_t ownlog_captured(struct ownlog *log, char *out, const struct captured *c)
{
	static char *(*const format[])(struct ownlog *, char *, const struct captured *) = {
		[OWNLOG_TEXT] = captured_text,
		[OWNLOG_TERMINAL] = captured_terminal,
		[OWNLOG_JSON] = captured_json,
	};
	char *p = format[log->style](log, out, c);

	if (c->continued && log->style != OWNLOG_JSON)
		p = put_text(p, LINES_MARK);
	*p++ = '\n';
	return (size_t)(p - out);
}

/* --- procd's own messages -------------------------------------------------------------------- */

/* Further lines of one message are set off, so that no line looks like a message of its own. */
static char *put_message(char *p, const char *message)
{
	for (; *message != '\0'; message++) {
		*p++ = *message;
		if (*message == '\n')
			p = put(p, "  ", 2);
	}
	return p;
}

static char *message_json(struct ownlog *log, char *p, enum log_level level, const char *subsystem,
			  int64_t real_ns, const char *message)
{
	p = put_text(p, "{\"ts\":\"");
	p = put_stamp(log, p, real_ns);
	p = put_text(p, "\",\"level\":\"");
	p = put_text(p, enumtext_name(&log_level_text, (int)level));
	if (subsystem != NULL) {
		p = put_text(p, "\",\"subsystem\":\"");
		p = put_json(p, subsystem, strlen(subsystem));
	}
	p = put_text(p, "\",\"msg\":\"");
	p = put_json(p, message, strlen(message));
	return put_text(p, "\"}");
}

static char *put_level(char *p, enum log_level level)
{
	const char *name = enumtext_name(&log_level_text, (int)level);
	size_t len = strlen(name);

	p = put(p, name, len);
	return put(p, "      ", len < 6 ? 6 - len : 1);
}

static char *message_text(struct ownlog *log, char *p, enum log_level level, const char *subsystem,
			  int64_t real_ns, const char *message)
{
	p = put_stamp(log, p, real_ns);
	*p++ = ' ';
	p = put_level(p, level);
	if (subsystem != NULL) {
		p = put_text(p, subsystem);
		p = put(p, ": ", 2);
	}
	return put_message(p, message);
}

static char *message_terminal(struct ownlog *log, char *p, enum log_level level,
			      const char *subsystem, int64_t real_ns, const char *message)
{
	p = put_stamp(log, p, real_ns);
	*p++ = ' ';
	p = put_column(log, p, subsystem != NULL ? subsystem : "procd", 0);
	*p++ = ' ';
	if (log->color)
		p = put_text(p, level_colors[level]);
	p = put_level(p, level);
	p = put_message(p, message);
	return log->color ? put_text(p, "\033[0m") : p;
}

void ownlog_message(struct ownlog *log, enum log_level level, const char *subsystem,
		    int64_t real_ns, const char *message)
{
	static char *(*const format[])(struct ownlog *, char *, enum log_level, const char *,
				       int64_t, const char *) = {
		[OWNLOG_TEXT] = message_text,
		[OWNLOG_TERMINAL] = message_terminal,
		[OWNLOG_JSON] = message_json,
	};
	size_t room = OWNLOG_ROOM(strlen(message) + (subsystem != NULL ? strlen(subsystem) : 0));

	if (log->queue.len + room > QUEUE_MAX && log->queue.len > 0) {
		log->lost++;
		return;
	}
	strbuf_reserve(&log->queue, room);
	char *begin = log->queue.buf + log->queue.len;
	char *p = format[log->style](log, begin, level, subsystem, real_ns, message);

	*p++ = '\n';
	log->queue.len += (size_t)(p - begin);
	log->queue.buf[log->queue.len] = '\0';
}

static int flush_to(struct ownlog *log, struct target *target)
{
	while (log->queue.len > 0) {
		ssize_t n = target_prepare(target, log->queue.buf, log->queue.len);

		if (n >= 0)
			n = target_write(target, log->queue.buf, (size_t)n);
		if (n < 0)
			return (int)n;
		strbuf_consume(&log->queue, (size_t)n);
	}
	return 0;
}

int ownlog_flush(struct ownlog *log)
{
	if (log->queue.len == 0)
		return 0;
	if (log->lost > 0 && log->queue.len < QUEUE_MAX / 2) {
		char text[64];

		snprintf(text, sizeof text, "... %llu messages lost", (unsigned long long)log->lost);
		log->lost = 0;
		ownlog_message(log, LOG_WARN, NULL, clock_real_ns(), text);
	}
	int err = flush_to(log, log->target);

	/* A log file that fails: procd's own messages, which say so, must reach somebody. */
	if (err < 0 && log->target->err != 0 && log->target != log->fallback)
		err = flush_to(log, log->fallback);
	if (err < 0 && log->fallback->err != 0 && log->target->err != 0) {
		strbuf_reset(&log->queue);	/* nobody listens */
		err = 0;
	}
	return err;
}
