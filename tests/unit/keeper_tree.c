/* Whole trees: what is left behind, what is signalled, what is killed, and that nothing else is.
 * Each test runs with cgroups, with cgroups of an older kernel, and without them. */
#include "keeper_fixture.h"

static struct rig rig;
static char pid_path[3][128];

static const char *const kernels[] = {
	"", "cgroup_kill", "clone_into_cgroup", "cgroup2", "cgroup2,pidfd_open",
};

static void setup(void)
{
	rig_init(&rig);
	for (int i = 0; i < 3; i++)
		snprintf(pid_path[i], sizeof(pid_path[i]), "%s/pid%d", rig.base, i);
}

static void teardown(void)
{
	rig_fini(&rig);
}

/* A script as a child in a tree; it knows where to write pids. */
static pid_t start_again(const char *script)
{
	rig_spawn(&rig, 0, &(struct wish){
		.argv = { "/bin/sh", "-c", script, "sh", pid_path[0], pid_path[1], pid_path[2] },
		.env = { "PROCD_SUBSYSTEM=web" }, .flags = PLAN_TREE });
	return rig_started(&rig);
}

static pid_t start_tree(const char *without, const char *script)
{
	setenv("PROCD_TEST_NO_FEATURE", without, 1);
	rig_start(&rig);
	return start_again(script);
}

/* The exit, and the end of the tree if that is told apart. Returns the wait status. */
static int ck_gone(void)
{
	struct km_exited m = rig_expect(&rig, KM_EXITED).exited;

	if (m.tree_left)
		ck_assert_uint_eq(rig_expect(&rig, KM_GONE).slot.spawn_id, m.spawn_id);
	ck_assert_uint_eq(rig_state(&rig, 0), RECORD_GONE);
	return m.wait_status;
}

/* Of whoever forks again and again: who got away from a keeper that fails here is to end some day. */
#define GENERATIONS "1500"
#define WRITE_AND_SLEEP(n) "sh -c 'echo $$ >$0; exec sleep 1000' \"$" #n "\""

START_TEST(a_kill_reaches_every_kind_of_descendant)
{
	/* a plain child, one in its own session, and one that forked away from its parent */
	pid_t leader = start_tree(kernels[_i],
				  WRITE_AND_SLEEP(1) " & setsid " WRITE_AND_SLEEP(2) " & "
				  "(setsid " WRITE_AND_SLEEP(3) " &) ; exec sleep 1000");
	pid_t pids[3];

	for (int i = 0; i < 3; i++)
		pids[i] = wait_pid_file(pid_path[i]);
	rig_signal(&rig, 0, SIGKILL, SCOPE_TREE, false);
	ck_assert_int_eq(ck_gone(), SIGKILL);
	ck_assert(!alive(leader));
	for (int i = 0; i < 3; i++)
		ck_assert_msg(!alive(pids[i]), "member %d lives", i);
	ck_assert_int_eq(record_get(&rig.records, 0)->killed, 1);
	for (int i = 0; i < 3; i++)
		wait_reaped(pids[i]);
}
END_TEST

START_TEST(a_gentle_signal_reaches_members_and_leader)
{
	pid_t pid;

	start_tree(kernels[_i], "setsid " WRITE_AND_SLEEP(1) " & exec sleep 1000");
	pid = wait_pid_file(pid_path[0]);
	rig_signal(&rig, 0, SIGTERM, SCOPE_TREE, true);
	ck_assert_int_eq(ck_gone(), SIGTERM);
	ck_assert(!alive(pid));
}
END_TEST

