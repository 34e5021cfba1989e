/* A packet is sent whole or not at all: that is what SOCK_SEQPACKET promises. */
#include "keeper/packet.h"

#include <errno.h>
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
