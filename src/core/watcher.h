/* Subsystems that are restarted when a file changes (`watch`). Who looks at the files is told here,
 * and what it sees becomes an order. Main thread. */
#ifndef CORE_WATCHER_H
#define CORE_WATCHER_H

#include <stdint.h>

struct subsystem;
struct subsystem_options;

/* A subsystem's share. All zero: nothing is watched. */
struct watcher {
	struct subsystem_options *options;	/* counted: whose files are watched; NULL: none */
	uint32_t print;				/* of the files when last heard of; 0: never */
};

/* Let the files be watched that the newest options name. Cheap when nothing has changed; to be
 * called whenever settle has looked at S. */
void watcher_refresh(struct subsystem *s);
void watcher_drop(struct subsystem *s);		/* S goes */
void watcher_fini(struct watcher *w);

#endif
