/* A bucket of tokens, kept as the one time at which it would be full again: nothing has to be
 * refilled, nothing can drift, and an idle bucket is a number in the past. */
#include "core/budget.h"

int64_t budget_take(struct budget *b, uint32_t nsubsystems, int64_t now_ns)
{
	int64_t burst = MAX((int64_t)nsubsystems * BUDGET_BURST_EACH, BUDGET_BURST_MIN);
	int64_t spent = MAX(b->spent_until_ns, now_ns);
	int64_t allowed_at_ns = spent - (burst - 1) * BUDGET_INTERVAL_NS;

	if (allowed_at_ns > now_ns)
		return allowed_at_ns;
	b->spent_until_ns = spent + BUDGET_INTERVAL_NS;
	return 0;
}
