/* Who is connected to a listening socket, as /proc/net of procd's own network namespace
 * tells: long where there are many connections, so for a worker. */
#ifndef COMMAND_CONNECTIONS_H
#define COMMAND_CONNECTIONS_H

#include <stdbool.h>

#include "config/listen.h"

/* Is there a connection to A? -1: it cannot be found out. */
int connections_any(const struct listen_address *a);

#endif
