/* The keeper's group in this machine's cgroup v2; where there is none to be used, nothing is proven. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
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

START_TEST(a_group_is_found_by_its_owner_alone)
{
	char owner[32], other[32], name[CGROUP_NAME_CAP], kept[64];

	snprintf(owner, sizeof(owner), "1:%d /run/a", (int)getpid());
	snprintf(other, sizeof(other), "1:%d /run/aa", (int)getpid());
	cgroup_init(&c, LOW, "");
	if (!c.usable)
		return;
	ck_assert(!cgroup_find_signed(owner, name));
	cgroup_sign(LOW, owner);
	if (fgetxattr(LOW, "user.procd.owner", kept, sizeof(kept)) >= 0) {
		ck_assert(cgroup_find_signed(owner, name));
		ck_assert_str_eq(name, c.name);
	}
	ck_assert(!cgroup_find_signed(other, name));
	ck_assert_str_eq(name, "");
	cgroup_fini(&c, LOW);
	ck_assert(!cgroup_find_signed(owner, name));
}
END_TEST

START_TEST(two_groups_of_one_owner_prove_nothing)
{
	char owner[32], name[CGROUP_NAME_CAP];
	struct cgroup more = { 0 };

	snprintf(owner, sizeof(owner), "2:%d /run/a", (int)getpid());
	cgroup_init(&c, LOW, "");
	cgroup_init(&more, LOW + 1, "");
	if (!c.usable || !more.usable)
		return;
	ck_assert_str_ne(c.name, more.name);
	cgroup_sign(LOW, owner);
	cgroup_sign(LOW + 1, owner);
	ck_assert(!cgroup_find_signed(owner, name));
	ck_assert_str_eq(name, "");
	cgroup_fini(&c, LOW);
	cgroup_fini(&more, LOW + 1);
}
END_TEST

START_TEST(a_member_of_a_group_below_is_in_the_slot)
{
	pid_t pid;

	cgroup_init(&c, LOW, "");
	if (!c.usable)
		return;
	ck_assert_int_eq(cgroup_slot_of(&c, getpid()), -1);
	ck_assert_int_eq(cgroup_make(LOW, SLOT), 0);
	ck_assert_int_eq(mkdirat(LOW, "3/below", 0755), 0);
	pid = fork();
	if (pid == 0) {
		if (cgroup_write(LOW, SLOT, "below/cgroup.procs", "0") < 0)
			_exit(1);
		pause();
		_exit(0);
	}
	while (cgroup_slot_of(&c, pid) != SLOT && kill(pid, 0) == 0)
		sched_yield();
	ck_assert(cgroup_has(&c, SLOT, pid));
	ck_assert(!cgroup_has(&c, EMPTY, pid));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	cgroup_fini(&c, LOW);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		what_leaves_late_does_not_keep_the_group,
		a_group_is_found_by_its_owner_alone,
		two_groups_of_one_owner_prove_nothing,
		a_member_of_a_group_below_is_in_the_slot,
	};

	return unit_run("keeper: cgroup", tests, ARRAY_LEN(tests));
}
