/* How many files procd itself has to have open to run a configuration. Pure; any thread. */
#ifndef CONFIG_DESCRIPTORS_H
#define CONFIG_DESCRIPTORS_H

#include "config/options.h"

/* What each of procd's two processes has open before the first subsystem, with room for what is
 * open only for a moment. The keeper uses numbers up to about 50 whatever happens. */
#define DESCRIPTORS_OWN 64
/* On top of it, so that all the control connections that are allowed can be open, too. */
#define DESCRIPTORS_CONNECTIONS 128

/* The larger need of the two processes when every subsystem runs: without it some could not be
 * started. Keeper: each captured stream, the socket that it speaks through, and a command that
 * probes it. Supervisor: each captured stream, the log file that it goes to, that socket, and the
 * connection of a probe. *WANTED: the same with one for each process, without which the keeper
 * looks at all children to find the ends of some (keeper/thrift.c). */
uint64_t config_descriptors(const struct config *config, uint64_t *wanted);

#endif
