/* SETUP and WELCOME, from the supervisor's side. Main thread, before its loop. */
#ifndef KEEPER_SETUP_H
#define KEEPER_SETUP_H

#include "base/error.h"
#include "keeper/packet.h"

/* What the keeper holds for a slot. */
struct held_slot {
	uint32_t slot;
	int fd;
};

struct setup_answer {
	struct km_welcome welcome;
	int fds[PACKET_MAX_FDS];	/* run directory, records, then those of welcome.held_keys */
	struct held_slot *held;		/* on the heap */
	uint32_t nheld;
};

/* Say SETUP on FD and wait for the answer, at most 10 s. All in *A, which comes zeroed, is the
 * caller's, also what HELD is when this fails. 0, or the exit code to leave with and *E set. */
int setup_converse(int fd, const struct km_setup *setup, struct setup_answer *a, struct error *e);

#endif
