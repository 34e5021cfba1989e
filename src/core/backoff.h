/* When to restart, and whether at all. Pure arithmetic on the options; main thread. */
#ifndef CORE_BACKOFF_H
#define CORE_BACKOFF_H

#include "config/options.h"

/* A small generator for jitter, seedable for tests. */
struct jitter {
	uint64_t state;
};
void jitter_seed(struct jitter *j, uint64_t seed);	/* 0: from the kernel */
uint64_t jitter_next(struct jitter *j);

/* Delay before restart number ATTEMPT (0-based, since the last reset):
 * min(max, delay * 2^min(ATTEMPT, 10)), then lengthened by a random part of at most JITTER of it.
 * The random part comes on top even at the maximum, so that many do not fall into step there. */
int64_t backoff_delay_ms(const struct subsystem_options *o, uint32_t attempt, struct jitter *j);

/* All restarts that the options allow since the last reset have been made. */
bool backoff_exhausted(const struct subsystem_options *o, uint32_t attempt);

/* Does the policy want a restart after such an end? Says nothing about attempts. */
bool backoff_policy_restarts(const struct subsystem_options *o, bool success);

/* Retry of a start that procd itself could not make: 100 ms doubling to 5 s. */
int64_t backoff_spawn_retry_ms(uint32_t tries);

#endif
