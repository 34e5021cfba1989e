/* The end of the instance: three phases with deadlines from its beginning, then the exit code. */
#ifndef CORE_SHUTDOWN_H
#define CORE_SHUTDOWN_H

#include "core/core.h"
#include "core/timer.h"

struct subsystem;

enum shutdown_phase {
	PHASE_NONE,
	PHASE_GRACEFUL,		/* stop signals, in order */
	PHASE_STOP_ALL,		/* the stop signal to every member of every remaining tree */
	PHASE_FORCE,		/* force_signal */
	PHASE_KILL,		/* SIGKILL */
	PHASE_ABANDON,		/* even that did not help: leave, and name them */
	PHASE_COUNT
};
extern const struct enumtext shutdown_phase_text;	/* "graceful", "stop-all", ... */

/* How long killed processes may take to disappear before procd leaves without them. */
#define SHUTDOWN_ABANDON_NS (5 * NS_PER_SEC)

struct shutdown {
	enum shutdown_phase phase;
	int64_t began_mono_ns;
	int64_t kill_mono_ns;		/* when SIGKILL is due */
	struct timer timer;
	uint32_t total;			/* that were not down at the beginning */
	uint32_t told_stopped;		/* as of the last shutdown_progress */
	int64_t told_mono_ns;
	uint32_t orders;		/* 1: it was begun, and one more for each signal since */
	bool error;			/* the cause is a failure: exit code 1 */
	bool killed;			/* SIGKILL was needed: exit code 3 */
	bool finished;			/* ops->finished was called */
};

void shutdown_init(struct core *c);
/* Begin, or go on to a harder mode; a softer one changes nothing. WHY: "signal", "request", ... */
void shutdown_request(struct core *c, enum shutdown_mode mode, const char *why);
/* A signal that means shutdown: graceful, then force, then kill. */
void shutdown_escalate(struct core *c);
/* A critical subsystem failed for good: graceful, but the exit code will be 1. */
void shutdown_error(struct core *c, const struct subsystem *s);
static inline bool shutdown_active(const struct shutdown *sd)
{
	return sd->phase != PHASE_NONE;
}
/* Where a stop that begins now begins (enum ladder_step): LADDER_ASKED, or what the phase asks. */
int shutdown_first_step(const struct core *c);
/* After each settle: tell progress, leave when all is down. */
void shutdown_settled(struct core *c);
/* Continue one that the supervisor before had begun. */
void shutdown_resume(struct core *c);

#endif
