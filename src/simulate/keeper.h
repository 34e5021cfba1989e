/* Between the files of the simulated keeper. */
#ifndef SIMULATE_KEEPER_H
#define SIMULATE_KEEPER_H

#include "config/options.h"
#include "simulate/world.h"

#define NEVER INT64_MAX

enum world_phase { NOBODY, ASKED, ALIVE, EXITED };

struct world_child {
	enum world_phase phase;
	bool task, oneshot, flaps;
	bool told;			/* that it is ready, where it says so itself */
	uint64_t spawn_id;
	char *name;			/* of the subsystem, or NAME/TASK */
	enum probe_kind ready;
	int64_t ready_ns, end_ns, beat_ns, beat_every_ns;
	int wait_status;		/* at END_NS */
	uint64_t drain;			/* spawn id; 0: not asked */
	uint64_t probe_id;		/* 0: nothing is asked */
	int64_t probe_until_ns;
	uint64_t watched;		/* spawn id of whose output is, for log:REGEX */
	struct start_files *files;	/* asked for, not answered */
	uint64_t look;			/* id of the subsystem whose connections are; 0: none */
};

/* The wishes of a core whose context is a struct world. */
extern const struct core_ops world_ops;

#endif
