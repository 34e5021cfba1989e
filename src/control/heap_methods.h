/* Heap profiles, for profile_methods.c. Front thread. */
#ifndef CONTROL_HEAP_METHODS_H
#define CONTROL_HEAP_METHODS_H

#include "control/server.h"

/* Answer profile.start and profile.stop: of the subsystem that is NAMED, or of procd itself. */
void heap_profile_start(struct connection *c, const struct rpc_request *r, bool named);
void heap_profile_stop(struct connection *c, const struct rpc_request *r);
/* C ends: what is recorded on its behalf is, too. */
void heap_profile_left(struct connection *c);

#endif
