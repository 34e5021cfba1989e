/* A message carries at most 253 descriptors, and needs at least one byte. So what belongs to an
 * answer leaves with its first bytes, one byte for each full load. */
#include "control/passing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"

struct passing {
	struct list link;
	size_t at;
	int *fds;
	size_t n, done;
};

void passing_add(struct list *list, size_t at, int *fds, size_t n)
{
	struct passing *p = x_calloc(1, sizeof(*p));

	p->at = at;
	p->fds = fds;
	p->n = n;
	list_append(list, &p->link);
}

static void drop(struct passing *p)
{
	while (p->done < p->n)
		close(p->fds[p->done++]);
	list_remove(&p->link);
	free(p->fds);
	free(p);
}

void passing_free(struct list *list)
{
	while (!list_empty(list))
		drop(list_entry(list->next, struct passing, link));
}

static ssize_t send_with(int fd, const char *byte, const int *fds, size_t n)
{
	char room[CMSG_SPACE(PASSING_AT_ONCE * sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)byte, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room,
			    .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	BUG_ON(c == NULL);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

ssize_t passing_send(struct list *list, int fd, const char *buf, size_t sent, size_t n)
{
	struct passing *p;
	size_t load;
	ssize_t rc;

	if (list_empty(list))
		return send(fd, buf + sent, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	p = list_entry(list->next, struct passing, link);
	if (sent < p->at)
		return send(fd, buf + sent, MIN(n, p->at - sent), MSG_NOSIGNAL | MSG_DONTWAIT);
	load = MIN(p->n - p->done, (size_t)PASSING_AT_ONCE);
	rc = send_with(fd, buf + sent, p->fds + p->done, load);
	if (rc <= 0)
		return rc;
	for (size_t i = 0; i < load; i++)
		close(p->fds[p->done++]);
	if (p->done == p->n)
		drop(p);
	return rc;
}
