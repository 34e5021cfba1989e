/* The keeper's life: it outlives its supervisors, forwards what it is told, is alone on its run
 * directory, and leaves nothing behind. */

#include "keeper_fixture.h"

static struct rig rig;

static void setup(void)
{
	rig_init(&rig);
	unsetenv("RIG_PID_FILE");
}

static void teardown(void)
{
	rig_fini(&rig);
}

static pid_t relay_pid(void)
{
	char command[64], text[32] = "";
	FILE *f;

	snprintf(command, sizeof(command), "pgrep -P %d -f relay", (int)rig.keeper);
	f = popen(command, "r");
	ck_assert_ptr_nonnull(f);
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	pclose(f);
	return (pid_t)atoi(text);
}

/* Kill the supervisor with SIGNO and wait for the next one's WELCOME. */
static void bereave(int signo)
{
	pid_t pid = relay_pid();

	ck_assert_int_gt(pid, 1);
	kill(pid, signo);
	rig_welcome(&rig);
	ck_assert_uint_eq(rig.welcome.stage, SETUP_OK);
	ck_assert_uint_eq(rig.welcome.recovering, 1);
}

static const struct wish sleeper = { .argv = { "/bin/sleep", "1000" }, .flags = PLAN_TREE };

/* --- death of the supervisor ------------------------------------------------------------------ */

START_TEST(children_do_not_notice_a_new_supervisor)
{
	pid_t pid;

	rig_start(&rig);
	ck_assert_uint_eq(rig.welcome.recovering, 0);
	rig_spawn(&rig, 0, &sleeper);
	pid = rig_started(&rig);
	for (uint32_t i = 1; i <= 3; i++) {
		bereave(SIGKILL);
		ck_assert_uint_eq(rig.welcome.deaths, i);
		ck_assert(alive(pid));
		ck_assert_uint_eq(rig_state(&rig, 0), RECORD_RUNNING);
		ck_assert_int_eq(record_get(&rig.records, 0)->pid, pid);
	}
	rig_signal(&rig, 0, SIGTERM, SCOPE_TREE, true);
	ck_assert_int_eq(rig_expect(&rig, KM_EXITED).exited.wait_status, SIGTERM);
}
END_TEST

START_TEST(an_exit_while_nobody_listens_is_in_the_record)
{
	pid_t relay, pid;

	rig_start(&rig);
	rig_spawn(&rig, 0, &sleeper);
	pid = rig_started(&rig);
	relay = relay_pid();
	kill(relay, SIGSTOP);
	kill(pid, SIGINT);
	wait_reaped(pid);
	kill(relay, SIGKILL);
	rig_welcome(&rig);
	ck_assert_uint_eq(rig_state(&rig, 0), RECORD_GONE);
	ck_assert_int_eq(record_get(&rig.records, 0)->wait_status, SIGINT);
	/* it is not told again, and the slot is usable after the release */
	rig_release(&rig, 0);
	rig_spawn(&rig, 0, &(struct wish){ .argv = { "/bin/true" } });
	rig_started(&rig);
	rig_expect(&rig, KM_EXITED);
}
END_TEST

START_TEST(a_crash_loop_slows_down_and_children_go_on)
{
	int64_t began = clock_mono_ns(), took;
	pid_t pid;

	rig_start(&rig);
	rig_spawn(&rig, 0, &sleeper);
	pid = rig_started(&rig);
	for (int i = 0; i < 4; i++)
		bereave(SIGTRAP);
	took = clock_mono_ns() - began;
	ck_assert_int_ge(took, (100 + 200 + 400) * NS_PER_MS);
	ck_assert(alive(pid));
	/* the fifth: safe mode; TERM then ends everything without a supervisor */
	kill(relay_pid(), SIGTRAP);
	for (int64_t until = clock_mono_ns() + PATIENCE_NS;
	     relay_pid() != 0 && clock_mono_ns() < until;)
		nap();
	kill(rig.keeper, SIGTERM);
	ck_assert_int_eq(rig_wait(&rig), 1);
	ck_assert(!alive(pid));
}
END_TEST

