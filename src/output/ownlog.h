/* procd's own log: its messages and the captured lines of subsystems without log_file.
 *
 *   text      2026-11-22T20:21:07.123Z info  message
 *             2026-11-22T20:21:07.123Z warn  web: message about it
 *             2026-11-22T20:21:07.123Z out   web[4242] captured line      ("err": its stderr)
 *   terminal  20:21:07.123 web     | captured line                        (coloured, aligned)
 *   syslog    <30>Nov 22 20:21:07 web[4242]: captured line                (to a log daemon)
 *   journal   <6>web[4242] captured line         (the rest is known to the journal)
 *   JSON      {"ts":...,"level":"info","subsystem":"web","pid":4242,"stream":"stdout","msg":...}
 *
 * Log thread. */
#ifndef OUTPUT_OWNLOG_H
#define OUTPUT_OWNLOG_H

#include "base/log.h"
#include "base/strbuf.h"
#include "output/format.h"
#include "output/target.h"

enum ownlog_style { OWNLOG_TEXT, OWNLOG_TERMINAL, OWNLOG_JSON, OWNLOG_SYSLOG, OWNLOG_JOURNAL };

struct ownlog {
	struct target *target;
	struct target *fallback;	/* stderr: for own messages while TARGET fails */
	enum ownlog_style style;
	bool color;
	bool severity;			/* JSON, but the journal reads it: "<6>" before each line */
	size_t name_width;		/* terminal: of the column of names */
	struct strbuf queue;		/* own messages that are not written yet */
	uint64_t lost;			/* messages dropped because the queue was full */
	struct stamp stamp;
};

/* Takes over the reference FALLBACK. */
void ownlog_init(struct ownlog *log, struct target *fallback);
void ownlog_fini(struct ownlog *log);
/* Takes over the reference TARGET. NAME_WIDTH: of the longest name that is going to come; a
 * terminal gets a column of that width, within bounds. */
void ownlog_set_target(struct ownlog *log, struct target *target, bool json, bool color,
		       size_t name_width);
/* The colour of a name, always the same: an escape sequence. */
const char *ownlog_name_color(const char *name);
/* Format into OUT (FORMAT_ROOM bytes), newline included. Returns the length. */
size_t ownlog_captured(struct ownlog *log, char *out, const struct captured *c);
/* Queue one of procd's own messages; beyond a bound it is dropped and counted. */
void ownlog_message(struct ownlog *log, enum log_level level, const char *subsystem,
		    int64_t real_ns, const char *message);
/* The same for before there is a log thread: a log_sink_fn that writes JSON to stderr. Any
 * thread. */
void ownlog_early_json(void *ctx, enum log_level level, const char *subsystem, const char *message);
/* Write the queue. 0: all is written; negative errno: not now. */
int ownlog_flush(struct ownlog *log);

#endif
