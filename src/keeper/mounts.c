/* What of the file system a program sees and may write to.
 *
 * The namespace gets everything from outside and gives nothing back. The root directory is changed
 * before anything is mounted, so paths are the ones that the program will use. Whether a step worked
 * is seen by looking at the result: a sandbox around procd may say 0 to a call that it dropped. */
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

#define IN_CHILD RAW_CODE __attribute__((noinline))

#define PATH_SIZE 4096

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

IN_CHILD static bool needed(const struct plan *p)
{
	return p->flags & PLAN_PRIVATE_TMP || p->protect_system != PLAN_PROTECT_NONE;
}

IN_CHILD static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Without /proc the kernel's word has to do. */
IN_CHILD int mounts_namespace(const struct plan *p)
{
	struct stat before, now;
	bool known;
	int ret;

	if (!needed(p))
		return 0;
	known = stat("/proc/self/ns/mnt", &before) == 0;
	ret = (int)raw_call(SYS_unshare, CLONE_NEWNS);
	if (ret < 0)
		return ret;
	if (known && (stat("/proc/self/ns/mnt", &now) < 0 || same_file(&before, &now)))
		return -EPERM;
	return (int)raw_call(SYS_mount, NULL, "/", NULL, MS_REC | MS_SLAVE, NULL);
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
	if (ret == 0 && (stat("/", &now) < 0 || !same_file(&wanted, &now)))
		ret = -EPERM;
	return ret;
}

/* The directory that was entered before is below what was mounted since, or outside the new root. */
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

IN_CHILD static int mount_tmp(const char *path)
{
	struct stat before, now;
	int ret;

	if (stat(path, &before) < 0)
		return -errno;
	ret = (int)raw_call(SYS_mount, "tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV,
			    "mode=1777,size=25%");
	if (ret == 0 && (stat(path, &now) < 0 || same_file(&before, &now)))
		ret = -EPERM;
	return ret;
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

/* --- protect_system -------------------------------------------------------------------------------- */

/* PATH and what is mounted below it; PATH is the root of a mount. */
IN_CHILD static int make_read_only(const char *path)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	struct statfs fs;
	int ret;

	ret = (int)raw_call(SYS_mount_setattr, AT_FDCWD, path, AT_RECURSIVE, &attr,
			    sizeof(attr));
	if (ret == 0 && (statfs(path, &fs) < 0 || !(fs.f_flags & MS_RDONLY)))
		ret = -EPERM;
	return ret;
}

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
