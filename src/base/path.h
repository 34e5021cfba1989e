/* The way to a file, walked step by step and looked at before it is trusted. [keeper]: system calls
 * and the stack only (about 9 KiB of it), so a child between clone and exec may use it, too. */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

enum path_flags {
	PATH_MAKE = 1,		/* make what is missing on the way, mode 0755 */
	PATH_FOLLOW_LAST = 2,	/* a link in the last place is followed, if it is root's or ours and
				 * not in a directory that everybody may write to */
};

/* Where a file is or will be. FD is the directory (O_PATH, close-on-exec; the caller closes it) and
 * NAME the last component in it, never followed by the walk unless asked to. */
struct path_parent {
	int fd;
	bool open_to_others;	/* strangers may put names into it: links, foreign files */
	bool others_may_replace;	/* and may even take away or replace ours */
	char name[NAME_MAX + 1];
};

/* Root or this process. Within a user namespace root's files from outside look like nobody's. */
bool path_owner_trusted(uid_t uid);

/* Does the kernel keep everybody from giving names to files that are not his
 * (fs.protected_hardlinks)? */
bool path_hard_links_protected(void);

/* Walk PATH (relative: from DIRFD) down to the directory of its last component. Refused on the way:
 * in a directory that everybody may write to, whatever belongs to somebody else (-ELOOP a link,
 * -EPERM a directory); elsewhere, somebody's link that leads out of what is his own (-ELOOP).
 * 0 or negative errno. */
int path_parent_open(int dirfd, const char *path, unsigned flags, struct path_parent *out);

#endif
