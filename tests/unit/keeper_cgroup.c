/* The keeper's group in this machine's cgroup v2; where there is none to be used, nothing is proven. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "keeper/cgroup.h"
#include "unit.h"

#define LOW 50
#define SLOT 3
#define EMPTY 4		/* its group is removed at the first try */

static struct cgroup c;

static bool is_there(unsigned slot)
{
	int fd = cgroup_open(LOW, slot);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* A member until the removal has begun, and a moment longer. */
static pid_t late_leaver(void)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (cgroup_write(LOW, SLOT, "cgroup.procs", "0") < 0)
		_exit(1);
	while (is_there(EMPTY))
		sched_yield();
	_exit(0);
}

static bool group_is_there(void)
{
	char path[PATH_MAX + sizeof(c.name) + 1];

	snprintf(path, sizeof(path), "%s/%s", c.parent, c.name);
	return access(path, F_OK) == 0;
}

START_TEST(what_leaves_late_does_not_keep_the_group)
{
	int status;
	pid_t pid;

	cgroup_init(&c, LOW, "");
	if (!c.usable)
		return;
	ck_assert_int_eq(cgroup_make(LOW, SLOT), 0);
	ck_assert_int_eq(cgroup_make(LOW, EMPTY), 0);
	pid = late_leaver();
	while (!cgroup_has(&c, SLOT, pid) && waitpid(pid, &status, WNOHANG) == 0)
		sched_yield();
	ck_assert(is_there(SLOT));
	cgroup_fini(&c, LOW);
	ck_assert(!group_is_there());
	waitpid(pid, NULL, 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = { what_leaves_late_does_not_keep_the_group };

	return unit_run("keeper: cgroup", tests, ARRAY_LEN(tests));
}
