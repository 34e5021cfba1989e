/* Limits of cgroup v2: what is written where, on directories that stand in for groups; and how
 * controllers are made to work, on real groups where the machine has a controller to spare. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/limits.h"
#include "unit.h"

#define ALL_CONTROLLERS 0xf
#define LOW 50

static char dir[64];
static int low = -1;

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/procd-limits-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	low = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(low, 0);
}

static void teardown(void)
{
	closep(&low);
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void put(int at, const char *name, const char *text)
{
	int fd = openat(at, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static const char *got(const char *name)
{
	static char text[256];
	int fd = openat(low, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	closep(&fd);
	text[MAX(n, 0)] = '\0';
	return text;
}

static void make_group(unsigned slot)
{
	static const char *const files[] = { "memory.max", "memory.high", "cpu.max", "cpu.weight",
					     "pids.max", "io.weight" };
	char name[64];

	ck_assert_int_eq(cgroup_make(low, slot), 0);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(name, sizeof(name), "%u/%s", slot, files[i]);
		put(low, name, "");
	}
}

START_TEST(limits_have_their_files)
{
	struct plan p = { .cgroup_limits = {
		[LIMIT_MEMORY_MAX] = UINT64_C(5) << 32, [LIMIT_MEMORY_HIGH] = 4096,
		[LIMIT_CPU_QUOTA] = 250, [LIMIT_CPU_WEIGHT] = 20, [LIMIT_TASKS_MAX] = 7,
		[LIMIT_IO_WEIGHT] = 300 } };
	uint32_t missing = 1;

	make_group(3);
	ck_assert_uint_eq(limits_wanted(&p), 0x3f);
	ck_assert_int_eq(limits_apply(low, 3, &p, ALL_CONTROLLERS, &missing), 0);
	ck_assert_uint_eq(missing, 0);
	ck_assert_str_eq(got("3/memory.max"), "21474836480");
	ck_assert_str_eq(got("3/memory.high"), "4096");
	ck_assert_str_eq(got("3/cpu.max"), "250000 100000");
	ck_assert_str_eq(got("3/cpu.weight"), "20");
	ck_assert_str_eq(got("3/pids.max"), "7");
	ck_assert_str_eq(got("3/io.weight"), "default 300");
}
END_TEST

/* cgroup-v2.rst, and what the kernel's parsers refuse: a quota below 1 ms in a period, a weight
 * outside of 1 to 10000, more processes than there can be pids (4194304). */
START_TEST(the_least_and_the_most_are_what_the_kernel_takes)
{
	struct plan least = { .cgroup_limits = {
		[LIMIT_MEMORY_MAX] = 1, [LIMIT_MEMORY_HIGH] = 1, [LIMIT_CPU_QUOTA] = 1,
		[LIMIT_CPU_WEIGHT] = 1, [LIMIT_TASKS_MAX] = 1, [LIMIT_IO_WEIGHT] = 1 } };
	struct plan most = { .cgroup_limits = {
		[LIMIT_MEMORY_MAX] = INT64_MAX, [LIMIT_MEMORY_HIGH] = INT64_MAX,
		[LIMIT_CPU_QUOTA] = 819200, [LIMIT_CPU_WEIGHT] = 10000,
		[LIMIT_TASKS_MAX] = 4194304, [LIMIT_IO_WEIGHT] = 10000 } };
	uint32_t missing = 1;

	make_group(3);
	ck_assert_int_eq(limits_apply(low, 3, &least, ALL_CONTROLLERS, &missing), 0);
	ck_assert_str_eq(got("3/memory.max"), "1");
	ck_assert_str_eq(got("3/memory.high"), "1");
	ck_assert_str_eq(got("3/cpu.max"), "1000 100000");
	ck_assert_str_eq(got("3/cpu.weight"), "1");
	ck_assert_str_eq(got("3/pids.max"), "1");
	ck_assert_str_eq(got("3/io.weight"), "default 1");
	make_group(4);
	ck_assert_int_eq(limits_apply(low, 4, &most, ALL_CONTROLLERS, &missing), 0);
	ck_assert_str_eq(got("4/memory.max"), "9223372036854775807");
	ck_assert_str_eq(got("4/memory.high"), "9223372036854775807");
	ck_assert_str_eq(got("4/cpu.max"), "819200000 100000");
	ck_assert_str_eq(got("4/cpu.weight"), "10000");
	ck_assert_str_eq(got("4/pids.max"), "4194304");
	ck_assert_str_eq(got("4/io.weight"), "default 10000");
}
END_TEST

