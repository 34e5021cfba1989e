/* A line of a log, as text or as JSON, written into memory that the caller has. The pieces append
 * at P and return the new end; nothing is terminated. Log thread. */
#ifndef OUTPUT_FORMAT_H
#define OUTPUT_FORMAT_H

#include "base/log.h"

/* Room that a formatted line needs at most for LEN bytes of text. */
#define FORMAT_ROOM(len) (6 * (size_t)(len) + 512)

enum stamp_form {
	STAMP_UTC,			/* "2006-01-02T15:04:05.123Z" */
	STAMP_LOCAL,			/* "15:04:05.123" */
	STAMP_SYSLOG			/* "Jan  2 15:04:05", local time */
};
/* Begin with STAMP(form). The second is formatted once and kept. */
struct stamp {
	enum stamp_form form;
	int64_t sec;
	char text[32];
};
#define STAMP(form_) { .form = (form_), .sec = -1 }

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
/* In the form of the syslog protocol, facility daemon. */
char *format_captured_syslog(struct stamp *stamp, char *p, const struct captured *c);
/* One of procd's own messages; SUBSYSTEM may be NULL. */
char *format_message_text(struct stamp *stamp, char *p, enum log_level level, const char *subsystem,
			  int64_t real_ns, const char *message);
char *format_message_json(struct stamp *stamp, char *p, enum log_level level, const char *subsystem,
			  int64_t real_ns, const char *message);
char *format_message_syslog(struct stamp *stamp, char *p, enum log_level level,
			    const char *subsystem, int64_t real_ns, const char *message);

/* --- pieces --------------------------------------------------------------------------------------- */

char *put(char *p, const char *s, size_t n);
char *put_text(char *p, const char *s);
char *put_name_pid(char *p, const char *name, int pid);	/* "web[4242]"; PID 0: "web" */
char *put_stamp(struct stamp *stamp, char *p, int64_t real_ns);
char *put_level(char *p, enum log_level level);		/* in a column of its own */
/* "<4>" in front of a line: source sd-daemon(3). Captured lines: stderr is an error. */
char *put_severity(char *p, enum log_level level);
/* Further lines of MESSAGE are set off, so that no line looks like a message of its own. */
char *put_message(char *p, const char *message);

#endif
