/* Listening sockets of subsystems: bound before anything starts, shared by the instances of one
 * subsystem, kept by the keeper under slot numbers of their own until nobody's options name them
 * any more. Main thread. */
#ifndef CORE_SOCKETS_H
#define CORE_SOCKETS_H

#include <stdbool.h>

#include "base/map.h"
#include "core/timer.h"

struct core;
struct subsystem;

/* The core's share. */
struct sockets {
	struct map by_key;		/* struct listener */
	unsigned npending;		/* of these are being bound */
	struct timer late;		/* armed while some are, and first starts wait for them */
	bool patience_over;
};

/* What a subsystem has: its sockets' slots in the order of `listen`. */
struct socket_list {
	struct listener **items;
	uint32_t n;
	bool watched;		/* for connections */
	bool shown_idle;
};

void sockets_init(struct core *c);
void sockets_fini(struct core *c);
/* Everything is bound before anything starts: has a first start to wait for that? For a moment
 * only, however long it takes. */
bool sockets_are_coming(const struct core *c);
/* Have what S's options ask for, and nothing else. 0; or -errno of what cannot be bound, with the
 * words in S's start_trouble, and S has what it had. */
int sockets_open(struct subsystem *s);
/* Is one of S's still being bound? core_bound() goes on with a start that waits (proc.binding). */
bool sockets_pending(const struct subsystem *s);
/* S goes away. */
void sockets_close(struct subsystem *s);
/* All subsystems are known, none was started by this core: take up what the keeper has for them,
 * bind what is missing for those without a process, let go of what nobody wants. */
void sockets_start(struct core *c);
/* Does S wait for a connection? */
bool sockets_idle(const struct subsystem *s);
/* Watch for connections, or no longer; to be called whenever settle has looked at S. */
void sockets_refresh(struct subsystem *s);
/* Hear of the next connection, too, while it is watched. */
void sockets_listen_on(const struct subsystem *s);
/* The slot of socket number I. */
uint32_t sockets_slot(const struct socket_list *l, size_t i);
/* The configuration changed: the same for those without a process, so that everything is bound
 * before anything starts. What cannot be is told and tried again at the start. */
void sockets_bind(struct core *c);

#endif
