/* A new executable: tried, kept or given back. Keeper only.
 *
 * The supervisor that orders an upgrade has made the new executable check the state that it is to
 * take over, and leaves in order. Then the new one is on trial until it is ready, and on probation
 * for as long again: the old one stays open, and comes back when the new one fails. */
#ifndef KEEPER_UPGRADE_H
#define KEEPER_UPGRADE_H

#include "keeper/proto.h"

struct keeper;

enum upgrade_phase {
	UPGRADE_IDLE,
	UPGRADE_ORDERED,	/* the supervisor that asked for it is about to exit */
	UPGRADE_TRIAL,		/* the new one was started */
	UPGRADE_PROBATION,	/* it is ready; should it crash soon, the old one comes back */
};

struct upgrade {
	enum upgrade_phase phase;
	bool keeper_too;	/* of the one under way */
	bool swapped;		/* this keeper is the new executable, on trial, too */
	bool late;		/* the trial was ended by us */
	int exe;		/* the new one, until it is LOW_EXE; -1 */
	int old_exe;		/* what to go back to; -1 */
	int64_t until_ns;	/* end of trial or probation */
	struct km_upgraded told;	/* how the latest one ended */
	char path[PATH_MAX];		/* where LOW_EXE was found */
	char other_path[PATH_MAX];	/* of EXE, then of OLD_EXE */
};

void upgrade_init(struct keeper *k);
/* The supervisor says so; takes EXE. False: it makes no sense now. */
bool upgrade_order(struct keeper *k, const struct km_upgrade *m, int exe);
/* The supervisor that gave the order has ended. */
void upgrade_begin(struct keeper *k);
/* This keeper was executed in place of another one, in the middle of an upgrade. */
void upgrade_resume(struct keeper *k);
/* The upgrade failed: the old executable comes back, the next supervisor will be told why. */
void upgrade_fail(struct keeper *k, enum upgrade_outcome outcome, int32_t detail);
/* The supervisor serves. */
void upgrade_ready(struct keeper *k);
/* The supervisor ended with STATUS. True: it was the new one's fault, the old one is coming. */
bool upgrade_died(struct keeper *k, int status);
int64_t upgrade_turn(struct keeper *k, int64_t now_ns);

#endif
