/* What of the file system a program sees and may write to.
 *
 * The namespace gets everything from outside and gives nothing back. The root directory is changed
 * before anything is mounted, so paths are the ones that the program will use. Whether a step
 * worked is seen by looking at the result: a sandbox around procd may say 0 to a call that it
 * dropped. */
#include "keeper/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/util.h"
#include "keeper/rawcall.h"

#define PATH_SIZE 4096

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

IN_CHILD static bool needed(const struct plan *p)
{
	return p->flags & PLAN_PRIVATE_TMP || p->protect_system != PLAN_PROTECT_NONE ||
	       p->ncredentials > 0;
}

IN_CHILD static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Is PATH something else than it was BEFORE? 0 or -errno. */
IN_CHILD static int has_changed(const char *path, const struct stat *before)
{
	struct stat now;

	if (stat(path, &now) < 0)
		return -errno;
	return same_file(before, &now) ? -EPERM : 0;
}

/* Without /proc the kernel's word has to do. */
IN_CHILD int mounts_namespace(const struct plan *p)
{
	struct stat before;
	bool known;
	int ret;

	if (!needed(p))
		return 0;
	known = stat("/proc/self/ns/mnt", &before) == 0;
	ret = (int)raw_call(SYS_unshare, CLONE_NEWNS);
	if (ret == 0 && known)
		ret = has_changed("/proc/self/ns/mnt", &before);
	return ret < 0 ? ret : (int)raw_call(SYS_mount, NULL, "/", NULL, MS_REC | MS_SLAVE, NULL);
}

/* --- the root directory -------------------------------------------------------------------------- */

IN_CHILD int mounts_root(const struct plan *p)
{
	const char *path = plan_str(p, p->root_dir);
	struct stat wanted, now;
	int ret = 0;

	if (path == NULL)
		return 0;
	if (needed(p))	/* a mount of its own, which can be changed as a whole */
		ret = (int)raw_call(SYS_mount, path, path, NULL, MS_BIND | MS_REC, NULL);
	if (ret == 0 && stat(path, &wanted) < 0)
		ret = -errno;
	if (ret == 0)
		ret = (int)raw_call(SYS_chroot, path);
	if (ret == 0)
		ret = (int)raw_call(SYS_chdir, "/");
	if (ret == 0 && stat("/", &now) < 0)
		ret = -errno;
	else if (ret == 0 && !same_file(&wanted, &now))
		ret = -EPERM;
	return ret;
}

/* The directory that was entered before is below what was mounted since, or outside the new
 * root. */
IN_CHILD int mounts_reenter(const struct plan *p)
{
	char path[PATH_SIZE];
	int ret;

	if (p->cwd != 0 || !needed(p))
		return 0;
	ret = (int)raw_call(SYS_getcwd, path, sizeof(path));
	return ret < 0 ? ret : (int)raw_call(SYS_chdir, path);
}

/* --- private_tmp ----------------------------------------------------------------------------------- */

IN_CHILD static int mount_tmpfs(const char *path, unsigned long flags, const char *options)
{
	struct stat before;
	int ret;

	if (stat(path, &before) < 0)
		return -errno;
	ret = (int)raw_call(SYS_mount, "tmpfs", path, "tmpfs", flags, options);
	return ret == 0 ? has_changed(path, &before) : ret;
}

IN_CHILD static int mount_tmp(const char *path)
{
	return mount_tmpfs(path, MS_NOSUID | MS_NODEV, "mode=1777,size=25%");
}

IN_CHILD int mounts_private_tmp(const struct plan *p)
{
	int ret;

	if (!(p->flags & PLAN_PRIVATE_TMP))
		return 0;
	ret = mount_tmp("/tmp");
	if (ret == 0)
		ret = mount_tmp("/var/tmp");
	else
		return ret;
	return ret == -ENOENT ? 0 : ret;	/* what is not there is not shared */
}

/* PATH and what is mounted below it; PATH is the root of a mount. */
IN_CHILD static int make_read_only(const char *path)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	struct statfs fs;
	int ret;

	ret = (int)raw_call(SYS_mount_setattr, AT_FDCWD, path, AT_RECURSIVE, &attr,
			    sizeof(attr));
	if (ret == 0 && statfs(path, &fs) < 0)
		ret = -errno;
	else if (ret == 0 && !(fs.f_flags & MS_RDONLY))
		ret = -EPERM;
	return ret;
}

/* --- credentials ------------------------------------------------------------------------------------ */

#define SECRET_FLAGS (MS_NOSUID | MS_NODEV | MS_NOEXEC)
#define SECRET_OPTIONS "mode=0700,size=1m"

IN_CHILD static int write_all(int fd, const char *data, uint32_t size)
{
	while (size > 0) {
		long n = raw_call(SYS_write, fd, data, size);

		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		data += n;
		size -= (uint32_t)n;
	}
	return 0;
}

