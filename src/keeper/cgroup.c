/* cgroup v2 as a way to know what belongs to a child, whatever it forks and whoever it becomes.
 *
 * The v2 mount is found through /proc/self/mountinfo, not by a fixed path (hybrid machines have it
 * at a sub-mount), and then simply tried: if a group can be made and has the files, it is used.
 * Files are opened anew each time, so a descriptor per slot is not needed. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/cgroup.h"
#include "keeper/linereader.h"

#define NESTING_MAX 16
#define NAMES_TRIED 1000
#define FINI_TRIES 100
#define FINI_PAUSE_NS 10000000	/* 10 ms */

/* --- finding --------------------------------------------------------------------------------- */

static bool cgroup_own_path(char path[PATH_MAX])
{
	char line[PATH_MAX + 64];
	struct linereader r;
	bool found = false;

	if (!linereader_open(&r, AT_FDCWD, "/proc/self/cgroup", line, sizeof(line)))
		return false;
	while (!found && linereader_next(&r))
		found = strncmp(line, "0::/", 4) == 0 &&
			snprintf(path, PATH_MAX, "%s", line + 3) < PATH_MAX;
	linereader_close(&r);
	return found;
}

/* mountinfo writes blank, tab, newline and backslash as \ooo. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s != '\0'; s++, to++) {
		*to = *s;
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		}
	}
	*to = '\0';
}

/* "ID PARENT MAJ:MIN ROOT MOUNTPOINT OPTIONS... - FSTYPE ...": true for cgroup2. */
static bool mountinfo_parse(char *line, char **root, char **mount_point)
{
	char *rest, *dash = strstr(line, " - ");
	char *field;
	int n = 0;

	if (dash == NULL || strncmp(dash + 3, "cgroup2 ", 8) != 0)
		return false;
	*dash = '\0';
	for (field = strtok_r(line, " ", &rest); field != NULL;
	     field = strtok_r(NULL, " ", &rest), n++) {
		if (n == 3)
			*root = field;
		if (n == 4)
			*mount_point = field;
	}
	if (n < 5)
		return false;
	unescape(*root);
	unescape(*mount_point);
	return true;
}

bool cgroup_find_own(char dir[PATH_MAX], char path_out[PATH_MAX])
{
	char line[2 * PATH_MAX], path[PATH_MAX];
	char *root, *mount_point;
	struct linereader r;
	bool found = false;

	if (!cgroup_own_path(path) ||
	    !linereader_open(&r, AT_FDCWD, "/proc/self/mountinfo", line, sizeof(line)))
		return false;
	while (!found && linereader_next(&r)) {
		const char *below = path;
		size_t n;

		if (!mountinfo_parse(line, &root, &mount_point))
			continue;
		n = strcmp(root, "/") == 0 ? 0 : strlen(root);
		if (n > 0 && (strncmp(path, root, n) != 0 || (path[n] != '/' && path[n] != '\0')))
			continue;	/* a bind mount of some other part of the hierarchy */
		below += n;
		found = snprintf(dir, PATH_MAX, "%s%s", mount_point, below) < PATH_MAX;
	}
	linereader_close(&r);
	if (found && path_out != NULL)
		memcpy(path_out, path, PATH_MAX);
	return found;
}

/* Has the group, opened as DIRFD, what trees need? */
static bool cgroup_has_files(int dirfd, bool *has_kill)
{
	*has_kill = faccessat(dirfd, "cgroup.kill", W_OK, 0) == 0;
	return faccessat(dirfd, "cgroup.events", R_OK, 0) == 0 &&
	       faccessat(dirfd, "cgroup.procs", R_OK | W_OK, 0) == 0;
}

/* A process enters a group below DIRFD only when we may write to DIRFD's own cgroup.procs, too. */
static bool cgroup_may_move(int dirfd)
{
	return faccessat(dirfd, "cgroup.procs", W_OK, AT_EACCESS) == 0;
}

bool cgroup_try(const char *dir, bool *has_kill)
{
	char name[32];
	int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
	bool ok = false;

	*has_kill = false;
	if (dirfd < 0)
		return false;
	snprintf(name, sizeof(name), "procd-probe-%d", (int)getpid());
	if (cgroup_may_move(dirfd) && mkdirat(dirfd, name, 0755) == 0) {
		fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		ok = fd >= 0 && cgroup_has_files(fd, has_kill);
		closep(&fd);
		unlinkat(dirfd, name, AT_REMOVEDIR);
	}
	close(dirfd);
	return ok;
}

