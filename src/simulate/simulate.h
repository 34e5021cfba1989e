/* `procd simulate`: what the policy of a configuration does, without a process and without waiting.
 *
 * The core that supervises is the one that is asked: it runs with the clock and the keeper of
 * simulate/world.h, and what it tells as events is the result. The same input gives the same
 * output. */
#ifndef SIMULATE_SIMULATE_H
#define SIMULATE_SIMULATE_H

#include "base/json.h"
#include "simulate/scenario.h"

struct config;

/* Run CONFIG (taken) for at most FOR_NS of simulated time:
 *   {"ok", "ready_after_ms", "ended_ms", "exit_code", "truncated",
 *    "events": [{"at_ms","name","state","prev","reason","exit_code","next_restart_ms","gave_up"?,
 *                "error"?}],
 *    "subsystems": [{"name","ok","state","ready","starts","restarts","gave_up","ready_after_ms",
 *                    "down_ms","longest_down_ms","why":[lines]}]}
 * times are since the start of procd. OK: whatever is to be up got up, and nothing stays down. A new
 * reference. Once per process, main thread. */
json_t *simulate(struct config *config, const struct scenario *scenario, const struct takes *takes,
		 int64_t for_ns);
/* CONFIG has a subsystem that NAME means. */
bool simulate_knows(const struct config *config, const char *name);

#endif
