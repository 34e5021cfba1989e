/* Following a name to its file by hand, component by component, and watching every directory that
 * is looked into. A directory is armed before the look into it: what changes afterwards is seen by
 * the watch, what changed before by the look.
 *
 * The directory that holds the file is watched for writes, too, the ones above it only for entries
 * that come, go or change their mode: a directory or symlink is never written to. The file itself
 * is watched in addition, for writes that come through another name of it (a hard link, a bind
 * mount of the file alone). */
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

#define MASK_ENTRIES (IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF |      \
		      IN_MOVE_SELF | IN_ATTRIB | IN_ONLYDIR)
#define MASK_WRITES (IN_CLOSE_WRITE | IN_MODIFY)
#define LINKS_MAX 40		/* as the kernel's limit on one path */

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

static void add(struct arming *a, const char *path, uint32_t mask)
{
	if (inotify_add_watch(a->fd, path, mask | IN_MASK_ADD) >= 0)
		return;
	/* Gone meanwhile: the directory above is armed and tells. */
	if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		note_trouble(a, -errno, path);
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

/* DIR/COMPONENT is a symlink: continue with its target and then REST, kept in *TODO. */
static bool follow_link(const char *link, struct strbuf *dir, const char **rest,
			struct strbuf *todo)
{
	char target[PATH_MAX];
	ssize_t n = readlink(link, target, sizeof(target) - 1);
	struct strbuf next = STRBUF_INIT;

	if (n <= 0)
		return false;
	target[n] = '\0';
	if (target[0] == '/') {
		strbuf_reset(dir);
		strbuf_addch(dir, '/');
	}
	strbuf_addf(&next, "%s/%s", target, *rest);
	strbuf_fini(todo);
	*todo = next;
	*rest = todo->buf;
	return true;
}

/* Walk to PATH (absolute). DIR is always a real path: symlinks in it were followed. */
static void arm_path(struct arming *a, const char *path)
{
	auto_free(strbuf_fini) struct strbuf dir = STRBUF_INIT;
	auto_free(strbuf_fini) struct strbuf todo = STRBUF_INIT;
	char component[NAME_MAX + 1];
	const char *rest = path;
	int links = 0;

	strbuf_addch(&dir, '/');
	add(a, dir.buf, MASK_ENTRIES);
	while (next_component(&rest, component)) {
		auto_free(strbuf_fini) struct strbuf here = STRBUF_INIT;
		struct stat st;

		if (strcmp(component, ".") == 0)
			continue;
		if (strcmp(component, "..") == 0) {
			go_up(&dir);
			continue;
		}
		strbuf_addf(&here, "%s%s%s", dir.buf, dir.len > 1 ? "/" : "", component);
		if (lstat(here.buf, &st) < 0)
			break;
		if (S_ISLNK(st.st_mode)) {
			if (++links > LINKS_MAX || !follow_link(here.buf, &dir, &rest, &todo))
				break;
			add(a, dir.buf, MASK_ENTRIES);
			continue;
		}
		if (!S_ISDIR(st.st_mode)) {
			add(a, here.buf, MASK_WRITES | IN_ATTRIB);
			break;
		}
		strbuf_reset(&dir);
		strbuf_addstr(&dir, here.buf);
		add(a, dir.buf, MASK_ENTRIES);
	}
	/* Where the file is, will be, or (a glob's directory) files will appear. */
	add(a, dir.buf, MASK_ENTRIES | MASK_WRITES);
	if (is_remote(dir.buf))
		note_trouble(a, -EOPNOTSUPP, dir.buf);
}

/* The directories that GLOB looks into: the fixed one in front of the first wildcard, and below it
 * whatever matches so far, at each slash. */
static void arm_glob(struct arming *a, const char *pattern)
{
	size_t wild = strcspn(pattern, "*?[");
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
