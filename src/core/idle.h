/* idle_timeout: stop what nobody is connected to; the next connection starts it again. Main
 * thread. */
#ifndef CORE_IDLE_H
#define CORE_IDLE_H

#include "core/timer.h"

struct subsystem;

/* A subsystem's share. */
struct idle {
	struct subsystem *owner;
	struct timer look;		/* armed until the next look */
	bool looking;			/* it is being looked after now */
	int64_t busy_mono_ns;		/* when it was last known to be of use */
};

/* Begin or cease to look, as state and options want it; whenever settle has looked at S. */
void idle_refresh(struct subsystem *s);
/* Is somebody waiting for news of connections to S? */
bool idle_watches(const struct subsystem *s);
/* Somebody connected. */
void idle_connection(struct subsystem *s);
void idle_drop(struct subsystem *s);

#endif
