/* Escapes that reach a terminal from a child are limited to colours; everything else is made
 * harmless there. Files get the bytes as they are. */
#include "output/ownlog.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "config.h"
#include "output/lines.h"

#define QUEUE_MAX (1024u * 1024)
#define NAME_WIDTH_MAX 24

static const char *const level_colors[LOG_NLEVELS] = { "\033[2m", "\033[2m", "", "\033[33m",
						       "\033[1;31m" };
static const char *const name_colors[] = { "\033[36m", "\033[32m", "\033[35m",
					   "\033[34m", "\033[96m", "\033[92m" };

static const enum stamp_form stamp_forms[] = {
	[OWNLOG_TEXT] = STAMP_UTC, [OWNLOG_JSON] = STAMP_UTC,
	[OWNLOG_TERMINAL] = STAMP_LOCAL, [OWNLOG_SYSLOG] = STAMP_SYSLOG,
	[OWNLOG_JOURNAL] = STAMP_UTC,	/* not used */
};

void ownlog_init(struct ownlog *log, struct target *fallback)
{
	*log = (struct ownlog){ .fallback = fallback, .queue = STRBUF_INIT,
				.stamp = STAMP(STAMP_UTC) };
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

void ownlog_set_target(struct ownlog *log, struct target *target, bool json, bool color,
		       size_t name_width)
{
	if (log->target != NULL)
		(void)ownlog_flush(log);	/* what is queued has the old style */
	target_unref(log->target);
	log->target = target;
	log->style = target->kind == TARGET_DAEMON ? OWNLOG_SYSLOG : json ? OWNLOG_JSON :
		     WITH_CONSOLE && target->terminal ? OWNLOG_TERMINAL : OWNLOG_TEXT;
	if (log->style == OWNLOG_TEXT && target->journal)
		log->style = OWNLOG_JOURNAL;
	log->severity = log->style == OWNLOG_JSON && target->journal;
	log->color = log->style == OWNLOG_TERMINAL && wants_color(color);
	log->stamp = (struct stamp)STAMP(stamp_forms[log->style]);
	log->name_width = MIN(MAX(name_width, strlen("procd")), (size_t)NAME_WIDTH_MAX);
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
		size_t color = color_length(s + i, n - i), len;
		uint32_t code;

		if (color > 0) {
			if (log->color)
				p = put(p, s + i, color);
			colored = log->color;
			i += color;
			continue;
		}
		len = MAX(utf8_decode(s + i, n - i, &code), (size_t)1);
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

const char *ownlog_name_color(const char *name)
{
	unsigned hash = 0;

	for (const char *c = name; *c != '\0'; c++)
		hash = hash * 31 + (unsigned char)*c;
	return name_colors[hash % ARRAY_LEN(name_colors)];
}

/* The name, padded. The pid would make the column dance and is told when it changes. */
static char *put_column(struct ownlog *log, char *p, const char *name)
{
	size_t len = strlen(name);

	p = put_colored(log, p, ownlog_name_color(name), name, len);
	for (; len < log->name_width; len++)
		*p++ = ' ';
	return p;
}

/* --- captured lines -------------------------------------------------------------------------- */

static char *captured_terminal(struct ownlog *log, char *p, const struct captured *c)
{
	char *begin = p;

	p = put_stamp(&log->stamp, p, c->real_ns);
	if (log->color) {
		memmove(begin + 4, begin, (size_t)(p - begin));
		memcpy(begin, "\033[2m", 4);
		p = put_text(p + 4, "\033[0m");
	}
	*p++ = ' ';
	p = put_column(log, p, c->name);
	p = put_colored(log, p, c->is_stderr ? "\033[31m" : "\033[2m", " | ", 3);
	return put_terminal(log, p, c->text, c->len);
}

size_t ownlog_captured(struct ownlog *log, char *out, const struct captured *c)
{
	char *p = out;

	if (log->severity || log->style == OWNLOG_JOURNAL)
		p = put_severity(p, c->is_stderr ? LOG_ERROR : LOG_INFO);
	switch (log->style) {
	case OWNLOG_TEXT:
		p = format_captured_text(&log->stamp, p, c);
		break;
	case OWNLOG_TERMINAL:
		p = captured_terminal(log, p, c);
		break;
	case OWNLOG_JSON:
		p = format_captured_json(&log->stamp, p, c);
		break;
	case OWNLOG_SYSLOG:
		p = format_captured_syslog(&log->stamp, p, c);
		break;
	case OWNLOG_JOURNAL:
		p = put_name_pid(p, c->name, c->pid);
		*p++ = ' ';
		p = put(p, c->text, c->len);
		break;
	}
	if (c->continued && log->style != OWNLOG_JSON)
		p = put_text(p, LINES_MARK);
	*p++ = '\n';
	return (size_t)(p - out);
}

/* --- procd's own messages -------------------------------------------------------------------- */

static char *message_terminal(struct ownlog *log, char *p, enum log_level level,
			      const char *subsystem, int64_t real_ns, const char *message)
{
	p = put_stamp(&log->stamp, p, real_ns);
	*p++ = ' ';
	p = put_column(log, p, subsystem != NULL ? subsystem : "procd");
	*p++ = ' ';
	if (log->color)
		p = put_text(p, level_colors[level]);
	p = put_level(p, level);
	p = put_message(p, message);
	return log->color ? put_text(p, "\033[0m") : p;
}

/* To the journal each line is a message. */
static char *message_journal(char *p, enum log_level level, const char *subsystem,
			     const char *message)
{
	p = put_severity(p, level);
	if (subsystem != NULL) {
		p = put_text(p, subsystem);
		p = put(p, ": ", 2);
	}
	for (; *message != '\0'; message++) {
		*p++ = *message;
		if (*message == '\n') {
			p = put_severity(p, level);
			p = put(p, "  ", 2);
		}
	}
	return p;
}

void ownlog_message(struct ownlog *log, enum log_level level, const char *subsystem,
		    int64_t real_ns, const char *message)
{
	size_t room = FORMAT_ROOM(strlen(message) + (subsystem != NULL ? strlen(subsystem) : 0));

	if (log->queue.len + room > QUEUE_MAX && log->queue.len > 0) {
		log->lost++;
		return;
	}
	strbuf_reserve(&log->queue, room);
	char *begin = log->queue.buf + log->queue.len;
	char *p = begin;

	if (log->severity)
		p = put_severity(p, level);
	switch (log->style) {
	case OWNLOG_TEXT:
		p = format_message_text(&log->stamp, p, level, subsystem, real_ns, message);
		break;
	case OWNLOG_TERMINAL:
		p = message_terminal(log, p, level, subsystem, real_ns, message);
		break;
	case OWNLOG_JSON:
		p = format_message_json(&log->stamp, p, level, subsystem, real_ns, message);
		break;
	case OWNLOG_SYSLOG:
		p = format_message_syslog(&log->stamp, p, level, subsystem, real_ns, message);
		break;
	case OWNLOG_JOURNAL:
		p = message_journal(p, level, subsystem, message);
		break;
	}
	*p++ = '\n';
	log->queue.len += (size_t)(p - begin);
	log->queue.buf[log->queue.len] = '\0';
}

void ownlog_early_json(void *ctx, enum log_level level, const char *subsystem, const char *message)
{
	struct ownlog log = { .style = OWNLOG_JSON, .queue = STRBUF_INIT, .stamp = STAMP(STAMP_UTC) };

	(void)ctx;
	ownlog_message(&log, level, subsystem, clock_real_ns(), message);
	(void)fd_write_all(STDERR_FILENO, log.queue.buf, log.queue.len);
	strbuf_fini(&log.queue);
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

		snprintf(text, sizeof text, "... %llu messages lost",
			 (unsigned long long)log->lost);
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
