/* After kill -9 of the keeper: what its successor proves, watches, and leaves alone. The test takes
 * the place of init: orphans come to it, and it reaps them when it likes. */
#include <sys/ptrace.h>

#include "keeper/pidfd.h"
#include "keeper_fixture.h"

#define REFUSE "PROCD_TEST_NO_FEATURE"

static struct rig rig;
static char go[128];	/* what waits for this FIFO goes on when it is opened */

static void setup(void)
{
	rig_init(&rig);
	snprintf(go, sizeof(go), "%s/go", rig.base);
	ck_assert_int_eq(mkfifo(go, 0600), 0);
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	unsetenv(REFUSE);
	unsetenv("RIG_LINGER");
}

static void teardown(void)
{
	rig_fini(&rig);
}

static const struct wish sleeper = { .argv = { "/bin/sleep", "1000" }, .flags = PLAN_TREE,
				     .env = { "PROCD_SUBSYSTEM=web" } };

static pid_t start_sh(const char *script)
{
	rig_spawn(&rig, 0, &(struct wish){ .argv = { "/bin/sh", "-c", script, go },
					   .flags = PLAN_TREE,
					   .env = { "PROCD_SUBSYSTEM=web" } });
	return rig_started(&rig);
}

static void let_go(void)
{
	int fd = open(go, O_WRONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

/* The keeper is killed; its lock goes with it. Not started again yet. */
static void kill_keeper(void)
{
	kill(rig.keeper, SIGKILL);
	ck_assert_int_eq(waitpid(rig.keeper, NULL, 0), rig.keeper);
	rig.keeper = 0;
	close(rig.fd);
	rig.fd = -1;
	records_unmap(&rig.records);
}

/* The record of slot 0, to be forged between two keepers. */
static struct record *forge(void)
{
	static struct records r;
	bool set_aside;
	int dirfd = open(rig.run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ck_assert_int_eq(records_create(&r, dirfd, 1, &set_aside), 0);
	ck_assert(!set_aside);
	close(dirfd);
	return record_get(&r, 0);
}

static void ck_taken_over(pid_t pid)
{
	ck_assert_uint_eq(rig_state(&rig, 0), RECORD_RUNNING);
	ck_assert_int_eq(record_get(&rig.records, 0)->pid, pid);
}

static void ck_left_alone(pid_t pid)
{
	ck_assert_uint_ne(rig_state(&rig, 0), RECORD_RUNNING);
	ck_assert(record_get(&rig.records, 0)->fate & RECORD_LEFT_ALONE);
	ck_assert(alive(pid));
}

static void kill_orphan(pid_t pid)
{
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

static int ended(void)
{
	return rig_expect(&rig, KM_EXITED).exited.wait_status;
}

static uint64_t cpu_ticks(pid_t pid)
{
	unsigned long long user, system;
	char path[64], *text;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	text = slurp(path);
	ck_assert_int_eq(sscanf(strrchr(text, ')') + 2,
				"%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
				&system), 2);
	free(text);
	return user + system;
}

static bool kernel_tells(void)
{
	pid_t pid = fork();
	int fd, status, ret;

	if (pid == 0)
		_exit(0);
	fd = pidfd_open_process(pid);
	waitpid(pid, NULL, 0);
	ret = pidfd_exit_status(fd, &status);
	close(fd);
	return ret == 0;
}

/* --- the end of an adopted one ---------------------------------------------------------------- */

START_TEST(the_true_status_of_an_adopted_child_is_told)
{
	pid_t pid;

	rig_start(&rig);
	pid = start_sh("read x <$0; exit 7");
	kill_keeper();
	rig_start(&rig);
	ck_assert_uint_eq(rig_state(&rig, 0), RECORD_RUNNING);
	let_go();
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(ended(), kernel_tells() ? 7 << 8 : WAIT_STATUS_UNKNOWN);
}
END_TEST

static const char *const poorer[] = { "pidfd_open", "pidfd_send_signal", "pidfd_info_exit",
				      "pidfd_inode", "cgroup2" };

START_TEST(on_an_older_kernel_it_is_still_the_same_child)
{
	pid_t pid;
	int status;

	rig_start(&rig);
	pid = start_sh("read x <$0; exit 7");
	kill_keeper();
	setenv(REFUSE, poorer[_i], 1);
	rig_start(&rig);
	ck_assert_uint_eq(rig_state(&rig, 0), RECORD_RUNNING);
	let_go();
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	status = ended();
	ck_assert(status == WAIT_STATUS_UNKNOWN || status == 7 << 8);
	rig_release(&rig, 0);
	rig_run(&rig, 0, &(struct wish){ .argv = { "/bin/true" }, .flags = PLAN_TREE });
}
END_TEST

START_TEST(an_init_that_does_not_reap_is_not_waited_for)
{
	uint64_t before;
	pid_t pid;

	rig_start(&rig);
	pid = start_sh("read x <$0; exit 7");
	kill_keeper();
	rig_start(&rig);
	before = cpu_ticks(rig.keeper);
	let_go();
	ck_assert_int_eq(ended(), WAIT_STATUS_UNKNOWN);
	ck_assert_uint_lt(cpu_ticks(rig.keeper) - before, 20);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

START_TEST(an_adopted_child_can_be_stopped)
{
	pid_t pid;

	rig_start(&rig);
	rig_spawn(&rig, 0, &sleeper);
	pid = rig_started(&rig);
	kill_keeper();
	if (_i > 0)
		setenv(REFUSE, poorer[_i - 1], 1);
	rig_start(&rig);
	rig_signal(&rig, 0, SIGTERM, SCOPE_TREE, true);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ended();
}
END_TEST

/* --- the rest of a tree ----------------------------------------------------------------------- */

START_TEST(members_without_leader_are_found_in_the_group)
{
	pid_t leader, member;
	char path[128];

	snprintf(path, sizeof(path), "%s/member", rig.base);
	rig_start(&rig);
	if (!rig.welcome.have_cgroup)
		return;
	rig_spawn(&rig, 0, &(struct wish){ .argv = { "/bin/sh", "-c", "setsid sh -c 'echo $$ >$0; "
				"exec sleep 1000' $0 & read x <$1", path, go },
				.flags = PLAN_TREE });
	leader = rig_started(&rig);
	member = wait_pid_file(path);
	kill_keeper();
	let_go();
	ck_assert_int_eq(waitpid(leader, NULL, 0), leader);
	rig_start(&rig);
	ck_assert_uint_eq(rig_state(&rig, 0), RECORD_EXITED);
	ck_assert(alive(member));
	rig_signal(&rig, 0, SIGKILL, SCOPE_TREE, false);
	ck_assert_int_eq(waitpid(member, NULL, 0), member);
	rig_expect(&rig, KM_GONE);
}
END_TEST

START_TEST(a_start_after_a_kill_lives)
{
	rig_start(&rig);
	for (int i = 0; i < 3; i++) {
		union packet m;

		rig_spawn(&rig, 0, &sleeper);
		rig_started(&rig);
		rig_signal(&rig, 0, i < 2 ? SIGKILL : SIGTERM, SCOPE_TREE, false);
		m = rig_expect(&rig, KM_EXITED);
		ck_assert_int_eq(m.exited.wait_status, i < 2 ? SIGKILL : SIGTERM);
		if (m.exited.tree_left)
			rig_expect(&rig, KM_GONE);
		rig_release(&rig, 0);
	}
	ck_assert_int_eq(rig_run(&rig, 0, &(struct wish){ .argv = { "/bin/true" },
							  .flags = PLAN_TREE }), 0);
}
END_TEST

/* To a group that was killed a kernel (6.14) admits nobody any more, and its new keeper cannot
 * know. */
START_TEST(a_group_that_was_killed_before_the_keeper_is_made_anew)
{
	static const struct wish brief = { .argv = { "/bin/true" }, .flags = PLAN_TREE };

	rig_start(&rig);
	rig_spawn(&rig, 0, &sleeper);
	rig_started(&rig);
	rig_signal(&rig, 0, SIGKILL, SCOPE_TREE, false);
	if (rig_expect(&rig, KM_EXITED).exited.tree_left)
		rig_expect(&rig, KM_GONE);
	rig_release(&rig, 0);
	ck_assert_int_eq(rig_run(&rig, 1, &brief), 0);	/* by now it is released */
	kill_keeper();
	rig_start(&rig);
	ck_assert_int_eq(rig_run(&rig, 0, &brief), 0);
}
END_TEST

/* --- proof ------------------------------------------------------------------------------------ */

/* A stranger: not what the record is about, but under its number. */
static pid_t stranger(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	return pid;
}

START_TEST(a_reused_number_is_never_signalled)
{
	pid_t pid, other = stranger();
	struct record *r;

	rig_start(&rig);
	rig_spawn(&rig, 0, &sleeper);
	pid = rig_started(&rig);
	kill_keeper();
	r = forge();
	r->pid = other;
	if (_i > 0) {		/* identity by start time */
		r->pidfd_ino = 0;
		r->start_ticks = process_start_time(other) + 1;
	}
	record_seal(r);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	rig_start(&rig);
	ck_assert_uint_eq(rig_state(&rig, 0), RECORD_GONE);
	ck_assert_int_eq(record_get(&rig.records, 0)->wait_status, WAIT_STATUS_UNKNOWN);
	rig_signal(&rig, 0, SIGKILL, SCOPE_TREE, false);
	rig_release(&rig, 0);
	rig_run(&rig, 0, &(struct wish){ .argv = { "/bin/true" }, .flags = PLAN_TREE });
	ck_assert(alive(other));
	kill(other, SIGKILL);
}
END_TEST

/* The keeper died right after the clone: nothing is in the record but the number. */
START_TEST(a_child_in_the_making_is_known_by_its_marker)
{
	pid_t pid;
	struct record *r;

	rig_start(&rig);
	rig_spawn(&rig, 0, &sleeper);
	pid = rig_started(&rig);
	kill_keeper();
	r = forge();
	r->pidfd_ino = r->start_ticks = 0;
	if (_i == 1)
		snprintf(r->name, sizeof(r->name), "other");
	if (_i == 2)	/* the number was given away an hour after the record was written */
		r->started_mono_ns -= 3600 * NS_PER_SEC;
	record_seal_prepared(r);
	r->pid = pid;
	rig_start(&rig);
	if (_i == 0) {
		ck_taken_over(pid);
	} else {
		ck_left_alone(pid);
		ck_assert_int_eq(record_get(&rig.records, 0)->wait_status, WAIT_STATUS_UNKNOWN);
	}
	kill_orphan(pid);
}
END_TEST

/* What proves it is gone with the record: then what anybody can see has to do. */
START_TEST(a_child_with_a_damaged_record_is_known_by_session_and_name)
{
	pid_t pid;
	struct record *r;

	rig_start(&rig);
	rig_spawn(&rig, 0, &sleeper);
	pid = rig_started(&rig);
	kill_keeper();
	r = forge();
	switch (_i) {
	case 0: r->pidfd_ino ^= 1 << 7; break;
	case 1: r->spawn_id ^= UINT64_C(1) << 40; break;
	case 2: r->seal ^= 1; break;
	case 3: atomic_store(&r->state, RECORD_FREE); break;
	case 4: atomic_store(&r->state, RECORD_GONE); break;
	case 5: r->end_seal ^= 1 << 3; break;
	case 6: r->flags |= PLAN_DIE_WITH_KEEPER; break;
	case 7: r->slot ^= 1; break;
	default: snprintf(r->name, sizeof(r->name), "other");
	}
	rig_start(&rig);
	ck_assert_uint_eq(rig.records.header->damaged, 1);
	if (_i < 8) {
		ck_taken_over(pid);
		ck_assert_uint_eq(record_get(&rig.records, 0)->flags, PLAN_TREE);
	} else {
		ck_left_alone(pid);
	}
	kill_orphan(pid);
}
END_TEST

/* --- patience --------------------------------------------------------------------------------- */

START_TEST(a_dead_child_held_by_a_debugger_costs_nothing)
{
	uint64_t before;
	pid_t pid;

	rig_start(&rig);
	pid = start_sh("read x <$0; exit 7");
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		return;		/* not permitted here */
	before = cpu_ticks(rig.keeper);
	let_go();
	ck_assert(!readable(rig.fd, clock_mono_ns() + NS_PER_SEC));
	ck_assert_uint_lt(cpu_ticks(rig.keeper) - before, 20);
	ck_assert_int_eq(waitpid(pid, NULL, __WALL), pid);
	ck_assert_int_eq(ended(), 7 << 8);
}
END_TEST

START_TEST(a_supervisor_that_hangs_after_leaving_is_ended)
{
	setenv("RIG_LINGER", "1", 1);
	rig_start(&rig);
	rig_spawn(&rig, 0, &sleeper);
	rig_started(&rig);
	rig_leave(&rig, 9);
	ck_assert_int_eq(rig_wait(&rig), 9);
}
END_TEST

int main(int argc, char **argv)
{
	const struct rig_test tests[] = {
		{ the_true_status_of_an_adopted_child_is_told, 1 },
		{ on_an_older_kernel_it_is_still_the_same_child, ARRAY_LEN(poorer) },
		{ an_init_that_does_not_reap_is_not_waited_for, 1 },
		{ an_adopted_child_can_be_stopped, 1 + ARRAY_LEN(poorer) },
		{ members_without_leader_are_found_in_the_group, 1 },
		{ a_start_after_a_kill_lives, 1 },
		{ a_group_that_was_killed_before_the_keeper_is_made_anew, 1 },
		{ a_reused_number_is_never_signalled, 2 },
		{ a_child_in_the_making_is_known_by_its_marker, 3 },
		{ a_child_with_a_damaged_record_is_known_by_session_and_name, 9 },
		{ a_dead_child_held_by_a_debugger_costs_nothing, 1 },
		{ a_supervisor_that_hangs_after_leaving_is_ended, 1 },
	};

	return rig_main("keeper: adopt", argc, argv, setup, teardown, tests, ARRAY_LEN(tests));
}
