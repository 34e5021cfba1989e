/* Asking one that starts whether it is ready: tcp, unix, http, command. Main thread. */
#ifndef CORE_READY_ASK_H
#define CORE_READY_ASK_H

#include "core/timer.h"

struct subsystem;

struct ready_ask {
	struct subsystem *owner;
	struct timer timer;		/* until the next question */
	int64_t pause_ns;		/* before that one */
	bool asking;			/* its answer is waited for */
	char *detail;			/* what the last answer was; NULL: none yet */
};

/* The program of S was executed, or a supervisor took S over: ask until it is good. Then
 * ready_answered() is called once. Nothing happens when its probe is none to be asked. */
void ready_ask_begin(struct subsystem *s);
/* Nobody wants to know any more. Harmless at any time; what was answered stays. */
void ready_ask_end(struct subsystem *s);
/* After that: what was answered is forgotten, too. */
void ready_ask_forget(struct subsystem *s);
/* What the last answer was, for people; NULL: none yet. */
const char *ready_ask_detail(const struct subsystem *s);

#endif
