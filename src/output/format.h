/* A line of a log, as text or as JSON, written into memory that the caller has. The pieces append at
 * P and return the new end; nothing is terminated. Log thread. */
#ifndef OUTPUT_FORMAT_H
#define OUTPUT_FORMAT_H

#include "base/log.h"

/* Room that a formatted line needs at most for LEN bytes of text. */
#define FORMAT_ROOM(len) (6 * (size_t)(len) + 512)

/* Begin with FORMAT_STAMP_UTC or FORMAT_STAMP_LOCAL. The second is formatted once and kept. */
struct stamp {
	bool local;			/* "15:04:05.123", else "2006-01-02T15:04:05.123Z" */
	int64_t sec;
	char text[32];
};
#define FORMAT_STAMP_UTC { .sec = -1 }
#define FORMAT_STAMP_LOCAL { .sec = -1, .local = true }

struct captured {
	int64_t real_ns;
	const char *name;
	int pid;			/* 0: not known */
	bool is_stderr;
	bool continued;			/* a piece of a cut line, more follows */
	const char *text;
	size_t len;
};

/* Whole lines without the newline. */
char *format_captured_text(struct stamp *stamp, char *p, const struct captured *c);
char *format_captured_json(struct stamp *stamp, char *p, const struct captured *c);
/* One of procd's own messages; SUBSYSTEM may be NULL. */
char *format_message_text(struct stamp *stamp, char *p, enum log_level level, const char *subsystem,
			  int64_t real_ns, const char *message);
char *format_message_json(struct stamp *stamp, char *p, enum log_level level, const char *subsystem,
			  int64_t real_ns, const char *message);

/* --- pieces --------------------------------------------------------------------------------------- */

char *put(char *p, const char *s, size_t n);
char *put_text(char *p, const char *s);
char *put_number(char *p, unsigned long n);
char *put_stamp(struct stamp *stamp, char *p, int64_t real_ns);
char *put_level(char *p, enum log_level level);		/* in a column of its own */
/* Further lines of MESSAGE are set off, so that no line looks like a message of its own. */
char *put_message(char *p, const char *message);
/* Length of the valid UTF-8 sequence at S, 0 when there is none. */
size_t utf8_length(const char *s, size_t n);

#endif