START_TEST(a_supervisor_that_talks_nonsense_is_replaced)
{
	struct km_header nonsense = { 63, sizeof(nonsense) };
	pid_t pid;

	rig_start(&rig);
	rig_spawn(&rig, 0, &sleeper);
	pid = rig_started(&rig);
	rig_send(&rig, &nonsense, sizeof(nonsense));
	rig_welcome(&rig);
	ck_assert_uint_eq(rig.welcome.recovering, 1);
	ck_assert(alive(pid));
}
END_TEST

/* --- signals ---------------------------------------------------------------------------------- */

START_TEST(signals_are_passed_on)
{
	const int signals[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGTSTP };

	rig_start(&rig);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		kill(rig.keeper, signals[i]);
		ck_assert_int_eq(rig_expect(&rig, KM_FORWARD).forward.signo, signals[i]);
	}
}
END_TEST

START_TEST(a_signal_without_supervisor_waits_for_the_next)
{
	pid_t relay;

	rig_start(&rig);
	relay = relay_pid();
	kill(rig.keeper, SIGSTOP);
	kill(relay, SIGKILL);
	while (alive(relay))
		nap();
	kill(rig.keeper, SIGHUP);
	kill(rig.keeper, SIGCONT);
	rig_welcome(&rig);
	ck_assert_int_eq(rig_expect(&rig, KM_FORWARD).forward.signo, SIGHUP);
	ck_assert_int_eq(rig_expect(&rig, KM_FORWARD).forward.signo, SIGCONT);
}
END_TEST

/* --- alone ------------------------------------------------------------------------------------ */

static struct km_welcome second_keeper(const char *run_dir, int *exit_code)
{
	struct rig second = { .records.fd = -1 };

	second.keeper = keeper_fork(run_dir, &second.fd);
	rig_welcome(&second);
	*exit_code = rig_wait(&second);
	close(second.fd);
	return second.welcome;
}

START_TEST(a_second_keeper_learns_who_is_there)
{
	struct km_welcome w;
	int code;

	rig_start(&rig);
	w = second_keeper(rig.run_dir, &code);
	ck_assert_uint_eq(w.stage, SETUP_LOCKED);
	ck_assert_int_eq(w.holder_pid, rig.keeper);
	ck_assert_int_eq(code, 75);
	ck_assert_int_eq(rig_run(&rig, 0, &(struct wish){ .argv = { "/bin/true" } }), 0);
}
END_TEST

START_TEST(a_lock_file_without_holder_does_not_matter)
{
	char path[160];
	int fd;

	mkdir(rig.run_dir, 0700);
	snprintf(path, sizeof(path), "%s/lock", rig.run_dir);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_eq(write(fd, "1\n", 2), 2);
	close(fd);
	rig_start(&rig);
}
END_TEST

START_TEST(an_unsafe_run_directory_is_refused)
{
	char path[160];
	struct stat st;
	int code;

	/* writable by others */
	mkdir(rig.run_dir, 0700);
	chmod(rig.run_dir, 0777);
	ck_assert_uint_eq(second_keeper(rig.run_dir, &code).stage, SETUP_RUN_DIR_UNSAFE);
	/* a link that somebody put where everybody may write */
	chmod(rig.base, 01777);
	snprintf(path, sizeof(path), "%s/link", rig.base);
	ck_assert_int_eq(symlink("/var", path), 0);
	if (geteuid() == 0) {	/* our own is ours to follow */
		ck_assert_int_eq(lchown(path, 65534, 65534), 0);
		ck_assert_uint_eq(second_keeper(path, &code).stage, SETUP_RUN_DIR_UNSAFE);
	}
	chmod(rig.run_dir, 0700);
	chmod(rig.base, 0700);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(rig.run_dir, 65534, 65534), 0);
		ck_assert_uint_eq(second_keeper(rig.run_dir, &code).stage, SETUP_RUN_DIR_UNSAFE);
	}
	/* and nothing was left in it */
	snprintf(path, sizeof(path), "%s/lock", rig.run_dir);
	ck_assert_int_lt(stat(path, &st), 0);
}
END_TEST

START_TEST(what_cannot_be_created_says_so)
{
	struct km_welcome w;
	int code;

	w = second_keeper("/proc/none/run", &code);
	ck_assert_uint_eq(w.stage, SETUP_RUN_DIR);
	ck_assert_int_eq(w.errnum, ENOENT);
	w = second_keeper("relative/run", &code);
	ck_assert_uint_eq(w.stage, SETUP_RUN_DIR);
	ck_assert_int_eq(w.errnum, EINVAL);
}
END_TEST

