/* Hand-written formatting into given memory: captured lines come by the million. */
#include "output/format.h"

#include <time.h>
#include <unistd.h>

#include "base/text.h"

char *put(char *p, const char *s, size_t n)
{
	memcpy(p, s, n);
	return p + n;
}

char *put_text(char *p, const char *s)
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

char *put_name_pid(char *p, const char *name, int pid)
{
	p = put_text(p, name);
	if (pid <= 0)
		return p;
	*p++ = '[';
	p = put_number(p, (unsigned long)pid);
	*p++ = ']';
	return p;
}

char *put_stamp(struct stamp *stamp, char *p, int64_t real_ns)
{
	int64_t sec = real_ns / NS_PER_SEC;
	unsigned ms = (unsigned)(real_ns / NS_PER_MS % 1000);

	if (sec != stamp->sec) {
		time_t t = (time_t)sec;
		struct tm tm;

		if (stamp->form == STAMP_UTC)
			gmtime_r(&t, &tm);
		else
			localtime_r(&t, &tm);
		if (stamp->form == STAMP_UTC)
			strftime(stamp->text, sizeof stamp->text, "%Y-%m-%dT%H:%M:%S.", &tm);
		else if (stamp->form == STAMP_LOCAL)
			strftime(stamp->text, sizeof stamp->text, "%H:%M:%S.", &tm);
		else
			strftime(stamp->text, sizeof stamp->text, "%b %e %H:%M:%S", &tm);
		stamp->sec = sec;
	}
	p = put_text(p, stamp->text);
	if (stamp->form == STAMP_SYSLOG)
		return p;
	*p++ = (char)('0' + ms / 100);
	*p++ = (char)('0' + ms / 10 % 10);
	*p++ = (char)('0' + ms % 10);
	if (stamp->form == STAMP_UTC)
		*p++ = 'Z';
	return p;
}

static char *put_json(char *p, const char *s, size_t n)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < n;) {
		unsigned char c = (unsigned char)s[i];
		uint32_t code;
		size_t len = c < 0x80 ? 1 : utf8_decode(s + i, n - i, &code);

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

char *format_captured_json(struct stamp *stamp, char *p, const struct captured *c)
{
	p = put_text(p, "{\"ts\":\"");
	p = put_stamp(stamp, p, c->real_ns);
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

char *format_captured_text(struct stamp *stamp, char *p, const struct captured *c)
{
	p = put_stamp(stamp, p, c->real_ns);
	p = put_text(p, c->is_stderr ? " err   " : " out   ");
	p = put_name_pid(p, c->name, c->pid);
	*p++ = ' ';
	return put(p, c->text, c->len);
}

/* syslog.h has the names of base/log.h. Source: RFC 3164, section 4.1.1. */
enum { SYSLOG_ERR = 3, SYSLOG_WARNING = 4, SYSLOG_INFO = 6, SYSLOG_DEBUG = 7, SYSLOG_DAEMON = 3 << 3 };

static const unsigned severities[LOG_NLEVELS] = {
	[LOG_TRACE] = SYSLOG_DEBUG, [LOG_DEBUG] = SYSLOG_DEBUG, [LOG_INFO] = SYSLOG_INFO,
	[LOG_WARN] = SYSLOG_WARNING, [LOG_ERROR] = SYSLOG_ERR,
};

char *put_severity(char *p, enum log_level level)
{
	*p++ = '<';
	p = put_number(p, severities[level]);
	*p++ = '>';
	return p;
}

static char *put_syslog_header(struct stamp *stamp, char *p, unsigned severity, int64_t real_ns)
{
	*p++ = '<';
	p = put_number(p, SYSLOG_DAEMON | severity);
	*p++ = '>';
	p = put_stamp(stamp, p, real_ns);
	*p++ = ' ';
	return p;
}

char *format_captured_syslog(struct stamp *stamp, char *p, const struct captured *c)
{
	p = put_syslog_header(stamp, p, c->is_stderr ? SYSLOG_ERR : SYSLOG_INFO, c->real_ns);
	p = put_name_pid(p, c->name, c->pid);
	p = put_text(p, ": ");
	return put(p, c->text, c->len);
}

char *put_message(char *p, const char *message)
{
	for (; *message != '\0'; message++) {
		*p++ = *message;
		if (*message == '\n')
			p = put(p, "  ", 2);
	}
	return p;
}

char *format_message_json(struct stamp *stamp, char *p, enum log_level level, const char *subsystem,
			  int64_t real_ns, const char *message)
{
	p = put_text(p, "{\"ts\":\"");
	p = put_stamp(stamp, p, real_ns);
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

char *put_level(char *p, enum log_level level)
{
	const char *name = enumtext_name(&log_level_text, (int)level);
	size_t len = strlen(name);

	p = put(p, name, len);
	return put(p, "      ", len < 6 ? 6 - len : 1);
}

char *format_message_text(struct stamp *stamp, char *p, enum log_level level, const char *subsystem,
			  int64_t real_ns, const char *message)
{
	p = put_stamp(stamp, p, real_ns);
	*p++ = ' ';
	p = put_level(p, level);
	if (subsystem != NULL) {
		p = put_text(p, subsystem);
		p = put(p, ": ", 2);
	}
	return put_message(p, message);
}

char *format_message_syslog(struct stamp *stamp, char *p, enum log_level level,
			    const char *subsystem, int64_t real_ns, const char *message)
{
	p = put_syslog_header(stamp, p, severities[level], real_ns);
	p = put_name_pid(p, "procd", getpid());
	p = put_text(p, ": ");
	if (subsystem != NULL) {
		p = put_text(p, subsystem);
		p = put_text(p, ": ");
	}
	for (; *message != '\0'; message++)
		*p++ = *message == '\n' ? ' ' : *message;	/* a line is a datagram */
	return p;
}
