/* procd's own trouble, told to a human.
 *
 * Below the level a call costs one relaxed load. Above it the message is made on the stack (on the
 * heap when it is long, never beyond a fixed size) and handed to the sink under a read lock, so
 * that after log_set_sink() nobody is inside the old sink any more and its context may go. */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/text.h"

#define MESSAGE_CAP 8192
#define CUT_MARK "..."

ENUMTEXT(log_level, "log level",
	[LOG_TRACE] = "trace",
	[LOG_DEBUG] = "debug",
	[LOG_INFO] = "info",
	[LOG_WARN] = "warn",
	[LOG_ERROR] = "error");

static void sink_stderr(void *ctx, enum log_level level, const char *subsystem,
			const char *message);

/* The log is the one owner of mutable file-scope data. */
static _Atomic int log_level = LOG_INFO;
static pthread_rwlock_t sink_lock = PTHREAD_RWLOCK_INITIALIZER;
static log_sink_fn sink = sink_stderr;
static void *sink_ctx;

/* One write per line, so that lines of the keeper and of the supervisor do not mix. The message
 * may quote foreign bytes: the terminal must not obey them. */
static void sink_stderr(void *ctx, enum log_level level, const char *subsystem,
			const char *message)
{
	auto_free(strbuf_fini) struct strbuf line = STRBUF_INIT;

	(void)ctx;
	strbuf_addf(&line, "procd: %s: ", enumtext_name(&log_level_text, (int)level));
	if (subsystem != NULL) {
		terminal_escape(subsystem, strlen(subsystem), &line);
		strbuf_addstr(&line, ": ");
	}
	terminal_escape(message, strlen(message), &line);
	strbuf_addch(&line, '\n');
	if (write(STDERR_FILENO, line.buf, line.len) < 0) {
		/* No place is left to complain to. */
	}
}

void log_set_sink(log_sink_fn new_sink, void *ctx)
{
	pthread_rwlock_wrlock(&sink_lock);
	sink = new_sink != NULL ? new_sink : sink_stderr;
	sink_ctx = ctx;
	pthread_rwlock_unlock(&sink_lock);
}

void log_set_level(enum log_level level)
{
	BUG_ON((int)level < 0 || level >= LOG_NLEVELS);
	atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&log_level, memory_order_relaxed);
}

/* Mark the cut, and do not leave half a character before the mark. */
static void mark_cut(char *text, size_t size)
{
	size_t at = size - sizeof(CUT_MARK);

	while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
		at--;
	memcpy(text + at, CUT_MARK, sizeof(CUT_MARK));
}

static void deliver(enum log_level level, const char *subsystem, const char *message)
{
	pthread_rwlock_rdlock(&sink_lock);
	sink(sink_ctx, level, subsystem, message);
	pthread_rwlock_unlock(&sink_lock);
}

/* Keeps errno, so that a caller can log first and return it afterwards. */
void log_at(enum log_level level, const char *subsystem, const char *fmt, ...)
{
	int saved_errno = errno;
	char text[512];
	va_list ap;
	int n;

	if (level < log_get_level())
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	BUG_ON(n < 0);
	if ((size_t)n < sizeof(text)) {
		deliver(level, subsystem, text);
	} else {
		size_t size = MIN((size_t)n + 1, (size_t)MESSAGE_CAP);
		char *longer = malloc(size);

		if (longer != NULL) {
			errno = saved_errno;	/* for %m */
			va_start(ap, fmt);
			vsnprintf(longer, size, fmt, ap);
			va_end(ap);
		}
		if (longer == NULL)
			mark_cut(text, sizeof(text));
		else if ((size_t)n >= size)
			mark_cut(longer, size);
		deliver(level, subsystem, longer != NULL ? longer : text);
		free(longer);
	}
	errno = saved_errno;
}