START_TEST(a_signal_to_the_main_process_spares_the_others)
{
	pid_t pid;
	struct km_exited m;

	start_tree(kernels[_i], WRITE_AND_SLEEP(1) " & exec sleep 1000");
	pid = wait_pid_file(pid_path[0]);
	rig_signal(&rig, 0, SIGTERM, SCOPE_MAIN, false);
	m = rig_expect(&rig, KM_EXITED).exited;
	ck_assert_int_eq(m.wait_status, SIGTERM);
	ck_assert_uint_gt(m.tree_left, 0);
	ck_assert_uint_eq(rig_state(&rig, 0), RECORD_EXITED);
	ck_assert(alive(pid));
	rig_signal(&rig, 0, SIGTERM, SCOPE_TREE, false);
	ck_assert_uint_eq(rig_expect(&rig, KM_GONE).slot.spawn_id, m.spawn_id);
	ck_assert(!alive(pid));
}
END_TEST

START_TEST(who_is_not_to_be_started_again_ends_as_others_do_and_may_be)
{
	pid_t pid;
	struct km_exited m;

	for (int round = 0; round < 2; round++) {
		struct km_signal last = { .h = { KM_SIGNAL, sizeof(last) }, .signo = SIGTERM,
					  .scope = SCOPE_MAIN, .flags = SIGNAL_LAST };

		unlink(pid_path[0]);
		if (round == 0)
			start_tree(kernels[_i], WRITE_AND_SLEEP(1) " & exec sleep 1000");
		else
			start_again(WRITE_AND_SLEEP(1) " & exec sleep 1000");
		pid = wait_pid_file(pid_path[0]);
		last.spawn_id = record_get(&rig.records, 0)->spawn_id;
		rig_send(&rig, &last, sizeof(last));
		m = rig_expect(&rig, KM_EXITED).exited;
		ck_assert_uint_gt(m.tree_left, 0);
		ck_assert(alive(pid));
		rig_signal(&rig, 0, SIGTERM, SCOPE_TREE, true);
		ck_assert_uint_eq(rig_expect(&rig, KM_GONE).slot.spawn_id, m.spawn_id);
		ck_assert(!alive(pid));
		rig_release(&rig, 0);
	}
}
END_TEST

START_TEST(members_that_end_by_themselves_are_noticed)
{
	struct km_exited m;

	start_tree(kernels[_i], WRITE_AND_SLEEP(1) " & exit 4");
	m = rig_expect(&rig, KM_EXITED).exited;
	ck_assert_int_eq(m.wait_status, 4 << 8);
	ck_assert_uint_gt(m.tree_left, 0);
	kill(wait_pid_file(pid_path[0]), SIGTERM);	/* not by the keeper's hand */
	rig_expect(&rig, KM_GONE);
	ck_assert_uint_eq(rig_state(&rig, 0), RECORD_GONE);
}
END_TEST

START_TEST(a_stopped_tree_acts_on_a_signal_with_cont)
{
	pid_t leader = start_tree(kernels[_i], WRITE_AND_SLEEP(1) " & exec sleep 1000");
	pid_t pid = wait_pid_file(pid_path[0]);

	kill(leader, SIGSTOP);
	kill(pid, SIGSTOP);
	rig_signal(&rig, 0, SIGTERM, SCOPE_TREE, true);
	ck_assert_int_eq(ck_gone(), SIGTERM);
	ck_assert(!alive(pid));
}
END_TEST

START_TEST(whoever_keeps_forking_is_killed_all_the_same)
{
	/* children replace themselves again and again; TERM is ignored by all */
	start_tree(kernels[_i], "trap '' TERM; f() { sh -c 'echo $$ >$0' \"$1\"; "
		   "[ $2 -le 0 ] || (g \"$1\" $(($2 - 1)) &); }; "
		   "g() { sleep 0.001; (f \"$1\" $2 &); }; f \"$1\" " GENERATIONS " & f \"$1\" " GENERATIONS
		   " & exec sleep 1000");
	wait_pid_file(pid_path[0]);
	rig_signal(&rig, 0, SIGTERM, SCOPE_TREE, true);
	rig_signal(&rig, 0, SIGKILL, SCOPE_TREE, false);
	ck_gone();
	unlink(pid_path[0]);
	for (int i = 0; i < 20; i++)
		nap();
	ck_assert_int_lt(access(pid_path[0], F_OK), 0);
}
END_TEST

