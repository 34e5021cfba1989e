/* Ends of processes: our children by their pidfd, orphans that came to us by SIGCHLD. Keeper
 * only. */
#ifndef KEEPER_REAP_H
#define KEEPER_REAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct keeper;

struct reaper {
	int64_t sweep_at_ns;	/* INT64_MAX: none is due */
	int64_t swept_at_ns;
	bool unwatched;		/* there is, or was, a child of ours without a pidfd */
	uint32_t next_to_give;	/* slot; see thrift.c */
	uint64_t files_max;	/* the limit on open files, when last seen */
};

void reap_init(struct keeper *k);
/* The leader of SLOT is ready to be reaped, or may be. */
void reap_slot(struct keeper *k, uint32_t slot);
/* The end of SLOT's leader is in its record: close the books and tell. */
void reap_finish(struct keeper *k, uint32_t slot);
/* SIGCHLD arrived and named PID: reap it if it is an orphan, and look for others soon. */
void reap_note(struct keeper *k, pid_t pid);
void reap_sweep_soon(struct keeper *k);
/* A child of ours has no pidfd: from now on every SIGCHLD is followed by a sweep at once. */
void reap_unwatched(struct keeper *k);
/* Sweep when it is time; returns when it wants to be called again, INT64_MAX for never. */
int64_t reap_turn(struct keeper *k, int64_t now_ns);

#endif
