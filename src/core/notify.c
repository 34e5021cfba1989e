/* Written for bytes from anywhere: nothing is assumed about what stands in a datagram, and nothing
 * of it is kept but numbers in range and text that was cleaned. */
#include "core/notify.h"

#include <limits.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"

#define ERRNO_MAX 4095	/* MAX_ERRNO of the kernel */

struct value {
	const char *s;
	size_t n;
};

static bool is_text(const struct value *v, const char *text)
{
	return v->n == strlen(text) && memcmp(v->s, text, v->n) == 0;
}

static bool number_of(const struct value *v, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;

	if (v->n == 0)
		return false;
	for (size_t i = 0; i < v->n; i++) {
		unsigned digit = (unsigned)(unsigned char)v->s[i] - '0';

		if (digit > 9 || n > (max - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*out = n;
	return true;
}

static bool usec_of(const struct value *v, uint64_t *out)
{
	if (is_text(v, "infinity")) {
		*out = NOTIFY_NEVER;
		return true;
	}
	return number_of(v, NOTIFY_NEVER, out);
}

/* At most NOTIFY_STATUS_MAX bytes, cut between two characters. */
static void status_copy(const struct value *v, char out[NOTIFY_STATUS_MAX + 1])
{
	auto_free(strbuf_fini) struct strbuf clean = STRBUF_INIT;
	size_t n;

	utf8_clean(v->s, MIN(v->n, (size_t)NOTIFY_STATUS_MAX + 4), &clean);
	n = MIN(clean.len, (size_t)NOTIFY_STATUS_MAX);
	while (n > 0 && n < clean.len && ((unsigned char)clean.buf[n] & 0xc0) == 0x80)
		n--;
	for (size_t i = 0; i < n; i++)
		out[i] = (unsigned char)clean.buf[i] < ' ' || clean.buf[i] == 0x7f ? ' '
										   : clean.buf[i];
	out[n] = '\0';
}

static bool read_ready(const struct value *v, struct notify_message *m)
{
	m->words |= NOTIFY_READY;
	return is_text(v, "1");
}

static bool read_reloading(const struct value *v, struct notify_message *m)
{
	m->words |= NOTIFY_RELOADING;
	return is_text(v, "1");
}

static bool read_stopping(const struct value *v, struct notify_message *m)
{
	m->words |= NOTIFY_STOPPING;
	return is_text(v, "1");
}

static bool read_barrier(const struct value *v, struct notify_message *m)
{
	m->words |= NOTIFY_BARRIER;
	return is_text(v, "1");
}

static bool read_watchdog(const struct value *v, struct notify_message *m)
{
	m->words |= is_text(v, "trigger") ? NOTIFY_WATCHDOG_TRIGGER : NOTIFY_WATCHDOG;
	return is_text(v, "1") || is_text(v, "trigger");
}

static bool read_status(const struct value *v, struct notify_message *m)
{
	m->words |= NOTIFY_STATUS;
	status_copy(v, m->status);
	return true;
}

static bool read_main_pid(const struct value *v, struct notify_message *m)
{
	uint64_t n = 0;

	m->words |= NOTIFY_MAINPID;
	if (!number_of(v, INT_MAX, &n) || n == 0)
		return false;
	m->main_pid = (int)n;
	return true;
}

static bool read_errno(const struct value *v, struct notify_message *m)
{
	uint64_t n = 0;

	m->words |= NOTIFY_ERRNO;
	if (!number_of(v, ERRNO_MAX, &n))
		return false;
	m->errnum = (int)n;
	return true;
}

static bool read_watchdog_usec(const struct value *v, struct notify_message *m)
{
	m->words |= NOTIFY_WATCHDOG_USEC;
	return usec_of(v, &m->watchdog_usec);
}

static bool read_extend(const struct value *v, struct notify_message *m)
{
	m->words |= NOTIFY_EXTEND_TIMEOUT;
	return usec_of(v, &m->extend_usec);
}

static bool read_fdstore(const struct value *v, struct notify_message *m)
{
	(void)v;
	m->words |= NOTIFY_FDSTORE;
	return true;
}

/* What accompanies other words and needs no answer here. */
static bool read_nothing(const struct value *v, struct notify_message *m)
{
	(void)v, (void)m;
	return true;
}

/* False from READ: the word is known, its value is not. */
static const struct word {
	const char *name;
	bool (*read)(const struct value *v, struct notify_message *m);
	unsigned bits;
} words[] = {
	{ "READY", read_ready, NOTIFY_READY },
	{ "RELOADING", read_reloading, NOTIFY_RELOADING },
	{ "STOPPING", read_stopping, NOTIFY_STOPPING },
	{ "STATUS", read_status, NOTIFY_STATUS },
	{ "WATCHDOG", read_watchdog, NOTIFY_WATCHDOG | NOTIFY_WATCHDOG_TRIGGER },
	{ "MAINPID", read_main_pid, NOTIFY_MAINPID },
	{ "ERRNO", read_errno, NOTIFY_ERRNO },
	{ "WATCHDOG_USEC", read_watchdog_usec, NOTIFY_WATCHDOG_USEC },
	{ "EXTEND_TIMEOUT_USEC", read_extend, NOTIFY_EXTEND_TIMEOUT },
	{ "BARRIER", read_barrier, NOTIFY_BARRIER },
	{ "FDSTORE", read_fdstore, NOTIFY_FDSTORE },
	{ "FDSTOREREMOVE", read_fdstore, NOTIFY_FDSTORE },
	{ "FDNAME", read_fdstore, NOTIFY_FDSTORE },
	{ "FDPOLL", read_fdstore, NOTIFY_FDSTORE },
	{ "MONOTONIC_USEC", read_nothing, 0 },
	{ "NOTIFYACCESS", read_nothing, 0 },
	{ "MAINPIDFDID", read_nothing, 0 },
};

/* N bytes "NAME=VALUE"; false: no assignment at all. */
static bool read_line(const char *line, size_t n, struct notify_message *m)
{
	const char *eq = memchr(line, '=', n);
	struct value v;

	if (eq == NULL || eq == line)
		return false;
	v = (struct value){ eq + 1, n - (size_t)(eq + 1 - line) };
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		const struct word *w = &words[i];
		unsigned before = m->words & ~w->bits;

		if (strlen(w->name) != (size_t)(eq - line) ||
		    memcmp(w->name, line, (size_t)(eq - line)) != 0)
			continue;
		m->words = before;
		if (!w->read(&v, m))
			m->words = before | NOTIFY_BAD_VALUE;
		return true;
	}
	m->words |= NOTIFY_UNKNOWN;
	return true;
}

unsigned notify_line(const char *data, size_t len, const struct notify_message *m)
{
	unsigned other = m->words & ~(unsigned)(NOTIFY_READY | NOTIFY_UNKNOWN);

	return other == 0 && len > 0 && memchr(data, '\n', len) != NULL ? NOTIFY_LINE : 0;
}

bool notify_parse(const char *data, size_t len, struct notify_message *out)
{
	bool any = false;

	*out = (struct notify_message){ .words = 0 };
	while (len > 0 && data[len - 1] == '\0')
		len--;
	if (len == 0 || len > NOTIFY_MESSAGE_MAX || memchr(data, '\0', len) != NULL)
		return false;
	while (len > 0) {
		const char *nl = memchr(data, '\n', len);
		size_t n = nl != NULL ? (size_t)(nl - data) : len;

		any |= read_line(data, n, out);
		n += nl != NULL;
		data += n;
		len -= n;
	}
	return any;
}
