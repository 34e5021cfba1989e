/* Who is connected to a listening socket, as /proc/net tells. Main thread. */
#ifndef COMMAND_CONNECTIONS_H
#define COMMAND_CONNECTIONS_H

#include <stdbool.h>

#include "config/listen.h"

/* Is there a connection to A? -1: it cannot be found out. */
int connections_any(const struct listen_address *a);

#endif
