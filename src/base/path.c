/* Nobody but root and ourselves may bend the way to a file that procd opens.
 *
 * Each component is opened without following, looked at, and only then entered; a link is read from
 * the open descriptor and its text walked in the same manner. So nothing can be swapped between the
 * look and the step. A stranger's link is followed only as far as his own rights reach: it has to
 * end in a directory of his, and it must not stand where everybody may put links.
 *
 * What is left to the caller is the last name. He opens it without following and judges the open
 * file; the parent says whether strangers could have put it there. */
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"

/* A child that shares the keeper's memory runs this (see keeper/child.c). */
#if defined(__clang__)
#define UNSANITIZED __attribute__((no_sanitize("address", "thread", "undefined"), noinline))
#else
#define UNSANITIZED \
	__attribute__((no_sanitize_address, no_sanitize_thread, no_sanitize_undefined, noinline))
#endif

#define LINKS_MAX 40		/* as the kernel */
#define OVERFLOW_UID 65534	/* what ids without a place in our user namespace look like */
#define NO_OWNER ((uid_t)-1)

/* What is asked of each component. */
struct node {
	uint32_t uid, gid;
	uint32_t mode;
};

struct walk {
	int fd;			/* the directory we stand in */
	struct node here;	/* what it is */
	uid_t linked_by;	/* the stranger whose links were followed */
	int links;
	const char *at;		/* what is left of the way, within REST */
	char rest[PATH_MAX];
	char text[PATH_MAX];	/* a link's */
};

/* --- whom to trust ------------------------------------------------------------------------------ */

