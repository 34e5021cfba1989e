/* Following a name to its file by hand, component by component, and watching every directory that
 * is looked into, for just what can lead the name elsewhere:
 *
 *	it holds the file, or would	entries that come, go or change, and writes
 *	it holds a symlink of the way	entries: a symlink is replaced, and does not tell itself
 *	it leads to a directory only	nothing in it: that directory tells when it moves or goes
 *
 * So a busy /tmp above the configuration wakes nobody. What matters is armed before it is looked
 * at: what changes afterwards is seen by the watch, what changed before by the look. The file is
 * watched in addition, for writes that come through another name of it (a hard link, a bind mount
 * of the file alone). */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "config/watch.h"

/* IN_DELETE_SELF may be late, when a process stands in the directory; but a directory is empty
 * before it is deleted, and the last directory of the way reports that. */
#define MASK_SELF (IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define MASK_ENTRIES (MASK_SELF | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB)
#define MASK_WRITES (IN_CLOSE_WRITE | IN_MODIFY)
#define DETOURS_MAX 40		/* the kernel's limit of symlinks on one path */

struct arming {
	int fd;
	int error;		/* 0 or a negative errno: the first trouble */
	char *where;		/* its path */
};

static void note_trouble(struct arming *a, int error, const char *path)
{
	if (a->error != 0)
		return;
	a->error = error;
	a->where = x_strdup(path);
}

/* File systems that change elsewhere without telling this kernel. The numbers are kernel ABI
 * (statfs(2)); not all are in a header. */
static bool is_remote(const char *path)
{
	static const uint32_t remote[] = {
		0x6969,		/* NFS */
		0x517b,		/* SMB */
		0xff534d42,	/* CIFS */
		0xfe534d42,	/* SMB2 */
		0x65735546,	/* FUSE, virtiofs */
		0x01021997,	/* 9P */
		0x00c36400,	/* Ceph */
		0x5346414f,	/* AFS */
		0x73757245,	/* Coda */
		0x7461636f,	/* OCFS2 */
		0x01161970,	/* GFS2 */
		0x0bd00bd0,	/* Lustre */
		0x786f4256,	/* VirtualBox shared folders */
	};
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(remote); i++)
		if ((uint32_t)fs.f_type == remote[i])
			return true;
	return false;
}

/* False: PATH is not (any more) what the caller saw. */
static bool add(struct arming *a, const char *path, uint32_t mask)
{
	if (inotify_add_watch(a->fd, path, mask | IN_MASK_ADD) >= 0)
		return true;
	if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
		return false;
	note_trouble(a, -errno, path);
	return true;
}

/* Take the first component off *REST into COMPONENT; false: none left or too long. */
static bool next_component(const char **rest, char component[NAME_MAX + 1])
{
	const char *start = *rest + strspn(*rest, "/");
	size_t n = strcspn(start, "/");

	if (n == 0 || n > NAME_MAX)
		return false;
	memcpy(component, start, n);
	component[n] = '\0';
	*rest = start + n;
	return true;
}

static void go_up(struct strbuf *dir)
{
	while (dir->len > 1 && dir->buf[--dir->len] != '/')
		;
	if (dir->len == 0)
		strbuf_addch(dir, '/');
	dir->buf[dir->len] = '\0';
}

/* A walk along one name. DIR is always a real path: symlinks in it were followed. */
struct walk {
	struct strbuf dir;
	struct strbuf todo;		/* owns what REST points into, once there was a symlink */
	const char *rest;
	int detours;			/* symlinks, and components that changed under our eyes */
};

/* HERE is a symlink: go on with its target and then the rest. */
static bool follow_link(struct walk *walk, const char *here)
{
	char target[PATH_MAX];
	ssize_t n = readlink(here, target, sizeof(target) - 1);
	struct strbuf next = STRBUF_INIT;

	if (n <= 0)
		return false;
	target[n] = '\0';
	if (target[0] == '/') {
		strbuf_reset(&walk->dir);
		strbuf_addch(&walk->dir, '/');
	}
	strbuf_addf(&next, "%s/%s", target, walk->rest);
	strbuf_fini(&walk->todo);
	walk->todo = next;
	walk->rest = walk->todo.buf;
	return true;
}

