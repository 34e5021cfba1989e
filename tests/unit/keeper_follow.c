/* A program that goes on in another process than the one that was started: the keeper follows it when
 * it can prove whose it is, and from then on it is the main process in every respect. */
#include "keeper_fixture.h"

static struct rig rig;
static char pid_path[128];

#define WITH_PIDFDS 5	/* so many of these */
static const char *const kernels[] = {
	"", "clone_into_cgroup", "cgroup2", "pidfd_send_signal", "cgroup2,pidfd_inode",
	"cgroup2,pidfd_open",
};

static void setup(void)
{
	rig_init(&rig);
	snprintf(pid_path, sizeof(pid_path), "%s/pid", rig.base);
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

static void teardown(void)
{
	rig_fini(&rig);
}

#define BACKGROUND "sh -c 'echo $$ >$0; exec sleep 1000' \"$0\" & "

static pid_t start(const char *without, const char *script, uint32_t flags)
{
	setenv("PROCD_TEST_NO_FEATURE", without, 1);
	rig_start(&rig);
	rig_spawn(&rig, 0, &(struct wish){ .argv = { "/bin/sh", "-c", script, pid_path },
					   .env = { "PROCD_SUBSYSTEM=web" }, .flags = flags });
	return rig_started(&rig);
}

static void ask(pid_t pid)
{
	struct km_main m = { .h = { KM_FOLLOW, sizeof(m) }, .pid = pid,
			     .spawn_id = record_get(&rig.records, 0)->spawn_id };

	rig_send(&rig, &m, sizeof(m));
}

/* Who is the main process, after PID was asked for? */
static pid_t followed(pid_t pid)
{
	ask(pid);
	return rig_expect(&rig, KM_MAIN).main.pid;
}

static void ck_main(pid_t pid)
{
	ck_assert_uint_eq(rig_state(&rig, 0), RECORD_RUNNING);
	ck_assert_int_eq(record_get(&rig.records, 0)->pid, pid);
}

/* Its end is told with its status, as that of the process that was started would be. */
static void ck_ends(pid_t pid)
{
	struct km_exited m;

	rig_signal(&rig, 0, SIGTERM, SCOPE_MAIN, false);
	m = rig_expect(&rig, KM_EXITED).exited;
	ck_assert_int_eq(m.pid, pid);
	ck_assert_int_eq(m.wait_status, SIGTERM);
	if (m.tree_left) {
		rig_signal(&rig, 0, SIGKILL, SCOPE_TREE, false);
		rig_expect(&rig, KM_GONE);
	}
	ck_assert_uint_eq(rig_state(&rig, 0), RECORD_GONE);
}

START_TEST(the_end_of_the_first_process_is_no_end_any_more)
{
	pid_t first = start(kernels[_i], BACKGROUND "exec sleep 1000", PLAN_TREE);
	pid_t pid = wait_pid_file(pid_path);

	ck_assert_int_eq(followed(pid), pid);
	kill(first, SIGKILL);
	wait_reaped(first);
	ck_main(pid);
	ck_assert_int_eq(record_get(&rig.records, 0)->session, first);
	ck_ends(pid);
}
END_TEST

START_TEST(also_when_it_came_before_the_word)
{
	pid_t first = start(kernels[_i], BACKGROUND "while ! test -s \"$0\"; do :; done", PLAN_TREE);
	pid_t pid = wait_pid_file(pid_path);
	struct km_exited m = rig_expect(&rig, KM_EXITED).exited;

	ck_assert_int_eq(m.pid, first);
	ck_assert_uint_gt(m.tree_left, 0);
	ck_assert_int_eq(followed(pid), pid);
	ck_main(pid);
	ck_ends(pid);
}
END_TEST

START_TEST(also_when_only_the_main_process_counts)
{
	pid_t first = start(kernels[_i], BACKGROUND "while ! test -s \"$0\"; do :; done", 0);
	pid_t pid = wait_pid_file(pid_path);
	struct km_exited m = rig_expect(&rig, KM_EXITED).exited;

	ck_assert_int_eq(m.pid, first);
	ck_assert_uint_eq(m.tree_left, 0);
	ck_assert_int_eq(followed(pid), pid);
	ck_main(pid);
	ck_ends(pid);
}
END_TEST

START_TEST(a_daemon_in_a_session_of_its_own_is_followed)
{
	pid_t pid;

	start(kernels[_i], "(setsid " BACKGROUND ") ; exec sleep 1000", PLAN_TREE);
	pid = wait_pid_file(pid_path);
	ck_assert_int_eq(followed(pid), pid);
	ck_ends(pid);
}
END_TEST

/* Its parent lives and reaps it: how it ended the kernel tells, at once or after an upgrade. */
START_TEST(one_that_its_own_parent_reaps_ends_with_its_status)
{
	const struct km_header ready = { KM_READY, sizeof(ready) };
	pid_t pid;

	start(kernels[_i % WITH_PIDFDS], BACKGROUND "wait; exec sleep 1000", PLAN_TREE);
	pid = wait_pid_file(pid_path);
	rig_send(&rig, &ready, sizeof(ready));
	ck_assert_int_eq(followed(pid), pid);
	if (_i >= WITH_PIDFDS) {
		rig_upgrade(&rig, "/proc/self/exe", true);
		rig_send(&rig, &ready, sizeof(ready));
	}
	ck_ends(pid);
}
END_TEST

START_TEST(nobody_else_is)
{
	pid_t first = start(kernels[_i], "exec sleep 1000", PLAN_TREE), neighbour, gone = fork();

	if (gone == 0)
		_exit(0);
	waitpid(gone, NULL, 0);
	rig_spawn(&rig, 1, &(struct wish){ .argv = { "/bin/sleep", "1000" }, .flags = PLAN_TREE,
					   .env = { "PROCD_SUBSYSTEM=web" } });
	neighbour = rig_started(&rig);
	ck_assert_int_eq(followed(1), first);
	ck_assert_int_eq(followed(0), first);
	ck_assert_int_eq(followed(-1), first);
	ck_assert_int_eq(followed(INT32_MAX), first);
	ck_assert_int_eq(followed(gone), first);
	ck_assert_int_eq(followed(getpid()), first);
	ck_assert_int_eq(followed(rig.keeper), first);
	ck_assert_int_eq(followed(neighbour), first);
	ck_assert_int_eq(followed(first), first);
	ck_main(first);
	ck_ends(first);
}
END_TEST

START_TEST(a_stop_reaches_both_of_them)
{
	pid_t first = start(kernels[_i], BACKGROUND "exec sleep 1000", PLAN_TREE);
	pid_t pid = wait_pid_file(pid_path);
	struct km_exited m;

	ck_assert_int_eq(followed(pid), pid);
	rig_signal(&rig, 0, SIGTERM, SCOPE_TREE, true);
	m = rig_expect(&rig, KM_EXITED).exited;
	ck_assert_int_eq(m.pid, pid);
	if (m.tree_left)
		rig_expect(&rig, KM_GONE);
	wait_reaped(first);
}
END_TEST

START_TEST(a_next_keeper_in_the_same_place_knows_it)
{
	const struct km_header ready = { KM_READY, sizeof(ready) };
	pid_t first = start(kernels[_i], BACKGROUND "exec sleep 1000", PLAN_TREE);
	pid_t pid = wait_pid_file(pid_path);

	rig_send(&rig, &ready, sizeof(ready));
	ck_assert_int_eq(followed(pid), pid);
	rig_upgrade(&rig, "/proc/self/exe", true);
	rig_send(&rig, &ready, sizeof(ready));
	ck_main(pid);
	kill(first, SIGKILL);
	wait_reaped(first);
	ck_main(pid);
	ck_ends(pid);
}
END_TEST

START_TEST(a_successor_of_a_killed_keeper_proves_it)
{
	pid_t first = start(kernels[_i], BACKGROUND BACKGROUND "exec sleep 1000", PLAN_TREE);
	pid_t pid = wait_pid_file(pid_path);

	ck_assert_int_eq(followed(pid), pid);
	kill(first, SIGKILL);
	wait_reaped(first);
	kill(rig.keeper, SIGKILL);
	ck_assert_int_eq(waitpid(rig.keeper, NULL, 0), rig.keeper);
	close(rig.fd);
	records_unmap(&rig.records);
	rig_start(&rig);
	ck_main(pid);
	ck_assert(record_get(&rig.records, 0)->fate & RECORD_TAKEN_OVER);
	rig_signal(&rig, 0, SIGKILL, SCOPE_TREE, false);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(rig_expect(&rig, KM_EXITED).exited.pid, pid);
}
END_TEST

int main(int argc, char **argv)
{
	const struct rig_test tests[] = {
		{ the_end_of_the_first_process_is_no_end_any_more, ARRAY_LEN(kernels) },
		{ also_when_it_came_before_the_word, ARRAY_LEN(kernels) },
		{ also_when_only_the_main_process_counts, ARRAY_LEN(kernels) },
		{ a_daemon_in_a_session_of_its_own_is_followed, ARRAY_LEN(kernels) },
		{ one_that_its_own_parent_reaps_ends_with_its_status, 2 * WITH_PIDFDS },
		{ nobody_else_is, ARRAY_LEN(kernels) },
		{ a_stop_reaches_both_of_them, ARRAY_LEN(kernels) },
		{ a_next_keeper_in_the_same_place_knows_it, ARRAY_LEN(kernels) },
		{ a_successor_of_a_killed_keeper_proves_it, ARRAY_LEN(kernels) },
	};

	return rig_main("keeper: follow", argc, argv, setup, teardown, tests, ARRAY_LEN(tests));
}