START_TEST(a_controller_that_is_missing_takes_its_own_limits_with_it)
{
	static const uint32_t of[] = {	/* memory, cpu, io, pids: the bits of limits_controllers() */
		1 << LIMIT_MEMORY_MAX | 1 << LIMIT_MEMORY_HIGH,
		1 << LIMIT_CPU_QUOTA | 1 << LIMIT_CPU_WEIGHT,
		1 << LIMIT_IO_WEIGHT,
		1 << LIMIT_TASKS_MAX,
	};
	struct plan p = { .cgroup_limits = {
		[LIMIT_MEMORY_MAX] = 4096, [LIMIT_MEMORY_HIGH] = 4096, [LIMIT_CPU_QUOTA] = 50,
		[LIMIT_CPU_WEIGHT] = 20, [LIMIT_TASKS_MAX] = 7, [LIMIT_IO_WEIGHT] = 300 } };

	make_group(3);
	for (uint32_t i = 0; i < ARRAY_LEN(of); i++) {
		uint32_t missing = 0;

		ck_assert_int_eq(limits_apply(low, 3, &p, ALL_CONTROLLERS & ~(1u << i), &missing), 0);
		ck_assert_uint_eq(missing, of[i]);
	}
}
END_TEST

START_TEST(what_is_not_given_is_set_back)
{
	struct plan p = { 0 };
	uint32_t missing = 1;

	make_group(3);
	ck_assert_uint_eq(limits_wanted(&p), 0);
	ck_assert_int_eq(limits_apply(low, 3, &p, ALL_CONTROLLERS, &missing), 0);
	ck_assert_uint_eq(missing, 0);
	ck_assert_str_eq(got("3/memory.max"), "max");
	ck_assert_str_eq(got("3/memory.high"), "max");
	ck_assert_str_eq(got("3/cpu.max"), "max 100000");
	ck_assert_str_eq(got("3/cpu.weight"), "100");
	ck_assert_str_eq(got("3/pids.max"), "max");
	ck_assert_str_eq(got("3/io.weight"), "default 100");
}
END_TEST

START_TEST(what_has_no_controller_or_file_is_missing)
{
	struct plan p = { .cgroup_limits = { [LIMIT_MEMORY_MAX] = 4096, [LIMIT_TASKS_MAX] = 7,
					     [LIMIT_IO_WEIGHT] = 300 } };
	uint32_t missing = 0;

	make_group(3);
	ck_assert_int_eq(limits_apply(low, 3, &p, 0, &missing), 0);
	ck_assert_uint_eq(missing, limits_wanted(&p));
	ck_assert_str_eq(got("3/memory.max"), "");
	ck_assert_int_eq(unlinkat(low, "3/io.weight", 0), 0);
	ck_assert_int_eq(limits_apply(low, 3, &p, ALL_CONTROLLERS, &missing), 0);
	ck_assert_uint_eq(missing, 1 << LIMIT_IO_WEIGHT);
	ck_assert_str_eq(got("3/memory.max"), "4096");
}
END_TEST

START_TEST(what_the_kernel_refuses_is_a_failure)
{
	struct plan p = { .cgroup_limits = { [LIMIT_TASKS_MAX] = 7 } };
	uint32_t missing = 0;

	make_group(3);
	ck_assert_int_eq(unlinkat(low, "3/pids.max", 0), 0);
	ck_assert_int_eq(mkdirat(low, "3/pids.max", 0755), 0);
	ck_assert_int_eq(limits_apply(low, 3, &p, ALL_CONTROLLERS, &missing), -EISDIR);
}
END_TEST

