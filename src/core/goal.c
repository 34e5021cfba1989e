/* The goal is computed from its inputs each time, never edited: so nobody can forget to take a wish
 * back, and the reason shown to people is always the one that decided. */
#include "core/goal.h"

ENUMTEXT(goal_why, "goal",
	[GOAL_CONFIG] = "config", [GOAL_OPERATOR] = "operator",
	[GOAL_HEALTH] = "health", [GOAL_DEPENDENCY] = "dependency", [GOAL_REMOVED] = "removed",
	[GOAL_SHUTDOWN] = "shutdown");

struct goal goal_of(const struct goal_inputs *in)
{
	if (in->shutdown)
		return (struct goal){ false, GOAL_SHUTDOWN };
	if (in->removed)
		return (struct goal){ false, GOAL_REMOVED };
	if (in->ill && in->wish != OPERATOR_DOWN)
		return (struct goal){ false, GOAL_HEALTH };
	if (in->wish != OPERATOR_NONE)
		return (struct goal){ in->wish == OPERATOR_UP, GOAL_OPERATOR };
	if (!in->config_up && in->pulled)
		return (struct goal){ true, GOAL_DEPENDENCY };
	return (struct goal){ in->config_up, GOAL_CONFIG };
}