START_TEST(the_pid_file_is_ours_or_refused)
{
	char path[160], *text, pid[16];
	struct km_welcome w;
	int code;

	snprintf(path, sizeof(path), "%s/pid", rig.base);
	setenv("RIG_PID_FILE", path, 1);
	rig_start(&rig);
	text = slurp(path);
	snprintf(pid, sizeof(pid), "%d\n", (int)rig.keeper);
	ck_assert_str_eq(text, pid);
	free(text);
	rig_leave(&rig, 0);
	ck_assert_int_eq(rig_wait(&rig), 0);
	ck_assert_int_lt(access(path, F_OK), 0);
	ck_assert_int_eq(symlink("/etc/motd", path), 0);
	w = second_keeper(rig.run_dir, &code);
	ck_assert_uint_eq(w.stage, SETUP_PID_FILE);
	ck_assert_int_eq(w.errnum, ELOOP);
}
END_TEST

START_TEST(a_pid_file_that_became_somebody_elses_stays)
{
	char path[160], *text;
	int fd;

	snprintf(path, sizeof(path), "%s/pid", rig.base);
	setenv("RIG_PID_FILE", path, 1);
	rig_start(&rig);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_eq(write(fd, "77\n", 3), 3);
	close(fd);
	rig_leave(&rig, 0);
	rig_wait(&rig);
	text = slurp(path);
	ck_assert_str_eq(text, "77\n");
	free(text);
}
END_TEST

/* --- the end ---------------------------------------------------------------------------------- */

START_TEST(leaving_gives_the_exit_code_and_cleans_up)
{
	char group[64];
	pid_t pid;

	rig_start(&rig);
	rig_spawn(&rig, 0, &(struct wish){ .argv = { "/bin/sleep", "1000" }, .flags = PLAN_TREE,
					   .stdio = { 0, PLAN_STDIO_CAPTURE,
						      PLAN_STDIO_CAPTURE } });
	pid = rig_started(&rig);
	snprintf(group, sizeof(group), "procd-%d", (int)rig.keeper);
	ck_assert_int_eq(rig.welcome.have_cgroup,
			 strcmp(rig.records.header->cgroup, group) == 0);
	rig_leave(&rig, 3);
	ck_assert_int_eq(rig_wait(&rig), 3);
	ck_assert(!alive(pid));		/* the supervisor should have done it, the keeper did */
	ck_assert_int_lt(access(rig.run_dir, F_OK), 0);
}
END_TEST

START_TEST(a_foreign_file_keeps_the_run_directory)
{
	char path[160];

	rig_start(&rig);
	snprintf(path, sizeof(path), "%s/keepsake", rig.run_dir);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	rig_leave(&rig, 0);
	rig_wait(&rig);
	ck_assert_int_eq(access(path, F_OK), 0);
	snprintf(path, sizeof(path), "%s/" RECORDS_FILE, rig.run_dir);
	ck_assert_int_lt(access(path, F_OK), 0);
}
END_TEST

START_TEST(after_a_killed_keeper_nothing_is_started_twice)
{
	char path[160];
	pid_t pid;

	rig_start(&rig);
	rig_spawn(&rig, 2, &sleeper);
	pid = rig_started(&rig);
	kill(rig.keeper, SIGKILL);
	waitpid(rig.keeper, NULL, 0);
	close(rig.fd);
	records_unmap(&rig.records);
	ck_assert(alive(pid));
	rig_start(&rig);
	ck_assert_uint_eq(rig.welcome.recovering, 0);
	ck_assert_uint_eq(rig.welcome.records_set_aside, 0);
	ck_assert_uint_eq(rig_state(&rig, 2), RECORD_RUNNING);
	ck_assert_int_eq(record_get(&rig.records, 2)->pid, pid);
	rig_signal(&rig, 2, SIGTERM, SCOPE_TREE, true);
	ck_assert_int_eq(rig_expect(&rig, KM_EXITED).exited.slot, 2);
	ck_assert(!alive(pid));
	snprintf(path, sizeof(path), "%s/" RECORDS_FILE ".bad", rig.run_dir);
	ck_assert_int_lt(access(path, F_OK), 0);
}
END_TEST

