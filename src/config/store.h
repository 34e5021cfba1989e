/* The published configuration. Main thread publishes; any registered thread reads under RCU. */
#ifndef CONFIG_STORE_H
#define CONFIG_STORE_H

#include "config/config.h"

/* Inside rcu_enter()/rcu_leave(), or on the main thread. Never NULL after the first publish. */
const struct config *config_current(void);
/* Main thread: takes NEW, stamps its generation (previous + 1, at least FIRST_GENERATION) and with
 * it the subsystem options that have none yet, retires the old one. */
void config_publish(struct config *new, uint64_t first_generation);

#endif
