/* Who is at the door, and what is he allowed to do? Decided by the kernel's word about the peer
 * (SO_PEERCRED, SO_PEERGROUPS), never by anything the peer says. */
#ifndef CONTROL_ACCESS_H
#define CONTROL_ACCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/enumtext.h"

/* Each class includes those before it. */
enum access {
	ACCESS_NONE,
	ACCESS_READ,	/* looks only: control.read_group */
	ACCESS_OPERATE,	/* acts on subsystems: control.group */
	ACCESS_ADMIN,	/* acts on procd itself: root and procd's own uid */
	ACCESS_COUNT
};
extern const struct enumtext access_text;	/* "none", "read", "operate", "admin" */

struct peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	gid_t *gids;		/* supplementary, owned */
	size_t ngids;
};

/* Ask the kernel about the peer of FD as of its connect(2). 0 or negative errno. */
int peer_read(int fd, struct peer *out);
void peer_fini(struct peer *p);

#define GROUP_NONE ((gid_t)-1)
/* The class of P for a daemon that runs as OWN; GROUP_NONE = no such group configured. Pure. */
enum access access_of(const struct peer *p, uid_t own, gid_t operate_gid, gid_t read_gid);

#endif
