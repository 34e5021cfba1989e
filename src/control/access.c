/* Access classes: three questions asked in order, the first yes wins. Ids are compared unsigned and
 * as the kernel gave them; a uid beyond INT_MAX is an ordinary uid. */
#include "control/access.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/alloc.h"

ENUMTEXT(access, "access class",
	[ACCESS_NONE] = "none",
	[ACCESS_READ] = "read",
	[ACCESS_OPERATE] = "operate",
	[ACCESS_ADMIN] = "admin");

/* A peer without supplementary groups, or a kernel without SO_PEERGROUPS: the primary group alone
 * decides. */
static void read_groups(int fd, struct peer *out)
{
	socklen_t size = 32 * sizeof(gid_t);

	out->gids = x_malloc(size);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, out->gids, &size) < 0) {
		if (errno != ERANGE)
			goto none;
		out->gids = x_realloc(out->gids, size);	/* the kernel said how much */
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, out->gids, &size) < 0)
			goto none;
	}
	out->ngids = size / sizeof(gid_t);
	return;
none:
	free(out->gids);
	out->gids = NULL;
}

int peer_read(int fd, struct peer *out)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return -errno;
	*out = (struct peer){ .uid = cred.uid, .gid = cred.gid, .pid = cred.pid };
	read_groups(fd, out);
	return 0;
}

void peer_fini(struct peer *p)
{
	free(p->gids);
	p->gids = NULL;
	p->ngids = 0;
}

static bool in_group(const struct peer *p, gid_t gid)
{
	if (gid == GROUP_NONE)
		return false;
	if (p->gid == gid)
		return true;
	for (size_t i = 0; i < p->ngids; i++)
		if (p->gids[i] == gid)
			return true;
	return false;
}

enum access access_of(const struct peer *p, uid_t own, gid_t operate_gid, gid_t read_gid)
{
	if (p->uid == 0 || p->uid == own)
		return ACCESS_ADMIN;
	if (in_group(p, operate_gid))
		return ACCESS_OPERATE;
	return in_group(p, read_gid) ? ACCESS_READ : ACCESS_NONE;
}
