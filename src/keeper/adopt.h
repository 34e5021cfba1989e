/* Whose parent is not the keeper: children of one that was killed, found again by their records,
 * and whom a program named as the one that goes on for it (keeper/follow.h). Keeper only. */
#ifndef KEEPER_ADOPT_H
#define KEEPER_ADOPT_H

#include <stdbool.h>
#include <stdint.h>

struct keeper;

struct adoption {
	bool asked;		/* TELLS_STATUS is known */
	bool tells_status;	/* the kernel says how a process ended that others reaped */
	int64_t look_at_ns;	/* INT64_MAX: nobody has to be looked at */
};

/* For every record that says RUNNING or EXITED while no parent of it is left: when the process can
 * be proven to be the same, watch it; otherwise it has ended, and how is not known. What its tree
 * left behind is watched, too. Once, right after the records and trees were opened. */
void adopt_all(struct keeper *k);
/* The pidfd of the adopted leader of SLOT has news. */
void adopt_news(struct keeper *k, uint32_t slot);
/* Look after those that no event tells about; returns when to call again, INT64_MAX for never. */
int64_t adopt_turn(struct keeper *k, int64_t now_ns);

#endif
