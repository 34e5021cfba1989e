/* procd's own words to a human. Everything that a program would search for is an event.
 *
 * Any thread of the supervisor. Lines go to one sink: at first stderr, later the log thread. The
 * keeper does not log; it reports. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/enumtext.h"

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_NLEVELS };
extern const struct enumtext log_level_text;

/* Gets one complete message without newline and without time stamp. Must not block for long and
 * must not log. SUBSYSTEM may be NULL. */
typedef void (*log_sink_fn)(void *ctx, enum log_level level, const char *subsystem,
			    const char *message);

/* NULL: back to plain lines on stderr. On return nobody is in the old one: its CTX may go. */
void log_set_sink(log_sink_fn sink, void *ctx);
void log_set_level(enum log_level level);	/* one atomic; live */
enum log_level log_get_level(void);

void log_at(enum log_level level, const char *subsystem, const char *fmt, ...) PRINTF_LIKE(3, 4);
#define log_trace(...) log_at(LOG_TRACE, NULL, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, NULL, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, NULL, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, NULL, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, NULL, __VA_ARGS__)

#endif
