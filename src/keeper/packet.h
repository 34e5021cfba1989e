/* One packet of the conversation (keeper/proto.h), from either side. No heap. */
#ifndef KEEPER_PACKET_H
#define KEEPER_PACKET_H

#include "keeper/proto.h"

#define PACKET_MAX_FDS (2 + HOLD_MAX)
#define PACKETS_AT_ONCE 16u
_Static_assert(PACKET_MAX_FDS >= HELD_PER_PACKET, "room for every message");

struct outgoing {
	const void *head, *tail;	/* one behind the other; TAIL may be NULL */
	size_t head_size, tail_size;
	const int *fds;			/* NFDS descriptors travel along and stay open here */
	size_t nfds;			/* at most PACKET_MAX_FDS */
};

/* Never waits. 0; -EAGAIN: the socket or the kernel has no room now; another -errno: nobody
 * listens. */
int packet_send(int sock, const struct outgoing *o);

/* The same for N (1 to PACKETS_AT_ONCE) one behind the other, of which only the last may have
 * descriptors. How many were sent; the error is of the first. */
int packets_send(int sock, const struct outgoing *o, unsigned int n);

/* Receive one packet of at most SIZE bytes with the *NFDS descriptors that came along, which are
 * the caller's. FLAGS as of recvmsg(2). Its length, 0 at the end, or -errno. */
ssize_t packet_receive(int sock, void *at, size_t size, int flags, int fds[PACKET_MAX_FDS],
		       int *nfds);

#endif
