/* What a subsystem should be, up or down, and who says so. Pure. */
#ifndef CORE_GOAL_H
#define CORE_GOAL_H

#include <stdbool.h>

#include "base/enumtext.h"

enum goal_why {
	GOAL_CONFIG,		/* autostart, or its absence */
	GOAL_OPERATOR,		/* an explicit start or stop; survives reloads */
	GOAL_HEALTH,		/* it was unhealthy, and on_unhealthy = "stop" */
	GOAL_DEPENDENCY,	/* something that needs or wants it was started */
	GOAL_REMOVED,		/* no longer in the configuration */
	GOAL_SHUTDOWN,
	GOAL_NWHYS
};
extern const struct enumtext goal_why_text;

enum operator_wish { OPERATOR_NONE, OPERATOR_UP, OPERATOR_DOWN };

struct goal_inputs {
	bool shutdown, removed;
	enum operator_wish wish;
	bool config_up;
	bool pulled;
	bool ill;
};

struct goal {
	bool up;
	enum goal_why why : 8;
};

/* The strongest voice wins: shutdown, removal, an operator's stop, illness, an operator's start,
 * configuration, dependants. */
struct goal goal_of(const struct goal_inputs *in);

#endif