START_TEST(new_sessions_again_and_again_are_no_way_out)
{
	start_tree(kernels[_i], "h='echo $$ >$1; sleep 0.002; "
		   "[ $2 -le 0 ] || setsid sh -c \"$0\" \"$0\" \"$1\" $(($2 - 1)) &'; "
		   "sh -c \"$h\" \"$h\" \"$1\" " GENERATIONS " & exec sleep 1000");
	wait_pid_file(pid_path[0]);
	rig_signal(&rig, 0, SIGKILL, SCOPE_TREE, false);
	ck_gone();
	unlink(pid_path[0]);
	for (int i = 0; i < 20; i++)
		nap();
	ck_assert_int_lt(access(pid_path[0], F_OK), 0);
}
END_TEST

START_TEST(a_stranger_with_the_same_marker_is_left_alone)
{
	pid_t stranger = fork();

	if (stranger == 0) {
		char *argv[] = { (char[]){ "sleep" }, (char[]){ "1000" }, NULL };
		char *env[] = { (char[]){ "PROCD_SUBSYSTEM=web" }, NULL };

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execve("/bin/sleep", argv, env);
		_exit(1);
	}
	start_tree(kernels[_i], "exec sleep 1000");
	rig_signal(&rig, 0, SIGKILL, SCOPE_TREE, false);
	ck_gone();
	ck_assert(alive(stranger));
	kill(stranger, SIGKILL);
	waitpid(stranger, NULL, 0);
}
END_TEST

START_TEST(the_neighbour_is_left_alone)
{
	pid_t neighbour, child;

	start_tree(kernels[_i], "setsid " WRITE_AND_SLEEP(1) " & exec sleep 1000");
	wait_pid_file(pid_path[0]);
	rig_spawn(&rig, 1, &(struct wish){
		.argv = { "/bin/sh", "-c", "setsid " WRITE_AND_SLEEP(1) " & exec sleep 1000", "sh",
			  pid_path[1] },
		.env = { "PROCD_SUBSYSTEM=db" }, .flags = PLAN_TREE });
	neighbour = rig_started(&rig);
	child = wait_pid_file(pid_path[1]);
	rig_signal(&rig, 0, SIGKILL, SCOPE_TREE, false);
	ck_gone();
	ck_assert(alive(neighbour));
	ck_assert(alive(child));
}
END_TEST

START_TEST(what_runs_beside_it_is_a_tree_of_its_own)
{
	pid_t task, orphan;

	start_tree(kernels[_i], "exec sleep 1000");
	rig_spawn(&rig, 1, &(struct wish){
		.argv = { "/bin/sh", "-c", "(setsid " WRITE_AND_SLEEP(1) " &) ; exec sleep 1000",
			  "sh", pid_path[1] },
		.env = { "PROCD_SUBSYSTEM=web", "PROCD_TASK=stop_command" }, .name = "web/stop",
		.flags = PLAN_TREE });
	task = rig_started(&rig);
	orphan = wait_pid_file(pid_path[1]);
	rig_signal(&rig, 0, SIGKILL, SCOPE_TREE, false);
	ck_gone();
	ck_assert(alive(task));
	ck_assert(alive(orphan));
	rig_signal(&rig, 1, SIGKILL, SCOPE_TREE, false);
	ck_assert_uint_eq(rig_expect(&rig, KM_EXITED).exited.slot, 1);
	wait_reaped(orphan);
}
END_TEST

START_TEST(without_tree_only_the_main_process_counts)
{
	pid_t pid;

	setenv("PROCD_TEST_NO_FEATURE", kernels[_i], 1);
	rig_start(&rig);
	rig_spawn(&rig, 0, &(struct wish){
		.argv = { "/bin/sh", "-c", WRITE_AND_SLEEP(1) " & exec sleep 1000", "sh",
			  pid_path[0] } });
	rig_started(&rig);
	pid = wait_pid_file(pid_path[0]);
	rig_signal(&rig, 0, SIGKILL, SCOPE_TREE, false);
	ck_assert_uint_eq(rig_expect(&rig, KM_EXITED).exited.tree_left, 0);
	ck_assert_uint_eq(rig_state(&rig, 0), RECORD_GONE);
	ck_assert(alive(pid));
	kill(pid, SIGKILL);
	wait_reaped(pid);
}
END_TEST