START_TEST(what_died_with_the_keeper_is_told_as_ended)
{
	pid_t pid;

	rig_start(&rig);
	rig_spawn(&rig, 0, &sleeper);
	pid = rig_started(&rig);
	kill(rig.keeper, SIGKILL);
	kill(pid, SIGKILL);
	waitpid(rig.keeper, NULL, 0);
	wait_reaped(pid);
	close(rig.fd);
	records_unmap(&rig.records);
	rig_start(&rig);
	ck_assert_uint_eq(rig_state(&rig, 0), RECORD_GONE);
	ck_assert_int_eq(record_get(&rig.records, 0)->wait_status, WAIT_STATUS_UNKNOWN);
}
END_TEST

static void die_of_term(struct plan *p)
{
	p->stop_signal = SIGTERM;
}

START_TEST(a_child_may_wish_to_die_with_the_keeper)
{
	pid_t pid;

	rig_start(&rig);
	rig_spawn(&rig, 0, &(struct wish){ .argv = { "/bin/sleep", "1000" },
					   .flags = PLAN_DIE_WITH_KEEPER, .adjust = die_of_term });
	pid = rig_started(&rig);
	kill(rig.keeper, SIGKILL);
	waitpid(rig.keeper, NULL, 0);
	wait_reaped(pid);
	close(rig.fd);
	records_unmap(&rig.records);
	rig_start(&rig);	/* clears away what the dead one left */
}
END_TEST

/* --- quiet ------------------------------------------------------------------------------------ */

static long wakeups(pid_t pid)
{
	char path[64], *text, *at;
	long n;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	text = slurp(path);
	at = strstr(text, "\nvoluntary_ctxt_switches:");
	ck_assert_ptr_nonnull(at);
	n = strtol(at + 25, NULL, 10);
	free(text);
	return n;
}

START_TEST(an_idle_keeper_sleeps)
{
	long before;

	rig_start(&rig);
	rig_spawn(&rig, 0, &sleeper);
	rig_started(&rig);
	rig_run(&rig, 1, &(struct wish){ .argv = { "/bin/true" }, .flags = PLAN_TREE });
	poll(NULL, 0, 800);	/* the last sweep for orphans */
	before = wakeups(rig.keeper);
	poll(NULL, 0, 1200);
	ck_assert_int_eq(wakeups(rig.keeper), before);
}
END_TEST

/* --- held descriptors ------------------------------------------------------------------------- */

static void send_with(const void *packet, size_t size, int fd)
{
	union { const void *in; void *out; } payload = { .in = packet };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .align = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
				 .cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { .iov_base = payload.out, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
		msg.msg_control = control.room;
		msg.msg_controllen = sizeof(control.room);
	}
	ck_assert_int_eq(sendmsg(rig.fd, &msg, 0), (ssize_t)size);
}

static void hold(const char *key, int fd)
{
	struct km_hold m = { .h = { KM_HOLD, sizeof(m) } };

	snprintf(m.key, sizeof(m.key), "%s", key);
	send_with(&m, sizeof(m), fd);
}

static void hold_slot(uint32_t slot, int fd)
{
	struct km_slot m = { .h = { KM_HOLD_SLOT, sizeof(m) }, .slot = slot };

	send_with(&m, sizeof(m), fd);
}

/* Behind everything that was sent before. */
static void barrier(void)
{
	rig_run(&rig, 0, &(struct wish){ .argv = { "/bin/true" } });
}

