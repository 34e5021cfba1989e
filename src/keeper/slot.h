/* What the keeper knows about a slot beyond its shared record: descriptors, what is still to be
 * told, whether its tree is watched. Private, one flat table, address space for all slots reserved
 * at once and touched only where used. Lists are threaded through it by slot number. */
#ifndef KEEPER_SLOT_H
#define KEEPER_SLOT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "keeper/record.h"

/* Facts that the supervisor has not been told yet; their content is read from the record. */
enum slot_fact {
	FACT_START_FAILED = 1 << 0,
	FACT_STARTED = 1 << 1,
	FACT_EXITED = 1 << 2,
	FACT_GONE = 1 << 3,
	FACT_MAIN = 1 << 4,	/* who the main process is: asked for by KM_FOLLOW */
};

struct slot {
	int32_t pidfd;		/* 0: none */
	int32_t fifo[2];	/* held ends of stdout and stderr; 0: none */
	uint32_t fifo_uid[2];
	int32_t held;		/* kept for the supervisor (KM_HOLD_SLOT); 0: none */
	uint32_t by_pid_next;
	uint32_t untold_next;
	uint32_t watched_next;
	uint32_t tree_left;	/* members seen when the leader was reaped */
	uint8_t untold;		/* enum slot_fact */
	bool in_untold, watched;
	bool kill_tree : 1;	/* SIGKILL was wished: repeat until the tree is empty */
	bool seen_empty : 1;	/* one look over /proc found the killed tree empty */
	bool last_run : 1;	/* procd ends: it is not started again */
	bool has_cgroup;	/* its directory was made */
	bool cgroup_worn;	/* somebody may have used cgroup.kill: no start before it is new */
	bool adopted;		/* the live leader is not our child (keeper/adopt.h) */
	/* FACT_START_FAILED: such a start leaves no record behind. */
	uint32_t failed_stage;
	int32_t failed_errno;
	uint64_t failed_spawn_id;
	int64_t failed_at_ns;
};

#define SLOT_BUCKETS 4096u

struct slots {
	struct slot *table;
	uint32_t *by_pid;	/* SLOT_BUCKETS chains */
	uint32_t untold_head, untold_tail;
	uint32_t watched_head;
	uint32_t running;	/* leaders not reaped yet */
};

/* The link that ends a list of slots. (Pid chains hold slot + 1 and end with 0.) */
#define SLOT_LIST_END UINT32_MAX

int slots_init(struct slots *s);	/* 0 or -errno */

static inline struct slot *slot_get(const struct slots *s, uint32_t slot)
{
	return &s->table[slot];
}

void slots_add_pid(struct slots *s, const struct records *r, uint32_t slot);
void slots_remove_pid(struct slots *s, const struct records *r, uint32_t slot);
/* The slot whose unreaped leader is PID; -1: none of ours. */
int64_t slots_find_pid(const struct slots *s, const struct records *r, pid_t pid);

/* Note that the supervisor is to be told FACT of SLOT. */
void slots_tell(struct slots *s, uint32_t slot, enum slot_fact fact);
/* The next slot with something untold, taken off the list; -1: none. */
int64_t slots_untold_pop(struct slots *s);
/* Put a popped slot back to the front: the socket is full. */
void slots_untold_push_front(struct slots *s, uint32_t slot);
/* A new supervisor reads the records itself: only failed starts have to be told still. */
void slots_forget_told_by_records(struct slots *s);
/* Keep FD (taken over) for SLOT in place of what was there; FD < 0: nothing any more. */
void slot_hold(struct slots *s, uint32_t slot, int fd);
/* See that the number of what is held is out of the way of those that a child gets
 * (keeper/child.h). 0; -errno: it could not be moved, -EBADF: nothing is held. */
int slot_lift(struct slot *own);

#endif