/* One component further; false: the walk is over. */
static bool step(struct arming *a, struct walk *walk)
{
	auto_free(strbuf_fini) struct strbuf here = STRBUF_INIT;
	char component[NAME_MAX + 1];
	const char *again = walk->rest;
	struct stat st;

	if (!next_component(&walk->rest, component))
		return false;
	if (strcmp(component, ".") == 0)
		return true;
	if (strcmp(component, "..") == 0) {
		go_up(&walk->dir);
		return true;
	}
	strbuf_addf(&here, "%s%s%s", walk->dir.buf, walk->dir.len > 1 ? "/" : "", component);
	if (lstat(here.buf, &st) < 0) {
		add(a, walk->dir.buf, MASK_ENTRIES);
		if (lstat(here.buf, &st) < 0)
			return false;
	}
	if (S_ISLNK(st.st_mode)) {
		add(a, walk->dir.buf, MASK_ENTRIES);
		return ++walk->detours <= DETOURS_MAX && follow_link(walk, here.buf);
	}
	if (!S_ISDIR(st.st_mode)) {
		add(a, here.buf, MASK_WRITES | IN_ATTRIB);
		return false;
	}
	if (!add(a, here.buf, MASK_SELF | IN_DONT_FOLLOW)) {
		walk->rest = again;	/* it was a directory a moment ago: look again */
		return ++walk->detours <= DETOURS_MAX;
	}
	strbuf_reset(&walk->dir);
	strbuf_addstr(&walk->dir, here.buf);
	return true;
}

/* Walk to PATH (absolute). */
static void arm_path(struct arming *a, const char *path)
{
	struct walk walk = { .dir = STRBUF_INIT, .todo = STRBUF_INIT, .rest = path };

	strbuf_addch(&walk.dir, '/');
	while (step(a, &walk))
		;
	/* Where the file is, will be, or (a glob's directory) files will appear. */
	add(a, walk.dir.buf, MASK_ENTRIES | MASK_WRITES);
	if (is_remote(walk.dir.buf))
		note_trouble(a, -EOPNOTSUPP, walk.dir.buf);
	strbuf_fini(&walk.dir);
	strbuf_fini(&walk.todo);
}

/* The directories that GLOB looks into: the fixed one in front of the first wildcard, and below it
 * whatever matches so far, at each slash. */
static void arm_glob(struct arming *a, const char *pattern)
{
	size_t wild = strcspn(pattern, "*?[\\");
	size_t fixed = wild;
	const char *slash;

	while (fixed > 1 && pattern[fixed - 1] != '/')
		fixed--;
	{
		auto_free(freep) char *dir = x_strndup(pattern, fixed);

		arm_path(a, pattern[wild] == '\0' ? pattern : dir);
	}
	for (slash = strchr(pattern + wild, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		auto_free(freep) char *dirs = x_strndup(pattern, (size_t)(slash - pattern));
		glob_t found = { 0 };

		if (glob(dirs, GLOB_NOSORT | GLOB_ONLYDIR, NULL, &found) == 0)
			for (size_t i = 0; i < found.gl_pathc; i++)
				arm_path(a, found.gl_pathv[i]);
		globfree(&found);
	}
}

int watch_arm(int inotify_fd, const struct watch_set *set, char **trouble)
{
	struct arming a = { .fd = inotify_fd };

	for (size_t i = 0; i < set->files.n; i++)
		arm_path(&a, set->files.items[i]);
	for (size_t i = 0; i < set->globs.n; i++)
		arm_glob(&a, set->globs.items[i]);
	*trouble = a.where;
	return a.error;
}