START_TEST(held_descriptors_come_back)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * (2 + HOLD_MAX))];
	} control;
	struct km_welcome w;
	struct iovec iov = { .iov_base = &w, .iov_len = sizeof(w) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room,
			      .msg_controllen = sizeof(control.room) };
	int ends[2], fds[4];

	ck_assert_int_eq(pipe(ends), 0);
	rig_start(&rig);
	hold("first", ends[0]);
	hold("second", ends[1]);
	hold("third", ends[1]);
	hold("second", ends[0]);	/* replaced */
	hold("first", -1);		/* forgotten */
	barrier();
	kill(relay_pid(), SIGKILL);
	ck_assert(readable(rig.fd, clock_mono_ns() + PATIENCE_NS));
	ck_assert_int_eq(recvmsg(rig.fd, &msg, MSG_CMSG_CLOEXEC), (ssize_t)sizeof(w));
	ck_assert_uint_eq(w.nheld, 2);
	ck_assert_str_eq(w.held_keys[0], "third");
	ck_assert_str_eq(w.held_keys[1], "second");
	ck_assert_uint_eq(control.align.cmsg_len, CMSG_LEN(4 * sizeof(int)));
	memcpy(fds, CMSG_DATA(&control.align), sizeof(fds));
	ck_assert_int_eq(write(fds[2], "x", 1), 1);
	ck_assert_int_eq(read(fds[3], &w, 1), 1);
}
END_TEST

START_TEST(what_slots_hold_comes_back_behind_the_welcome)
{
	enum { N = HELD_PER_PACKET + 3 };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * HELD_PER_PACKET)];
	} control;
	uint32_t seen = 0;
	int ends[2], fd;

	ck_assert_int_eq(pipe(ends), 0);
	rig_start(&rig);
	for (uint32_t i = 0; i < N + 2; i++)
		hold_slot(100 + 3 * i, ends[0]);
	hold_slot(100, ends[1]);	/* replaced */
	hold_slot(103, -1);		/* forgotten */
	hold_slot(106, -1);
	barrier();
	kill(relay_pid(), SIGKILL);
	ck_assert_uint_eq(rig_expect(&rig, KM_WELCOME).welcome.nheld_slots, N);
	while (seen < N) {
		struct km_held m;
		struct iovec iov = { .iov_base = &m, .iov_len = sizeof(m) };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
				      .msg_control = control.room,
				      .msg_controllen = sizeof(control.room) };

		ck_assert(readable(rig.fd, clock_mono_ns() + PATIENCE_NS));
		ck_assert_int_eq(recvmsg(rig.fd, &msg, MSG_CMSG_CLOEXEC), (ssize_t)sizeof(m));
		ck_assert_uint_eq(m.h.type, KM_HELD);
		ck_assert_uint_eq(control.align.cmsg_len, CMSG_LEN(m.n * sizeof(int)));
		ck_assert_uint_eq(m.slots[0], seen == 0 ? 100 : 100 + 3 * (seen + 2));
		memcpy(&fd, CMSG_DATA(&control.align), sizeof(fd));
		if (seen == 0)
			ck_assert_int_eq(write(fd, "x", 1), 1);
		seen += m.n;
	}
	ck_assert_int_eq(read(ends[0], &(char){ 0 }, 1), 1);
	rig_spawn(&rig, 1, &sleeper);	/* and the conversation goes on */
	rig_started(&rig);
}
END_TEST

int main(int argc, char **argv)
{
	const struct rig_test tests[] = {
		{ children_do_not_notice_a_new_supervisor, 1 },
		{ an_exit_while_nobody_listens_is_in_the_record, 1 },
		{ a_crash_loop_slows_down_and_children_go_on, 1 },
		{ a_supervisor_that_talks_nonsense_is_replaced, 1 },
		{ signals_are_passed_on, 1 },
		{ a_signal_without_supervisor_waits_for_the_next, 1 },
		{ a_second_keeper_learns_who_is_there, 1 },
		{ a_lock_file_without_holder_does_not_matter, 1 },
		{ an_unsafe_run_directory_is_refused, 1 },
		{ what_cannot_be_created_says_so, 1 },
		{ the_pid_file_is_ours_or_refused, 1 },
		{ a_pid_file_that_became_somebody_elses_stays, 1 },
		{ leaving_gives_the_exit_code_and_cleans_up, 1 },
		{ a_foreign_file_keeps_the_run_directory, 1 },
		{ after_a_killed_keeper_nothing_is_started_twice, 1 },
		{ what_died_with_the_keeper_is_told_as_ended, 1 },
		{ a_child_may_wish_to_die_with_the_keeper, 1 },
		{ an_idle_keeper_sleeps, 1 },
		{ held_descriptors_come_back, 1 },
		{ what_slots_hold_comes_back_behind_the_welcome, 1 },
	};

	return rig_main("keeper: main", argc, argv, setup, teardown, tests, ARRAY_LEN(tests));
}
