/* A packet is sent whole or not at all: that is what SOCK_SEQPACKET promises. */
#include "keeper/packet.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int packet_send(int sock, const struct outgoing *o)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * PACKET_MAX_FDS)];
	} control = { 0 };
	union { const void *in; void *out; } head = { .in = o->head }, tail = { .in = o->tail };
	struct iovec parts[2] = {
		{ .iov_base = head.out, .iov_len = o->head_size },
		{ .iov_base = tail.out, .iov_len = o->tail_size },
	};
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = o->tail_size > 0 ? 2 : 1 };
	ssize_t n;

	if (o->nfds > 0) {
		msg.msg_control = control.room;
		msg.msg_controllen = CMSG_SPACE(o->nfds * sizeof(int));
		control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(o->nfds * sizeof(int)),
						  .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), o->fds, o->nfds * sizeof(int));
	}
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	return errno == ENOBUFS || errno == ENOMEM ? -EAGAIN : -errno;
}

ssize_t packet_receive(int sock, void *at, size_t size, int flags, int fds[PACKET_MAX_FDS],
		       int *nfds)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * PACKET_MAX_FDS)];
	} control;
	struct iovec iov = { .iov_base = at, .iov_len = size };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *c;
	ssize_t got;

	*nfds = 0;
	do
		got = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	c = CMSG_FIRSTHDR(&msg);
	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		*nfds = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), (size_t)*nfds * sizeof(int));
	}
	return got;
}