/* --- making and removing ---------------------------------------------------------------------- */

/* The group OLD, when it is there and fit for use. */
static int cgroup_open_old(struct cgroup *c, int parent_fd, const char *old)
{
	int fd;

	if (strncmp(old, "procd-", 6) != 0 || strchr(old, '/') != NULL ||
	    strlen(old) >= sizeof(c->name) || !cgroup_may_move(parent_fd))
		return -1;
	fd = openat(parent_fd, old, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && cgroup_has_files(fd, &c->has_kill)) {
		memcpy(c->name, old, strlen(old) + 1);
		return fd;
	}
	closep(&fd);
	return -1;
}

/* Make the keeper's group, always a new one: in another pid namespace somebody may have our pid. */
static int cgroup_make_own(struct cgroup *c, int parent_fd)
{
	int fd, ret = -1;

	snprintf(c->name, sizeof(c->name), "procd-%d", (int)getpid());
	for (int i = 1; i <= NAMES_TRIED && cgroup_may_move(parent_fd); i++) {
		ret = mkdirat(parent_fd, c->name, 0755);
		if (ret == 0 || errno != EEXIST)
			break;
		snprintf(c->name, sizeof(c->name), "procd-%d-%d", (int)getpid(), i);
	}
	if (ret < 0)
		return -1;
	fd = openat(parent_fd, c->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && !cgroup_has_files(fd, &c->has_kill)) {
		close(fd);
		unlinkat(parent_fd, c->name, AT_REMOVEDIR);
		return -1;
	}
	return fd;
}

void cgroup_locate(struct cgroup *c)
{
	c->located = cgroup_find_own(c->parent, c->path);
}

void cgroup_init(struct cgroup *c, int low, const char *old)
{
	char path[PATH_MAX];
	int parent_fd, fd;

	c->usable = false;
	if (!c->located)
		cgroup_locate(c);
	if (!c->located)
		return;
	c->located = false;	/* PATH gets the name, too */
	memcpy(path, c->path, sizeof(path));
	parent_fd = open(c->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent_fd < 0)
		return;
	fd = cgroup_open_old(c, parent_fd, old);
	if (fd < 0)
		fd = cgroup_make_own(c, parent_fd);
	close(parent_fd);
	if (fd < 0)
		return;
	c->has_kill = c->has_kill && !c->refuse_kill;
	c->usable = snprintf(c->path, sizeof(c->path), "%s/%s", strcmp(path, "/") ? path : "",
			     c->name) < (int)sizeof(c->path) &&
		    dup3(fd, low, O_CLOEXEC) >= 0;
	close(fd);
}

/* Remove the groups below DIRFD, deepest first. Only directories: the files go with them. */
static void cgroup_remove_below(int dirfd, int depth)
{
	struct direntry_reader r;
	const char *name;
	int fd;

	if (depth >= NESTING_MAX)
		return;
	direntry_init(&r, dirfd);
	while ((name = direntry_next(&r, DIRENTRY_DIRECTORIES)) != NULL) {
		if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
			continue;
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		cgroup_remove_below(fd, depth + 1);
		unlinkat(dirfd, name, AT_REMOVEDIR);
		close(fd);
	}
}

/* A process that ended may count as a member for a moment longer, reaped or not. */
void cgroup_fini(struct cgroup *c, int low)
{
	const struct timespec pause = { .tv_nsec = FINI_PAUSE_NS };
	int parent_fd, ret = -1;

	if (!c->usable)
		return;
	parent_fd = open(c->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < FINI_TRIES && parent_fd >= 0 && ret < 0; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		cgroup_remove_below(low, 0);
		ret = unlinkat(parent_fd, c->name, AT_REMOVEDIR);
		if (ret < 0 && errno != EBUSY)
			break;
	}
	closep(&parent_fd);
	c->usable = false;
}

/* --- whose it is ------------------------------------------------------------------------------ */

/* Kernels before 5.7 have no such thing. */
#define SIGNATURE "user.procd.owner"

void cgroup_sign(int low, const char *owner)
{
	fsetxattr(low, SIGNATURE, owner, strlen(owner), 0);
}

