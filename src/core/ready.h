/* Is it ready? And later: does it still live? From the exec of a start to the end of its process.
 *
 * Three conditions make a start good: what its probe asks for has come, min_uptime has passed, and
 * both before it died. start_timeout bounds the first. Main thread. */
#ifndef CORE_READY_H
#define CORE_READY_H

#include "core/notify.h"
#include "core/ready_ask.h"
#include "core/state.h"
#include "core/timer.h"

struct core;
struct subsystem;
struct strbuf;

/* Why a process is being ended although nobody ordered it. */
enum expiry {
	EXPIRY_NONE,
	EXPIRY_START,		/* it was not ready in time */
	EXPIRY_WATCHDOG,	/* it was ready, and gave no sign of life for too long */
	EXPIRY_HEALTH,		/* it was ready, and its health probe failed too often */
	EXPIRY_COUNT
};

struct readiness {
	struct timer timer;		/* of the deadline while it starts, of the watchdog then */
	int64_t deadline_mono_ns;	/* of the start; 0: none */
	int64_t watchdog_ns;		/* longest silence while it runs; 0: any */
	int64_t sign_mono_ns;		/* last sign of life */
	struct ready_ask *ask;		/* NULL: its probe was never one to be asked */
	char *status;			/* what it said of itself, cleaned; NULL: nothing */
	int errnum;			/* likewise what it reported; 0: nothing */
	int main_pid;			/* that it named, for core/main_pid.h; 0: none */
	enum expiry expiry : 8;
	bool told : 1;			/* what its probe asks for has come */
	bool extended : 1;		/* the deadline, as it asked for itself */
	bool late : 1;			/* the timer came late, and everybody had another turn */
	bool reloading : 1, stopping : 1;	/* it said so, and not READY=1 since */
	bool changed : 1;		/* status shows something else than what is here */
	bool ill : 1;			/* it said so (WATCHDOG=trigger) */
};

void ready_init(struct subsystem *s);
void ready_fini(struct subsystem *s);

/* A new process is about to be asked for: nothing that was said before counts any more. */
void ready_reset(struct subsystem *s);
/* A process is being asked for, or a supervisor took S over: let its output be read for a line that
 * says so, if that is its probe. */
void ready_watch(struct subsystem *s);
/* Its program was executed: wait, or note FACT_READY. */
void ready_begin(struct subsystem *s);
/* What its probe asks for has come. */
void ready_answered(struct subsystem *s);
/* It is running from now on. */
void ready_entered(struct subsystem *s);
/* A supervisor took S over, whose process lives: go on waiting with the old deadlines. */
void ready_resume(struct subsystem *s);
/* Its options changed: start_timeout and min_uptime act at once. */
void ready_retime(struct subsystem *s);
/* Nothing is waited for any more. */
void ready_cancel(struct subsystem *s);
/* FACT_OVERDUE or FACT_SILENT was true: S will be ended, and this is why. */
void ready_expire(struct subsystem *s);
/* The process that just ended had become ready. */
bool ready_was(const struct subsystem *s);

/* What it is still waiting for, for people; false: nothing. */
bool ready_waits_for(const struct subsystem *s, struct strbuf *out);
/* What its latest start waited for in vain until its time was over; false: that is not so. */
bool ready_missed(const struct subsystem *s, struct strbuf *out);
/* When that must have come; 0: there is no deadline. */
int64_t ready_deadline(const struct subsystem *s);
/* What it said of itself; false: nothing. */
bool ready_status(const struct subsystem *s, struct strbuf *out);

#endif
