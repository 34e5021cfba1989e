/* A child's whole tree: signal it, kill it until it is empty, know when it is empty.
 *
 * With cgroup v2 the kernel keeps the list. Without, the tree is: what descends from the leader,
 * what is in the leader's session, and orphans (they come to the keeper, the subreaper) whose
 * environment carries the subsystem's name; always below the keeper, so a stranger who happens to
 * have an old number is never meant. Keeper only. */
#ifndef KEEPER_TREE_H
#define KEEPER_TREE_H

#include "keeper/cgroup.h"
#include "keeper/proctable.h"

struct keeper;

struct tree_watch {
	struct cgroup cgroup;
	struct proctable procs;
	int64_t next_ns;	/* when watched trees are looked at again; INT64_MAX: none is */
	int64_t interval_ns;
};

int tree_init(struct keeper *k);	/* 0 or -errno; cgroup_init() is done at SETUP */

/* Live members of the tree of SLOT besides an unreaped dead leader; an estimate above 1. */
uint32_t tree_members(struct keeper *k, uint32_t slot);
/* The same when the leader has ended. The group of one that is not started again goes with its last
 * member: to remove it costs hardly more than to look, and need not be done after all have
 * ended. */
uint32_t tree_rest(struct keeper *k, uint32_t slot);
/* Is PID a living member of the tree of SLOT? Then *PARENT is its parent. */
bool tree_has(struct keeper *k, uint32_t slot, pid_t pid, pid_t *parent);
/* Send SIGNO to every member. SIGKILL is repeated by tree_turn() until the tree is empty. */
void tree_signal(struct keeper *k, uint32_t slot, int signo, bool then_cont);
/* To the main process only, if it has not been reaped. */
void tree_signal_leader(struct keeper *k, uint32_t slot, int signo, bool then_cont);
/* Look after SLOT until it is empty, then its record is GONE and the supervisor told. */
void tree_watch(struct keeper *k, uint32_t slot);
/* Repeat kills and look for emptied trees when it is time; returns when it wants to be called
 * again, INT64_MAX for never. */
int64_t tree_turn(struct keeper *k, int64_t now_ns);

#endif