/* For its user alone: FD becomes MODE and, where the ids are to change, his. */
IN_CHILD static int hand_over(const struct plan *p, int fd, unsigned mode)
{
	int ret = (int)raw_call(SYS_fchmod, fd, mode);

	if (ret == 0 && p->flags & PLAN_SET_IDS)
		ret = (int)raw_call(SYS_fchown, fd, p->uid, p->gid);
	return ret;
}

IN_CHILD static int write_credential(const struct plan *p, int dir, const struct plan_credential *c)
{
	long fd = raw_call(SYS_openat, dir, plan_str(p, c->name),
			   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int ret = (int)fd;

	if (fd < 0)
		return ret;
	ret = write_all((int)fd, (const char *)p + c->data, c->size);
	if (ret == 0)
		ret = hand_over(p, (int)fd, 0400);
	raw_call(SYS_close, fd);
	return ret;
}

IN_CHILD static int write_credentials(const struct plan *p)
{
	const struct plan_credential *c =
		(const void *)((const char *)p + p->credentials);
	long dir = raw_call(SYS_openat, AT_FDCWD, PLAN_CREDENTIALS_DIR,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	int ret = dir < 0 ? (int)dir : 0;

	for (uint32_t i = 0; i < p->ncredentials && ret == 0; i++)
		ret = write_credential(p, (int)dir, &c[i]);
	if (ret == 0)
		ret = hand_over(p, (int)dir, 0500);
	if (dir >= 0)
		raw_call(SYS_close, dir);
	return ret;
}

/* Where the kernel can, memory that is never written to the swap space. */
IN_CHILD int mounts_credentials(const struct plan *p)
{
	int ret;

	if (p->ncredentials == 0)
		return 0;
	ret = (int)raw_call(SYS_mkdirat, AT_FDCWD, PLAN_CREDENTIALS_DIR, 0755);
	if (ret < 0 && ret != -EEXIST)
		return ret;
	ret = mount_tmpfs(PLAN_CREDENTIALS_DIR, SECRET_FLAGS, SECRET_OPTIONS ",noswap");
	if (ret == -EINVAL)
		ret = mount_tmpfs(PLAN_CREDENTIALS_DIR, SECRET_FLAGS, SECRET_OPTIONS);
	if (ret == 0)
		ret = write_credentials(p);
	return ret == 0 ? make_read_only(PLAN_CREDENTIALS_DIR) : ret;
}

/* --- protect_system -------------------------------------------------------------------------------- */

/* Some are links into /usr on most systems; once more does no harm there. */
IN_CHILD static int protect_directory(const char *path)
{
	int ret = (int)raw_call(SYS_mount, path, path, NULL, MS_BIND | MS_REC, NULL);

	if (ret == -ENOENT)
		return 0;
	return ret < 0 ? ret : make_read_only(path);
}

IN_CHILD static int protect_programs(bool settings)
{
	const char *const paths[] = {
		"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/boot", "/efi",
	};
	int ret = 0;

	for (size_t i = 0; i < ARRAY_LEN(paths) && ret == 0; i++)
		ret = protect_directory(paths[i]);
	return ret == 0 && settings ? protect_directory("/etc") : ret;
}

/* The kernel's own file systems, and what was mounted for this program alone, are taken up before
 * and put back behind: as they were, nothing in them becomes writable that was not. */
IN_CHILD static int protect_all(const struct plan *p)
{
	const char *const paths[] = { "/dev", "/proc", "/sys", "/tmp", "/var/tmp" };
	const size_t n = p->flags & PLAN_PRIVATE_TMP ? ARRAY_LEN(paths) : 3;
	long trees[ARRAY_LEN(paths)];
	int ret = 0;

	for (size_t i = 0; i < n && ret == 0; i++) {
		trees[i] = raw_call(SYS_open_tree, AT_FDCWD, paths[i],
				    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
		if (trees[i] < 0 && trees[i] != -ENOENT)
			ret = (int)trees[i];	/* whatever is open now ends with the child */
	}
	if (ret == 0)
		ret = make_read_only("/");
	for (size_t i = 0; i < n && ret == 0; i++) {
		if (trees[i] < 0)
			continue;
		ret = (int)raw_call(SYS_move_mount, trees[i], "", AT_FDCWD, paths[i],
				    MOVE_MOUNT_F_EMPTY_PATH);
		raw_call(SYS_close, trees[i]);
	}
	return ret;
}

IN_CHILD int mounts_protect_system(const struct plan *p)
{
	switch (p->protect_system) {
	case PLAN_PROTECT_NONE:
		return 0;
	case PLAN_PROTECT_STRICT:
		return protect_all(p);
	default:
		return protect_programs(p->protect_system == PLAN_PROTECT_FULL);
	}
}