UNSANITIZED static long open_at(int dirfd, const char *name, int flags)
{
	long fd = syscall(SYS_openat, dirfd, name, flags | O_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

UNSANITIZED static void close_fd(long fd)
{
	syscall(SYS_close, (int)fd);
}

/* Asked of the kernel as directly as the descriptors are opened and closed: a sanitizer that saw
 * only this would take a number that is used again for a race. Negative errno. statx(2). */
UNSANITIZED static int look_at(long fd, struct node *node)
{
	struct statx sx;

	if (syscall(SYS_statx, (int)fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx) < 0)
		return -errno;
	node->uid = sx.stx_uid;
	node->gid = sx.stx_gid;
	node->mode = sx.stx_mode;
	return 0;
}

/* Does the number have a meaning of its own here? /proc/self/uid_map: "INSIDE OUTSIDE COUNT" lines.
 * When that cannot be read it does: nobody is an ordinary stranger then. */
UNSANITIZED static bool overflow_uid_is_somebody(void)
{
	char text[1024];
	long fd = open_at(AT_FDCWD, "/proc/self/uid_map", O_RDONLY);
	long n = fd >= 0 ? syscall(SYS_read, (int)fd, text, sizeof(text)) : -1;
	uint64_t field[3] = { 0 };
	int at = 0;

	if (fd >= 0)
		close_fd(fd);
	for (long i = 0; i < n; i++) {
		if (text[i] >= '0' && text[i] <= '9') {
			field[at] = 10 * field[at] + (uint64_t)(text[i] - '0');
			if (i + 1 < n && (text[i + 1] < '0' || text[i + 1] > '9'))
				at++;
		}
		if (at < 3)
			continue;
		if (OVERFLOW_UID >= field[0] && OVERFLOW_UID - field[0] < field[2])
			return true;
		at = 0;
		field[0] = field[1] = field[2] = 0;
	}
	return n <= 0;
}

UNSANITIZED bool path_owner_trusted(uid_t uid)
{
	if (uid == 0 || uid == (uid_t)syscall(SYS_geteuid))
		return true;
	return uid == OVERFLOW_UID && !overflow_uid_is_somebody();
}

UNSANITIZED bool path_hard_links_protected(void)
{
	long fd = open_at(AT_FDCWD, "/proc/sys/fs/protected_hardlinks", O_RDONLY);
	char value = '0';

	if (fd < 0)
		return false;
	if (syscall(SYS_read, (int)fd, &value, (size_t)1) != 1)
		value = '0';
	close_fd(fd);
	return value == '1';
}

UNSANITIZED static bool public(const struct node *dir)
{
	return dir->mode & S_IWOTH;
}

/* By others than root and ourselves; a group that is our own counts as ourselves. */
UNSANITIZED static bool writable_by_others(const struct node *dir)
{
	if (!path_owner_trusted(dir->uid) || public(dir))
		return true;
	return dir->mode & S_IWGRP && dir->gid != 0 &&
	       dir->gid != (gid_t)syscall(SYS_getegid);
}

/* --- the way ------------------------------------------------------------------------------------ */

UNSANITIZED static size_t copy(char *to, const char *from, size_t room)
{
	size_t n = 0;

	while (n < room && from[n] != '\0') {
		to[n] = from[n];
		n++;
	}
	if (n < room)
		to[n] = '\0';
	return n;
}

/* Stand in the directory FD. */
UNSANITIZED static int stand_in(struct walk *w, long fd)
{
	if (fd < 0)
		return (int)fd;
	if (w->fd >= 0)
		close_fd(w->fd);
	w->fd = (int)fd;
	return look_at(fd, &w->here);
}

/* The next component into NAME, which has room for NAME_MAX + 1. *LAST: it is the last one; slashes
 * at the end do not count. */
UNSANITIZED static int next_name(struct walk *w, char *name, bool *last)
{
	size_t n = 0;

	while (*w->at == '/')
		w->at++;
	while (w->at[n] != '\0' && w->at[n] != '/') {
		if (n == NAME_MAX)
			return -ENAMETOOLONG;
		name[n] = w->at[n];
		n++;
	}
	name[n] = '\0';
	w->at += n;
	while (*w->at == '/')
		w->at++;
	*last = *w->at == '\0';
	return n == 0 ? -EISDIR : 0;
}

/* May the link that ST describes be followed from where we stand? */
UNSANITIZED static int judge_link(struct walk *w, const struct node *link)
{
	if (++w->links > LINKS_MAX)
		return -ELOOP;
	if (path_owner_trusted(link->uid))
		return 0;
	if (public(&w->here) || (w->linked_by != NO_OWNER && w->linked_by != link->uid))
		return -ELOOP;
	w->linked_by = link->uid;
	return 0;
}

/* The text of the link LINK_FD takes the place of its name. */
UNSANITIZED static int follow(struct walk *w, long link_fd)
{
	long n = syscall(SYS_readlinkat, (int)link_fd, "", w->text, sizeof(w->text));
	size_t used;

	if (n < 0)
		return -errno;
	used = (size_t)n;
	if (used == 0 || used + 1 >= sizeof(w->text))
		return -ENAMETOOLONG;
	w->text[used++] = '/';
	used += copy(w->text + used, w->at, sizeof(w->text) - used);
	if (used >= sizeof(w->text))
		return -ENAMETOOLONG;
	copy(w->rest, w->text, sizeof(w->rest));
	w->at = w->rest;
	return w->rest[0] == '/' ? stand_in(w, open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY)) : 0;
}

/* Asked for as a directory first: that makes an automounter act. */
UNSANITIZED static long open_below(const struct walk *w, const char *name)
{
	long below = open_at(w->fd, name, O_PATH | O_NOFOLLOW | O_DIRECTORY);

	return below == -ENOTDIR || below == -ELOOP ? open_at(w->fd, name, O_PATH | O_NOFOLLOW)
						    : below;
}

UNSANITIZED static int step(struct walk *w, const char *name, unsigned flags)
{
	long below = open_below(w, name);
	struct node node;
	int ret;

	if (below == -ENOENT && flags & PATH_MAKE) {
		if (syscall(SYS_mkdirat, w->fd, name, 0755) < 0 && errno != EEXIST)
			return -errno;
		below = open_below(w, name);
	}
	if (below < 0)
		return (int)below;
	ret = look_at(below, &node);
	if (ret == 0 && S_ISDIR(node.mode)) {
		if (!public(&w->here) || path_owner_trusted(node.uid))
			return stand_in(w, below);
		ret = -EPERM;
	} else if (ret == 0 && S_ISLNK(node.mode)) {
		ret = judge_link(w, &node);
		if (ret == 0)
			ret = follow(w, below);
	} else if (ret == 0) {
		ret = -ENOTDIR;
	}
	close_fd(below);
	return ret;
}

/* A link in the last place is followed when it is root's or ours, and stands where not everybody
 * may put links. 1: followed. */
UNSANITIZED static int step_last(struct walk *w, const char *name)
{
	long fd = open_at(w->fd, name, O_PATH | O_NOFOLLOW);
	struct node node;
	int ret = 0;

	if (fd < 0)
		return fd == -ENOENT ? 0 : (int)fd;
	if (look_at(fd, &node) == 0 && S_ISLNK(node.mode)) {
		if (path_owner_trusted(node.uid) && !public(&w->here) && ++w->links <= LINKS_MAX)
			ret = follow(w, fd);
		else
			ret = -ELOOP;
		if (ret == 0)
			ret = 1;
	}
	close_fd(fd);
	return ret;
}

UNSANITIZED static int walk(struct walk *w, unsigned flags, char *name)
{
	for (;;) {
		bool last;
		int ret = next_name(w, name, &last);

		if (ret == 0 && !last)
			ret = step(w, name, flags);
		else if (ret == 0 && flags & PATH_FOLLOW_LAST)
			ret = step_last(w, name);
		if (ret < 0)
			return ret;
		if (last && ret == 0)
			break;
	}
	return w->linked_by == NO_OWNER || w->linked_by == w->here.uid ? 0 : -ELOOP;
}

UNSANITIZED int path_parent_open(int dirfd, const char *path, unsigned flags,
				 struct path_parent *out)
{
	struct walk w;
	int ret;

	w.fd = -1;
	w.linked_by = NO_OWNER;
	w.links = 0;
	w.at = w.rest;
	if (copy(w.rest, path, sizeof(w.rest)) == sizeof(w.rest))
		return -ENAMETOOLONG;
	if (w.rest[0] == '\0')
		return -ENOENT;
	ret = stand_in(&w, w.rest[0] == '/' ? open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY)
					    : open_at(dirfd, ".", O_PATH | O_DIRECTORY));
	if (ret == 0)
		ret = walk(&w, flags, out->name);
	if (ret < 0) {
		if (w.fd >= 0)
			close_fd(w.fd);
		return ret;
	}
	out->fd = w.fd;
	out->open_to_others = writable_by_others(&w.here);
	out->others_may_replace = out->open_to_others &&
		(!path_owner_trusted(w.here.uid) || !(w.here.mode & S_ISVTX));
	return 0;
}
