/* Does it answer? While S runs its health probe is asked again and again; one good answer makes it
 * healthy, several bad ones in a row make it unhealthy. Main thread. */
#ifndef CORE_HEALTH_H
#define CORE_HEALTH_H

#include "core/timer.h"
#include "event/board.h"

struct subsystem;
struct subsystem_options;

struct checkup {
	struct subsystem *owner;
	enum health health;		/* the verdict; UNKNOWN: none yet, or it does not run */
	uint32_t failures;		/* in a row */
	struct timer timer;		/* until the next question */
	int64_t asked_mono_ns;		/* the last question; 0: none yet */
	bool asking;			/* its answer is waited for */
	bool spread;			/* the second one was moved away from everybody else's */
	bool not_made;			/* it could not be asked; said once */
	char *detail;			/* what the last answer was; NULL: none yet */
};

/* To read; nothing at all where S was never asked. */
const struct checkup *checkup_of(const struct subsystem *s);
/* What a supervisor before had found. */
void health_load(struct subsystem *s, enum health verdict);
void health_fini(struct subsystem *s);

/* S is running from now on, or a supervisor took it over as running: begin to ask. */
void health_begin(struct subsystem *s);
/* S runs no longer, or is being ended: nothing is known about it. Harmless at any time. */
void health_end(struct subsystem *s);
/* FACT_WELL or FACT_ILL was true: tell it if it is news. True: S is to be ended for it. */
bool health_judge(struct subsystem *s, enum health verdict);

/* S is about to get these options without a restart. */
void health_replace(struct subsystem *s, const struct subsystem_options *next);
/* S's options, or [monitoring], are others now: ask when those say so, or no longer. */
void health_retime(struct subsystem *s);

#endif
