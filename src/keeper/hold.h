/* What the keeper keeps open for the supervisor: descriptors that the next one wants back;
 * and one end of each FIFO, so that a missing reader is never a SIGPIPE (pipe(7)). */
#ifndef KEEPER_HOLD_H
#define KEEPER_HOLD_H

#include "keeper/proto.h"
#include "keeper/slot.h"

struct hold {
	uint32_t n;
	int fds[HOLD_MAX];
	char keys[HOLD_MAX][HOLD_KEY_CAP];
};

/* Keep FD (taken over) under KEY in place of what was there; FD < 0: forget it. */
void hold_put(struct hold *h, const char key[HOLD_KEY_CAP], int fd);

/* Open the directory of the FIFOs as LOW_FIFO. 0 or -errno. */
int fifo_dir_take(int run_dirfd);
/* Make the FIFO of STREAM (1 or 2), owned by UID, and hold it in OWN. 0 or -errno. */
int fifo_hold(int run_dirfd, uint32_t slot, struct slot *own, int stream, uid_t uid);
/* Hold the FIFO that an earlier keeper made, if there is one. */
void fifo_hold_existing(uint32_t slot, struct slot *own, int stream);
/* OWN holds a FIFO at least, and nothing waits to be read in any. False also where the kernel does
 * not say. */
bool fifos_empty(const struct slot *own);

#endif
