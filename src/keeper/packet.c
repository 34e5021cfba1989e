/* A packet is sent whole or not at all: that is what SOCK_SEQPACKET promises. */
#include "keeper/packet.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int packets_send(int sock, const struct outgoing *o, unsigned int n)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * PACKET_MAX_FDS)];
	} control;
	struct iovec parts[PACKETS_AT_ONCE][2];
	struct mmsghdr msgs[PACKETS_AT_ONCE];
	const struct outgoing *last = &o[n - 1];
	int sent;

	for (unsigned int i = 0; i < n; i++) {
		union { const void *in; void *out; } head = { .in = o[i].head }, tail = { .in = o[i].tail };

		parts[i][0] = (struct iovec){ .iov_base = head.out, .iov_len = o[i].head_size };
		parts[i][1] = (struct iovec){ .iov_base = tail.out, .iov_len = o[i].tail_size };
		msgs[i].msg_hdr = (struct msghdr){ .msg_iov = parts[i],
						   .msg_iovlen = o[i].tail_size > 0 ? 2 : 1 };
	}
	if (last->nfds > 0) {
		msgs[n - 1].msg_hdr.msg_control = control.room;
		msgs[n - 1].msg_hdr.msg_controllen = CMSG_SPACE(last->nfds * sizeof(int));
		memset(&control, 0, sizeof(control));
		control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(last->nfds * sizeof(int)),
						  .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), last->fds, last->nfds * sizeof(int));
	}
	do
		sent = sendmmsg(sock, msgs, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent > 0)
		return sent;
	return errno == ENOBUFS || errno == ENOMEM ? -EAGAIN : -errno;
}

int packet_send(int sock, const struct outgoing *o)
{
	int sent = packets_send(sock, o, 1);

	return sent < 0 ? sent : 0;
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