START_TEST(orphans_are_reaped)
{
	pid_t pid;

	start_tree(kernels[_i], "(sh -c 'echo $$ >$0' \"$1\" &) ; exec sleep 1000");
	pid = wait_pid_file(pid_path[0]);
	wait_reaped(pid);
	ck_assert_uint_eq(rig_state(&rig, 0), RECORD_RUNNING);
}
END_TEST

START_TEST(many_orphans_at_once_are_reaped)
{
	pid_t pid;

	start_tree(kernels[_i], "i=0; while [ $i -lt 200 ]; do (sleep 0.2 &); i=$((i+1)); done; "
		   "((sleep 0.4; sh -c 'echo $$ >$0' \"$1\") &) ; exec sleep 1000");
	pid = wait_pid_file(pid_path[0]);
	wait_reaped(pid);
	/* none is left below the keeper but its two; sweeps are half a second apart */
	for (int64_t until = clock_mono_ns() + PATIENCE_NS; clock_mono_ns() < until; nap()) {
		char command[80];

		snprintf(command, sizeof(command), "test $(pgrep -c -P %d) -le 2",
			 (int)rig.keeper);
		if (system(command) == 0)
			return;
	}
	ck_abort_msg("zombies are left");
}
END_TEST

START_TEST(signals_for_another_start_are_ignored)
{
	struct km_signal m = { .h = { KM_SIGNAL, sizeof(m) }, .slot = 0, .signo = SIGKILL,
			       .spawn_id = 4711, .scope = SCOPE_TREE };
	pid_t leader = start_tree(kernels[_i], "exec sleep 1000");

	rig_send(&rig, &m, sizeof(m));
	m.slot = 99999;
	rig_send(&rig, &m, sizeof(m));
	rig_spawn(&rig, 1, &(struct wish){ .argv = { "/bin/true" } });
	rig_started(&rig);
	rig_expect(&rig, KM_EXITED);
	ck_assert(alive(leader));
}
END_TEST

int main(int argc, char **argv)
{
	const struct rig_test tests[] = {
		{ a_kill_reaches_every_kind_of_descendant, ARRAY_LEN(kernels) },
		{ a_gentle_signal_reaches_members_and_leader, ARRAY_LEN(kernels) },
		{ a_signal_to_the_main_process_spares_the_others, ARRAY_LEN(kernels) },
		{ who_is_not_to_be_started_again_ends_as_others_do_and_may_be, ARRAY_LEN(kernels) },
		{ members_that_end_by_themselves_are_noticed, ARRAY_LEN(kernels) },
		{ a_stopped_tree_acts_on_a_signal_with_cont, ARRAY_LEN(kernels) },
		{ whoever_keeps_forking_is_killed_all_the_same, ARRAY_LEN(kernels) },
		{ new_sessions_again_and_again_are_no_way_out, ARRAY_LEN(kernels) },
		{ a_stranger_with_the_same_marker_is_left_alone, ARRAY_LEN(kernels) },
		{ what_runs_beside_it_is_a_tree_of_its_own, ARRAY_LEN(kernels) },
		{ the_neighbour_is_left_alone, ARRAY_LEN(kernels) },
		{ without_tree_only_the_main_process_counts, ARRAY_LEN(kernels) },
		{ orphans_are_reaped, ARRAY_LEN(kernels) },
		{ many_orphans_at_once_are_reaped, ARRAY_LEN(kernels) },
		{ signals_for_another_start_are_ignored, ARRAY_LEN(kernels) },
	};

	return rig_main("keeper: tree", argc, argv, setup, teardown, tests, ARRAY_LEN(tests));
}
