/* What a session holds: between taking samples (cpu_session.c) and making a profile of them
 * (cpu_finish.c). One thread. */
#ifndef PROFILE_CPU_SESSION_INNER_H
#define PROFILE_CPU_SESSION_INNER_H

#include "base/map.h"
#include "profile/cpu_maps.h"
#include "profile/cpu_ring.h"
#include "profile/cpu_session.h"

struct cpu_location {
	uint64_t number;
	uint64_t address;
	struct cpu_region *region;	/* NULL: unknown, or the kernel's */
	bool kernel;
};

struct cpu_stack {
	uint64_t *locations;		/* numbers, leaf first */
	size_t n;
	pid_t pid;
	char *thread;
	int64_t count;
};

struct cpu_watched {	/* the events of a thread, to notice when it and all its heirs have ended */
	const int *fds;
	size_t n;
	bool ended;
};

struct cpu_batch {
	int *fds;
	size_t n;
};

struct cpu_session {
	unsigned hz;
	int64_t began_real_ns, began_ns;
	struct cpu_ring *rings;
	size_t nrings;
	struct cpu_batch *batches;
	size_t nbatches;
	struct cpu_watched *watched;
	size_t nwatched, nended;
	struct strbuf waiting;		/* records that are too young */
	uint64_t horizon_ns;		/* what is older was taken */
	struct cpu_maps maps;
	struct map threads;		/* "TID" -> its name */
	struct map locations;		/* "REGION ADDRESS" -> struct cpu_location */
	struct cpu_location **by_number;
	size_t nlocations;
	struct map stacks;		/* numbers and thread, as text -> struct cpu_stack */
	struct cpu_region **used;	/* by number - 1 */
	uint64_t nused;
	bool kernel_used;
	struct cpu_totals totals;
};

/* No event counts any more, and all that was recorded is taken. */
void cpu_session_end(struct cpu_session *s);

#endif
