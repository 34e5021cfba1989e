/* Asking whether a subsystem answers: one question at a time for each, by a socket or by a command
 * that runs beside it. Main thread. */
#ifndef CORE_PROBER_H
#define CORE_PROBER_H

#include "core/core.h"

struct subsystem;

/* DETAIL: a few words for people, valid during the call. To be taken as a fact: note it, mark S,
 * ask again if need be, decide in settle. */
typedef void probe_done(struct subsystem *s, enum probe_result result, const char *detail);

/* A subsystem's share. All zero: nothing is asked. */
struct prober {
	probe_done *done;	/* NULL: idle */
	void *attempt;		/* core_ops.probe; NULL: it is a command */
	uint64_t id;
	int64_t timeout_ns;
};

/* Ask O (tcp, unix, http or command; not kept), waiting for TIMEOUT_NS at most. S must not be asked
 * already. DONE is called once, from the loop or from core_settle(), never from here. */
void prober_start(struct subsystem *s, const struct probe_option *o, int64_t timeout_ns,
		  probe_done *done);
/* The answer does not matter any more: DONE is not called. Harmless when nothing is asked. */
void prober_cancel(struct subsystem *s);

#endif
