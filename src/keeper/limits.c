/* Limits by cgroup v2: which controllers there are, and the text of their files.
 *
 * A controller works for a group when every group above passes it on (cgroup.subtree_control). The
 * kernel refuses that for a group with processes of its own, but for the root; then the keeper and
 * what descends from it go to a group "NAME-self" beside its own, "NAME". Only process 1 does so:
 * when any other keeper is killed, the next one has to be started in the same group to find what
 * lives, and a service manager could not put it there any more. Children matter more than
 * limits. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/limits.h"
#include "keeper/linereader.h"

#define ANCESTORS_MAX 64
#define PASSES 4		/* processes may be forked while others are moved */

enum controller { MEMORY, CPU, IO, PIDS, NCONTROLLERS };

static const char *const controller_names[NCONTROLLERS] = {
	[MEMORY] = "memory", [CPU] = "cpu", [IO] = "io", [PIDS] = "pids",
};

/* --- files ------------------------------------------------------------------------------------- */

static int write_at(int dirfd, const char *file, const char *text)
{
	int fd = openat(dirfd, file, O_WRONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/* Is NAME one of the blank-separated words in FILE? */
static bool has_word(int dirfd, const char *file, const char *name)
{
	char line[512], *rest, *word;
	struct linereader r;
	bool found = false;

	if (!linereader_open(&r, dirfd, file, line, sizeof(line)))
		return false;
	if (linereader_next(&r))
		for (word = strtok_r(line, " ", &rest); word != NULL && !found;
		     word = strtok_r(NULL, " ", &rest))
			found = strcmp(word, name) == 0;
	linereader_close(&r);
	return found;
}

static int pass_on(int dirfd, const char *sign, const char *name)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%s", sign, name);
	return write_at(dirfd, "cgroup.subtree_control", text);
}

/* --- leaving the group that we were started in ------------------------------------------------------ */

static pid_t parent_of(pid_t pid)
{
	char file[32], line[512];
	const char *at = NULL;
	struct linereader r;

	snprintf(file, sizeof(file), "/proc/%d/stat", (int)pid);
	if (!linereader_open(&r, AT_FDCWD, file, line, sizeof(line)))
		return 0;
	if (linereader_next(&r))
		at = strrchr(line, ')');
	linereader_close(&r);
	/* ") S PPID ..." */
	return at != NULL && strlen(at) > 4 ? (pid_t)strtol(at + 4, NULL, 10) : 0;
}

static bool descends_from_us(pid_t pid)
{
	for (int i = 0; i < ANCESTORS_MAX && pid > 0; i++) {
		if (pid == getpid())
			return true;
		pid = parent_of(pid);
	}
	return false;
}

/* Give each member of the group FROM to the function; the number of them, or -errno. */
static int each_member(int from, int to, int (*call)(int to, pid_t pid))
{
	char line[32];
	struct linereader r;
	int n = 0, ret = 0;

	if (!linereader_open(&r, from, "cgroup.procs", line, sizeof(line)))
		return -errno;
	for (; ret == 0 && linereader_next(&r); n++)
		ret = call(to, (pid_t)strtol(line, NULL, 10));
	linereader_close(&r);
	return ret < 0 ? ret : n;
}

/* Also those that are gone by now are no strangers. */
static int must_be_ours(int to, pid_t pid)
{
	char file[32];

	(void)to;
	if (pid > 0 && descends_from_us(pid))
		return 0;
	snprintf(file, sizeof(file), "/proc/%d", (int)pid);
	return pid > 0 && access(file, F_OK) < 0 ? 0 : -EBUSY;
}

static int move_to(int to, pid_t pid)
{
	char text[16];
	int ret;

	snprintf(text, sizeof(text), "%d", (int)pid);
	ret = write_at(to, "cgroup.procs", text);
	return ret == -ESRCH ? 0 : ret;
}

static int move_all(int from, int to)
{
	int n = 1;

	for (int i = 0; i < PASSES && n > 0; i++)
		n = each_member(from, to, move_to);
	return n > 0 ? -EBUSY : n;
}

static void self_name(const struct cgroup *c, char name[64])
{
	snprintf(name, 64, "%s-self", c->name);
}

static int move_out(struct cgroup *c, int parent)
{
	char name[64];
	int self, ret = each_member(parent, -1, must_be_ours);

	if (ret < 0)
		return ret;
	self_name(c, name);
	if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	self = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (self < 0)
		return -errno;
	ret = move_all(parent, self);
	close(self);
	c->moved = ret == 0;
	return ret;
}

/* --- controllers ------------------------------------------------------------------------------------ */

static bool enable_one(struct cgroup *c, int parent, int low, bool may_leave, const char *name)
{
	if (!has_word(low, "cgroup.controllers", name)) {
		int ret = has_word(parent, "cgroup.controllers", name) ? pass_on(parent, "+", name)
								       : -ENOENT;

		if (ret == -EBUSY && may_leave && !c->moved && move_out(c, parent) == 0)
			ret = pass_on(parent, "+", name);
		if (ret < 0)
			return false;
	}
	return pass_on(low, "+", name) == 0;
}

uint32_t limits_enable(struct cgroup *c, int low, bool may_leave, const char *const *names,
		       size_t n)
{
	int parent = open(c->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint32_t works = 0;

	for (size_t i = 0; i < n && parent >= 0; i++)
		if (enable_one(c, parent, low, may_leave, names[i]))
			works |= UINT32_C(1) << i;
	closep(&parent);
	return works;
}

uint32_t limits_controllers(struct cgroup *c, int low)
{
	if (!c->controllers_known && c->usable)
		c->controllers = limits_enable(c, low, getpid() == 1, controller_names,
					       NCONTROLLERS);
	c->controllers_known = true;
	return c->controllers;
}

void limits_leave(struct cgroup *c, int low, const char *const *names, size_t n)
{
	int parent = c->moved ? open(c->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	char name[64];

	if (parent < 0)
		return;
	if (names == NULL) {
		names = controller_names;
		n = NCONTROLLERS;
	}
	/* a group may have processes again when it passes on nothing */
	for (size_t i = 0; i < n; i++) {
		pass_on(low, "-", names[i]);
		pass_on(parent, "-", names[i]);
	}
	if (move_to(parent, getpid()) == 0) {
		self_name(c, name);
		unlinkat(parent, name, AT_REMOVEDIR);
		c->moved = false;
	}
	close(parent);
}

/* --- limits ------------------------------------------------------------------------------------------ */

#define CPU_PERIOD_US 100000

static const struct {
	enum controller controller;
	const char *file, *none;
	const char *prefix, *suffix;	/* around the number */
	uint64_t scale;
} limits[PLAN_CGROUP_LIMITS] = {
	[LIMIT_MEMORY_MAX] = { MEMORY, "memory.max", "max", "", "", 1 },
	[LIMIT_MEMORY_HIGH] = { MEMORY, "memory.high", "max", "", "", 1 },
	/* per cent of one processor, as microseconds in each tenth of a second */
	[LIMIT_CPU_QUOTA] = { CPU, "cpu.max", "max 100000", "", " 100000", CPU_PERIOD_US / 100 },
	[LIMIT_CPU_WEIGHT] = { CPU, "cpu.weight", "100", "", "", 1 },
	[LIMIT_TASKS_MAX] = { PIDS, "pids.max", "max", "", "", 1 },
	[LIMIT_IO_WEIGHT] = { IO, "io.weight", "default 100", "default ", "", 1 },
};

uint32_t limits_wanted(const struct plan *p)
{
	uint32_t wanted = 0;

	for (int i = 0; i < PLAN_CGROUP_LIMITS; i++)
		if (p->cgroup_limits[i] != 0)
			wanted |= UINT32_C(1) << i;
	return wanted;
}

static int apply_one(int low, unsigned slot, int limit, uint64_t value)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%llu%s", limits[limit].prefix,
		 (unsigned long long)(value * limits[limit].scale), limits[limit].suffix);
	return cgroup_write(low, slot, limits[limit].file,
			    value != 0 ? text : limits[limit].none);
}

int limits_apply(int low, unsigned slot, const struct plan *p, uint32_t controllers,
		 uint32_t *missing)
{
	*missing = 0;
	for (int i = 0; i < PLAN_CGROUP_LIMITS; i++) {
		uint64_t value = p->cgroup_limits[i];
		int ret = controllers >> limits[i].controller & 1
				  ? apply_one(low, slot, i, value) : -ENOENT;

		/* io.weight is there with some schedulers only */
		if (ret < 0 && ret != -ENOENT)
			return ret;
		if (ret < 0 && value != 0)
			*missing |= UINT32_C(1) << i;
	}
	return 0;
}
