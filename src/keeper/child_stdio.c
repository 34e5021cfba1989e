/* What the child reads and writes. Files are opened with the keeper's rights, so it matters whose
 * they are and who could have put them there. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "keeper/child_step.h"

IN_CHILD static int child_put(long from, int to)
{
	if (from < 0)
		return errno;
	TRY(syscall(SYS_dup3, (int)from, to, 0));
	return 0;
}

/* May the child get this file, opened with the keeper's rights? Where others can put names, it has
 * to be a file that its user could have been given anyway: not a second name of something else. */
IN_CHILD static bool child_may_have(const struct plan *p, const struct path_parent *dir,
				    const struct stat *st, int to)
{
	bool own = st->st_uid == 0 || st->st_uid == (uid_t)syscall(SYS_geteuid) ||
		   (p->flags & PLAN_SET_IDS && st->st_uid == p->uid);

	if (S_ISCHR(st->st_mode))
		return true;
	if (to == 0 && !dir->open_to_others)
		return true;
	return own && st->st_nlink == 1 &&
	       (!dir->others_may_replace || path_hard_links_protected());
}

IN_CHILD static long child_open_in(const struct path_parent *dir, int flags)
{
	long fd = syscall(SYS_openat, dir->fd, dir->name, flags, 0);

	if (fd >= 0 || errno != ENOENT || !(flags & O_APPEND))
		return fd;
	return syscall(SYS_openat, dir->fd, dir->name, flags | O_CREAT | O_EXCL, 0644);
}

/* Opening must never hang the keeper (a FIFO without its other end): O_NONBLOCK first, and the flag
 * goes when the file turned out to be harmless. The keeper's rights are still in effect, so the way
 * is walked as for procd's own files. */
IN_CHILD static int child_open_file(const struct plan *p, const char *path, int to)
{
	int flags = to == 0 ? O_RDONLY : O_WRONLY | O_APPEND;
	struct path_parent dir;
	struct stat st;
	long fd;
	int failed = -path_parent_open(AT_FDCWD, path, to == 0 ? PATH_FOLLOW_LAST : 0, &dir);

	if (failed != 0)
		return failed;
	fd = child_open_in(&dir, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	failed = fd < 0 || fstat((int)fd, &st) < 0 ? errno : 0;
	syscall(SYS_close, dir.fd);
	if (failed != 0)
		return failed;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	if (to != 0 && !S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
		return EINVAL;
	if (!child_may_have(p, &dir, &st, to))
		return EPERM;
	TRY(syscall(SYS_fcntl, (int)fd, F_SETFL, (flags & O_APPEND)));
	return child_put(fd, to);
}

IN_CHILD int child_stdio(const struct child_job *job, int to)
{
	const struct plan *p = job->plan;

	switch (p->stdio[to]) {
	case PLAN_STDIO_INHERIT:
		return 0;
	case PLAN_STDIO_FILE:
		return child_open_file(p, plan_str(p, p->stdio_path[to]), to);
	case PLAN_STDIO_CAPTURE:
		/* a description of its own: what one instance sets on it dies with it */
		return child_put(syscall(SYS_openat, LOW_FIFO, job->fifo[to - 1],
					 O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0), to);
	case PLAN_STDIO_STDOUT:
		return child_put(1, to);
	default:
		return child_put(LOW_NULL, to);
	}
}