START_TEST(controllers_are_passed_on_from_above)
{
	static const char *const names[] = { "memory", "cpu", "io" };
	struct cgroup c = { .name = "procd-1" };
	int own;

	ck_assert_int_eq(mkdirat(low, "procd-1", 0755), 0);
	own = openat(low, "procd-1", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put(low, "cgroup.controllers", "cpuset cpu pids\n");
	put(low, "cgroup.subtree_control", "");
	put(own, "cgroup.controllers", "memory\n");
	put(own, "cgroup.subtree_control", "");
	snprintf(c.parent, sizeof(c.parent), "%s", dir);
	/* memory is there already, cpu is to be had from above, io is not */
	ck_assert_uint_eq(limits_enable(&c, own, false, names, 3), 3);
	ck_assert_str_eq(got("cgroup.subtree_control"), "+cpu");
	ck_assert(!c.moved);
	c = (struct cgroup){ .usable = false };
	ck_assert_uint_eq(limits_controllers(&c, own), 0);
	close(own);
}
END_TEST

/* --- real groups -------------------------------------------------------------------------------------- */

static const char *const spare[] = { "hugetlb" };	/* nobody here limits huge pages */

/* The root of the hierarchy, with the spare controller passed on. */
static bool open_root(void)
{
	char own[PATH_MAX];
	int fd;

	if (geteuid() != 0 || !cgroup_find_own(own, NULL))
		return false;
	fd = open(own, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	closep(&low);
	low = fd;
	return fd >= 0 && strstr(got("cgroup.controllers"), "hugetlb") != NULL;
}

static void write_in(int at, const char *file, const char *text)
{
	int fd = openat(at, file, O_WRONLY | O_CLOEXEC);

	ck_assert_msg(fd >= 0 && write(fd, text, strlen(text)) > 0, "%s: %s", file,
		      strerror(errno));
	close(fd);
}

static void enter(const char *group)
{
	char file[128], text[16];

	snprintf(file, sizeof(file), "%s/cgroup.procs", group);
	snprintf(text, sizeof(text), "%d", (int)getpid());
	write_in(low, file, text);
}

static pid_t sleeper(const char *group)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (group != NULL)
			enter(group);
		pause();
		_exit(0);
	}
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Plays the keeper; the exit code is the line of what was not so, modulo 256, or 0. */
#define INSIST(cond)                                                                              \
	do {                                                                                      \
		if (!(cond))                                                                      \
			_exit(__LINE__ & 0xff ?: 1);                                              \
	} while (0)

static void play_keeper(const char *group, bool stranger)
{
	struct cgroup c = { 0 };
	char own[PATH_MAX], path[PATH_MAX];
	pid_t child;

	enter(group);
	child = sleeper(NULL);
	cgroup_init(&c, LOW, "");
	INSIST(c.usable);
	INSIST(limits_enable(&c, LOW, false, spare, 1) == 0);
	INSIST(!c.moved);
	if (stranger) {
		INSIST(limits_enable(&c, LOW, true, spare, 1) == 0);
		INSIST(!c.moved);
	} else {
		INSIST(limits_enable(&c, LOW, true, spare, 1) == 1);
		INSIST(c.moved);
		INSIST(cgroup_find_own(own, path) && strstr(path, "-self") != NULL);
		INSIST(cgroup_make(LOW, 3) == 0);
		INSIST(cgroup_write(LOW, 3, "hugetlb.2MB.max", "0") == 0);
		/* once more, as the next keeper of the same group would */
		INSIST(limits_enable(&c, LOW, true, spare, 1) == 1);
	}
	end(child);
	limits_leave(&c, LOW, spare, 1);
	INSIST(!c.moved);
	cgroup_fini(&c, LOW);
	_exit(0);
}

static void run_keeper(bool stranger)
{
	char group[64], procs[128];
	bool was_there;
	int status = -1;
	pid_t other, keeper;

	if (!open_root())
		return;
	was_there = strstr(got("cgroup.subtree_control"), "hugetlb") != NULL;
	snprintf(group, sizeof(group), "procd-limits-test-%d", (int)getpid());
	write_in(low, "cgroup.subtree_control", "+hugetlb");
	ck_assert_int_eq(mkdirat(low, group, 0755), 0);
	other = stranger ? sleeper(group) : 0;
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", group);
	while (stranger && *got(procs) == '\0')
		sched_yield();		/* it is on its way */
	keeper = fork();
	if (keeper == 0)
		play_keeper(group, stranger);
	ck_assert_int_eq(waitpid(keeper, &status, 0), keeper);
	if (stranger)
		end(other);
	ck_assert_msg(unlinkat(low, group, AT_REMOVEDIR) == 0, "something is left in %s", group);
	if (!was_there)
		write_in(low, "cgroup.subtree_control", "-hugetlb");
	ck_assert_msg(status == 0, "the line with the low byte %d", status >> 8);
}

START_TEST(a_group_with_processes_is_left_where_that_is_allowed)
{
	run_keeper(false);
}
END_TEST

START_TEST(strangers_are_not_moved)
{
	run_keeper(true);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		limits_have_their_files, the_least_and_the_most_are_what_the_kernel_takes,
		a_controller_that_is_missing_takes_its_own_limits_with_it, what_is_not_given_is_set_back,
		what_has_no_controller_or_file_is_missing, what_the_kernel_refuses_is_a_failure,
		controllers_are_passed_on_from_above,
		a_group_with_processes_is_left_where_that_is_allowed, strangers_are_not_moved,
	};

	return unit_run_in("keeper: limits", setup, teardown, tests, ARRAY_LEN(tests));
}