static bool signed_by(int parent_fd, const char *name, const char *owner)
{
	char text[PATH_MAX + 64];
	ssize_t n;
	int fd;

	if (strncmp(name, "procd-", 6) != 0 || strlen(name) >= CGROUP_NAME_CAP)
		return false;
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = fgetxattr(fd, SIGNATURE, text, sizeof(text));
	close(fd);
	return n == (ssize_t)strlen(owner) && memcmp(text, owner, (size_t)n) == 0;
}

bool cgroup_find_signed(const char *owner, char found[CGROUP_NAME_CAP])
{
	char dir[PATH_MAX];
	struct direntry_reader r;
	const char *name;
	int fd, n = 0;

	found[0] = '\0';
	fd = cgroup_find_own(dir, NULL) ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd < 0)
		return false;
	direntry_init(&r, fd);
	while ((name = direntry_next(&r, DIRENTRY_DIRECTORIES)) != NULL)
		if (signed_by(fd, name, owner) && n++ == 0)
			memcpy(found, name, strlen(name) + 1);
	close(fd);
	if (n != 1)
		found[0] = '\0';
	return n == 1;
}

/* --- one slot's group ------------------------------------------------------------------------- */

int cgroup_make(int low, unsigned slot)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", slot);
	return mkdirat(low, name, 0755) < 0 ? -errno : 0;
}

int cgroup_remove(int low, unsigned slot)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", slot);
	return unlinkat(low, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int cgroup_remake(int low, unsigned slot)
{
	char name[16];
	int fd, ret;

	snprintf(name, sizeof(name), "%u", slot);
	fd = openat(low, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		cgroup_remove_below(fd, 0);
	closep(&fd);
	ret = cgroup_remove(low, slot);
	return ret < 0 && ret != -ENOENT ? ret : cgroup_make(low, slot);
}

int cgroup_open(int low, unsigned slot)
{
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "%u", slot);
	fd = openat(low, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int cgroup_file(int low, unsigned slot, const char *file, int flags)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "%u/%s", slot, file);
	fd = openat(low, name, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool cgroup_populated(int low, unsigned slot)
{
	char text[256];
	int fd = cgroup_file(low, slot, "cgroup.events", O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return fd != -ENOENT;	/* no group, no member */
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[MAX(n, 0)] = '\0';
	return n >= 0 && strstr(text, "populated 1") != NULL;
}

int cgroup_write(int low, unsigned slot, const char *file, const char *text)
{
	int fd = cgroup_file(low, slot, file, O_WRONLY), ret;

	if (fd < 0)
		return fd;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

int cgroup_members(int low, unsigned slot, pid_t *pids, int max)
{
	char name[64], line[32];
	struct linereader r;
	int n = 0;

	snprintf(name, sizeof(name), "%u/cgroup.procs", slot);
	if (!linereader_open(&r, low, name, line, sizeof(line)))
		return -errno;
	while (linereader_next(&r)) {
		long pid = strtol(line, NULL, 10);

		if (pid <= 1)	/* 0: lives in a pid namespace above ours */
			continue;
		if (n < max)
			pids[n] = (pid_t)pid;
		n++;
	}
	linereader_close(&r);
	return n;
}

bool cgroup_has_groups_below(int low, unsigned slot)
{
	char name[16];
	struct stat st;

	snprintf(name, sizeof(name), "%u", slot);
	return fstatat(low, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_nlink > 2;
}

int64_t cgroup_slot_of(const struct cgroup *c, pid_t pid)
{
	char file[32], line[PATH_MAX + 64], own[PATH_MAX + 32], *end;
	struct linereader r;
	int64_t slot = -1;
	int n = snprintf(own, sizeof(own), "0::%s/", c->path);

	snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	if (!linereader_open(&r, AT_FDCWD, file, line, sizeof(line)))
		return -1;
	while (slot < 0 && linereader_next(&r)) {
		if (strncmp(line, own, (size_t)n) != 0)
			continue;
		slot = (int64_t)strtoul(line + n, &end, 10);
		if (end == line + n || (*end != '\0' && *end != '/'))
			slot = -1;
	}
	linereader_close(&r);
	return slot;
}

bool cgroup_has(const struct cgroup *c, unsigned slot, pid_t pid)
{
	return cgroup_slot_of(c, pid) == (int64_t)slot;
}
