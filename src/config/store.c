/* The published configuration: one RCU pointer, written by the main thread only. Freeing waits for
 * the readers on the call_rcu thread, so publishing never blocks. */
#include "config/store.h"

#include "base/util.h"

static struct config *current;

const struct config *config_current(void)
{
	return rcu_get(&current);
}

static void free_retired(struct rcu_head *head)
{
	config_free(container_of(head, struct config, rcu));
}

void config_publish(struct config *new, uint64_t first_generation)
{
	uint64_t previous = current != NULL ? current->generation : 0;
	uint64_t generation = MAX(previous + 1, first_generation);
	bool stamped = new->generation == generation;	/* by config_compare() */
	struct config *old;

	new->generation = generation;
	for (size_t i = 0; i < new->nsubsystems && !stamped; i++)
		if (new->subsystems[i]->generation == 0)
			new->subsystems[i]->generation = generation;
	old = rcu_publish(&current, new);
	if (old != NULL)
		rcu_retire(&old->rcu, free_retired);
}
