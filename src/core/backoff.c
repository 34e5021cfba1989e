/* Restart control. The formula is the documented one, in integers, without overflow for any values
 * that the option table lets through. */
#include <sys/random.h>

#include "base/clock.h"
#include "core/backoff.h"

#define BACKOFF_MAX_SHIFT 10
#define SPAWN_RETRY_FIRST_MS 100
#define SPAWN_RETRY_MAX_MS 5000
#define SPAWN_RETRY_MAX_SHIFT 6

void jitter_seed(struct jitter *j, uint64_t seed)
{
	if (seed == 0 && getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = (uint64_t)clock_mono_ns();
	j->state = seed ? seed : 1;
}

/* xorshift64*: plenty for spreading restarts. */
uint64_t jitter_next(struct jitter *j)
{
	j->state ^= j->state >> 12;
	j->state ^= j->state << 25;
	j->state ^= j->state >> 27;
	return j->state * UINT64_C(2685821657736338717);
}

int64_t backoff_delay_ms(const struct subsystem_options *o, uint32_t attempt, struct jitter *j)
{
	int64_t max = o->policy->restart_max_delay_ms;
	int64_t delay = o->policy->restart_delay_ms;
	uint32_t shift = MIN(attempt, BACKOFF_MAX_SHIFT);

	delay = delay > max >> shift ? max : MIN(max, delay << shift);
	if (o->policy->restart_jitter > 0) {
		double part = (double)(jitter_next(j) >> 11) / (double)(UINT64_C(1) << 53);

		delay += (int64_t)((double)delay * o->policy->restart_jitter * part);
	}
	return delay;
}

bool backoff_exhausted(const struct subsystem_options *o, uint32_t attempt)
{
	return o->policy->restart_max_attempts > 0 &&
	       (int64_t)attempt >= o->policy->restart_max_attempts;
}

bool backoff_policy_restarts(const struct subsystem_options *o, bool success)
{
	switch (o->policy->restart) {
	case RESTART_NEVER:
		return false;
	case RESTART_ON_FAILURE:
		return !success;
	case RESTART_ALWAYS:
	case RESTART_EXPONENTIAL_BACKOFF:
		return true;
	}
	BUG("unknown restart policy");
}

int64_t backoff_spawn_retry_ms(uint32_t tries)
{
	return MIN(SPAWN_RETRY_MAX_MS,
		   SPAWN_RETRY_FIRST_MS << MIN(tries, SPAWN_RETRY_MAX_SHIFT));
}
