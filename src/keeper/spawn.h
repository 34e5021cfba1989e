/* From a finished plan to a running child with its record. Keeper only. */
#ifndef KEEPER_SPAWN_H
#define KEEPER_SPAWN_H

#include "keeper/child.h"
#include "keeper/clone.h"
#include "keeper/keeper.h"

struct handover;
struct keeper;

struct spawner {
	struct originals original;
	struct child_stack stack;
	char **vectors;		/* room for the pointer vectors of the largest plan */
	bool have_close_range;
	bool short_slice;	/* children are to get the usual one back */
	unsigned processors;	/* that the keeper may run on */
	unsigned starts;
	bool into_cgroup;	/* born there; else the child writes itself into cgroup.procs */
	int supervisor_oom;	/* INT32_MIN: as it is */
	uint64_t inherited;	/* bit N: descriptor N came with procd */
};

/* Remember how this process was started, then claim what a keeper needs: more descriptors, a lower
 * OOM score. 0 or -errno. */
int spawner_init(struct spawner *s);
/* The same for an executed keeper: how this process was started is in H. */
int spawner_resume(struct spawner *s, const struct handover *h);

/* Start PLAN (checked) in SLOT. On success the record is RUNNING and the exit will be noticed;
 * otherwise there is neither process nor record. The supervisor is to be told in both cases, which
 * is noted in the slot. */
void spawn_slot(struct keeper *k, uint32_t slot, uint64_t spawn_id, const struct plan *plan);

/* Note that the start was refused, so that the supervisor is told. */
void spawn_refuse(struct keeper *k, uint32_t slot, uint64_t spawn_id, uint32_t stage, int errnum);

/* Start the supervisor, whose socket is LOW_SUPERVISOR. Pid or -errno. *PIDFD is -1 without one. */
pid_t spawn_supervisor(struct keeper *k, char *const *argv, int *pidfd);

#endif
