/* What the keeper keeps open for others: descriptors that the next supervisor wants back, and one
 * end of each child's output FIFOs, so that a missing reader is never a SIGPIPE and bytes wait. */
#ifndef KEEPER_HOLD_H
#define KEEPER_HOLD_H

#include "keeper/plan.h"
#include "keeper/proto.h"
#include "keeper/slot.h"

struct hold {
	uint32_t n;
	int fds[HOLD_MAX];
	char keys[HOLD_MAX][HOLD_KEY_CAP];
};

/* Keep FD (taken over) under KEY in place of what was there; FD < 0: forget it. */
void hold_put(struct hold *h, const char key[HOLD_KEY_CAP], int fd);

#define FIFO_DIR "fifo"
#define FIFO_NAME_CAP 32
/* "fifo/SLOT.out" for STREAM 1, "fifo/SLOT.err" for 2. */
void fifo_name(char name[FIFO_NAME_CAP], uint32_t slot, int stream);
/* Make the FIFO of STREAM in the run directory, owned by UID, and hold it. 0 or -errno. */
int fifo_hold(int run_dirfd, uint32_t slot, struct slot *own, int stream, uid_t uid);
/* Hold the FIFO that an earlier keeper made, if there is one. */
void fifo_hold_existing(int run_dirfd, uint32_t slot, struct slot *own, int stream);
/* Remove them all, also those of an earlier keeper; at the end. */
void fifo_remove_all(int run_dirfd);

#endif
