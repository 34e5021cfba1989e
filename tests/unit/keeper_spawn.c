/* What a child gets, and how a start fails. The children are ordinary programs that show what they
 * see; each test also runs on every fallback of an old kernel. */
#include <sched.h>
#include <sys/resource.h>

#include "keeper_fixture.h"

static struct rig rig;

/* Kernels of other days: what is refused to the keeper. Empty: this kernel. */
static const char *const kernels[] = {
	"", "clone3", "close_range", "pidfd_send_signal", "cgroup2",
	"pidfd_open,clone3,close_range,cgroup2",
};

static char out_path[128];

static void setup(void)
{
	rig_init(&rig);
	snprintf(out_path, sizeof(out_path), "%s/out", rig.base);
}

static void teardown(void)
{
	rig_fini(&rig);
}

static void start_on(const char *without)
{
	setenv("PROCD_TEST_NO_FEATURE", without, 1);
	rig_start(&rig);
}

/* What `argv` prints as a child. */
static char *shown(struct wish w)
{
	w.out = out_path;
	unlink(out_path);
	ck_assert_int_eq(rig_run(&rig, 0, &w), 0);
	return slurp(out_path);
}

static void ck_has(const char *text, const char *line)
{
	ck_assert_msg(strstr(text, line) != NULL, "no <%s> in:\n%s", line, text);
}

/* --- exits ------------------------------------------------------------------------------------ */

START_TEST(exit_code_and_signal_come_back)
{
	int status;

	start_on(kernels[_i]);
	for (int code = 0; code < 256; code += 51) {
		char text[16];

		snprintf(text, sizeof(text), "exit %d", code);
		status = rig_run(&rig, 0, &(struct wish){ .argv = { "/bin/sh", "-c", text } });
		ck_assert(WIFEXITED(status));
		ck_assert_int_eq(WEXITSTATUS(status), code);
	}
	status = rig_run(&rig, 0, &(struct wish){ .argv = { "/bin/sh", "-c", "kill -TERM $$" },
						  .flags = PLAN_TREE });
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGTERM);
}
END_TEST

START_TEST(a_core_dump_is_told_as_one)
{
	int status;

	start_on("");
	status = rig_run(&rig, 0, &(struct wish){
		.argv = { "/bin/sh", "-c", "ulimit -c unlimited; kill -ABRT $$" },
		.cwd = rig.base });
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGABRT);
}
END_TEST

START_TEST(the_record_tells_what_the_messages_told)
{
	const struct record *r;
	union packet m;
	pid_t pid;

	start_on("");
	rig_spawn(&rig, 7, &(struct wish){ .argv = { "/bin/sh", "-c", "exit 3" } });
	pid = rig_started(&rig);
	m = rig_expect(&rig, KM_EXITED);
	r = record_get(&rig.records, 7);
	ck_assert_int_eq(r->pid, pid);
	ck_assert_uint_eq(r->spawn_id, m.exited.spawn_id);
	ck_assert_uint_eq(rig_state(&rig, 7), RECORD_GONE);
	ck_assert_int_eq(r->wait_status, 3 << 8);
	ck_assert_str_eq(r->name, "web");
	ck_assert_int_ge(r->exited_mono_ns, r->started_mono_ns);
	ck_assert_uint_gt(r->max_rss_kib, 0);
	ck_assert(r->start_ticks > 0 || r->pidfd_ino > 0);
	rig_release(&rig, 7);
	rig_run(&rig, 7, &(struct wish){ .argv = { "/bin/true" } });
}
END_TEST

START_TEST(slots_far_beyond_the_hint_have_room)
{
	start_on("");
	ck_assert_int_eq(rig_run(&rig, 20000, &(struct wish){ .argv = { "/bin/true" } }), 0);
	ck_assert_uint_gt(atomic_load(&rig.records.header->nslots), 20000);
}
END_TEST

START_TEST(a_busy_slot_is_not_started_twice)
{
	struct km_started m;
	pid_t pid;

	start_on("");
	rig_spawn(&rig, 0, &(struct wish){ .argv = { "/bin/sleep", "1000" } });
	pid = rig_started(&rig);
	rig_spawn(&rig, 0, &(struct wish){ .argv = { "/bin/sleep", "1000" } });
	m = rig_expect(&rig, KM_STARTED).started;
	ck_assert_uint_eq(m.stage, STAGE_SPAWN);
	ck_assert_int_eq(m.errnum, EBUSY);
	ck_assert_uint_eq(rig_state(&rig, 0), RECORD_RUNNING);
	ck_assert_int_eq(record_get(&rig.records, 0)->pid, pid);
	ck_assert(alive(pid));
}
END_TEST

/* --- failures --------------------------------------------------------------------------------- */

static void ck_fails(const struct wish *w, enum spawn_stage stage, int errnum)
{
	struct km_started m = rig_fail(&rig, 0, w);

	ck_assert_str_eq(enumtext_name(&spawn_stage_text, (int)m.stage),
			 enumtext_name(&spawn_stage_text, (int)stage));
	ck_assert_str_eq(strerror(m.errnum), strerror(errnum));
}

static void tiny_then_more(struct plan *p)
{
	p->limits[RLIMIT_CORE] = (struct plan_limit){ .soft = 0, .hard = 0, .set = 1 };
}

START_TEST(a_failed_start_names_stage_and_errno)
{
	char path[160];
	int fd;

	start_on(kernels[_i]);
	ck_fails(&(struct wish){ .argv = { "/nonexistent/program" } }, STAGE_EXEC, ENOENT);
	ck_fails(&(struct wish){ .argv = { "/etc/passwd" } }, STAGE_EXEC, EACCES);
	ck_fails(&(struct wish){ .argv = { "/bin/true" }, .cwd = "/nonexistent" },
		 STAGE_CHDIR, ENOENT);
	ck_fails(&(struct wish){ .argv = { "/bin/true" }, .in = "/nonexistent" },
		 STAGE_STDIN, ENOENT);
	ck_fails(&(struct wish){ .argv = { "/bin/true" }, .in = "/" }, STAGE_STDIN, EISDIR);
	ck_fails(&(struct wish){ .argv = { "/bin/true" }, .out = "/nonexistent/log" },
		 STAGE_STDOUT, ENOENT);
	ck_fails(&(struct wish){ .argv = { "/bin/true" }, .out = "/dev/full/x" },
		 STAGE_STDOUT, ENOTDIR);
	/* garbage that is executable */
	snprintf(path, sizeof(path), "%s/garbage", rig.base);
	fd = open(path, O_WRONLY | O_CREAT, 0755);
	ck_assert_int_eq(write(fd, "\x7f" "ELF?", 5), 5);
	close(fd);
	ck_fails(&(struct wish){ .argv = { path } }, STAGE_EXEC, ENOEXEC);
	/* and it can start afterwards */
	ck_assert_int_eq(rig_run(&rig, 0, &(struct wish){ .argv = { "/bin/true" },
							  .adjust = tiny_then_more }), 0);
}
END_TEST

START_TEST(a_file_that_is_written_is_busy)
{
	char path[160];
	int fd;

	start_on("");
	snprintf(path, sizeof(path), "%s/busy", rig.base);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	ck_assert_int_ge(fd, 0);
	ck_fails(&(struct wish){ .argv = { path } }, STAGE_EXEC, ETXTBSY);
	close(fd);
}
END_TEST

START_TEST(a_planted_log_is_refused)
{
	char path[160];

	start_on("");
	snprintf(path, sizeof(path), "%s/link", rig.base);
	ck_assert_int_eq(symlink("/tmp/elsewhere", path), 0);
	ck_fails(&(struct wish){ .argv = { "/bin/true" }, .out = path }, STAGE_STDOUT, ELOOP);
	snprintf(path, sizeof(path), "%s/pipe", rig.base);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	/* without a reader, and it must not hang the keeper */
	ck_fails(&(struct wish){ .argv = { "/bin/true" }, .out = path }, STAGE_STDOUT, ENXIO);
	ck_assert_int_eq(rig_run(&rig, 0, &(struct wish){ .argv = { "/bin/true" },
							  .out = "/dev/null" }), 0);
}
END_TEST

START_TEST(a_malformed_plan_fails_the_start_only)
{
	char buf[sizeof(struct km_slot) + 600] = { 0 };
	struct km_slot m = { .h = { KM_SPAWN, sizeof(buf) }, .slot = 0, .spawn_id = 9 };
	struct km_started s;

	start_on("");
	memcpy(buf, &m, sizeof(m));
	rig_send(&rig, buf, sizeof(buf));
	s = rig_expect(&rig, KM_STARTED).started;
	ck_assert_uint_eq(s.stage, STAGE_PLAN);
	ck_assert_int_eq(s.errnum, EINVAL);
	ck_assert_uint_eq(s.spawn_id, 9);
	ck_assert_int_eq(rig_run(&rig, 0, &(struct wish){ .argv = { "/bin/true" } }), 0);
}
END_TEST

/* As many pointers as a block can ask for. */
static void one_vector_for_all(struct plan_builder *b)
{
	struct strlist items = STRLIST_INIT, none = STRLIST_INIT;

	for (int i = 0; i < 20000; i++)
		strlist_add(&items, "/");
	plan_set_exec(b, &items, &none, &none);
	plan_header(b)->argv = plan_header(b)->envp = plan_header(b)->exec_paths;
	strlist_fini(&items);
	strlist_fini(&none);
}

START_TEST(three_vectors_may_be_the_same_long_one)
{
	struct km_started m;

	start_on("");
	m = rig_fail(&rig, 0, &(struct wish){ .argv = { "/bin/true" },
					      .extend = one_vector_for_all });
	ck_assert_uint_eq(m.stage, STAGE_EXEC);
	ck_assert_int_eq(rig_run(&rig, 0, &(struct wish){ .argv = { "/bin/true" } }), 0);
}
END_TEST

START_TEST(path_search_goes_on_like_execvp)
{
	struct plan_builder *b = plan_new("web");
	struct strlist paths = STRLIST_INIT, argv = STRLIST_INIT, env = STRLIST_INIT;
	static char buf[PACKET_ROOM];
	struct km_slot m = { .slot = 0, .spawn_id = ++rig.last_id };
	const void *plan;
	size_t size;

	start_on("");
	strlist_add(&paths, "/nonexistent/true");
	strlist_add(&paths, "/etc/passwd/true");	/* ENOTDIR */
	strlist_add(&paths, "/etc/passwd");		/* EACCES */
	strlist_add(&paths, "/bin/true");
	strlist_add(&argv, "true");
	plan_set_exec(b, &paths, &argv, &env);
	ck_assert_int_eq(plan_finish(b, &plan, &size), 0);
	m.h = (struct km_header){ KM_SPAWN, (uint32_t)(sizeof(m) + size) };
	memcpy(buf, &m, sizeof(m));
	memcpy(buf + sizeof(m), plan, size);
	rig_send(&rig, buf, m.h.size);
	rig_started(&rig);
	ck_assert_int_eq(rig_expect(&rig, KM_EXITED).exited.wait_status, 0);
	plan_free(b);
	strlist_fini(&paths);
	strlist_fini(&argv);
}
END_TEST

/* --- what a child gets ------------------------------------------------------------------------ */

static void inherit_nothing_good(void)
{
	sigset_t some;

	/* the keeper is started by somebody careless */
	for (int fd = 50; fd < 100; fd++)
		dup2(STDIN_FILENO, fd);
	dup2(STDIN_FILENO, 25);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTSTP, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	sigfillset(&some);
	sigprocmask(SIG_BLOCK, &some, NULL);
}

START_TEST(a_child_has_three_descriptors_and_clean_signals)
{
	char *text;

	inherit_nothing_good();
	start_on(kernels[_i]);
	text = shown((struct wish){ .argv = { "/bin/ls", "/proc/self/fd" } });
	ck_assert_str_eq(text, "0\n1\n2\n3\n");	/* 3 is its own look at the directory */
	free(text);
	text = shown((struct wish){ .argv = { "/bin/cat", "/proc/self/status" } });
	ck_has(text, "SigBlk:\t0000000000000000\n");
	ck_has(text, "SigIgn:\t0000000000000000\n");
	ck_has(text, "SigCgt:\t0000000000000000\n");
	free(text);
}
END_TEST

START_TEST(a_child_leads_its_own_session)
{
	char *text, line[64];

	start_on("");
	text = shown((struct wish){ .argv = { "/bin/sh", "-c", "cat /proc/$$/stat" } });
	snprintf(line, sizeof(line), "%d (sh) ", atoi(text));
	ck_has(text, line);
	snprintf(line, sizeof(line), " %d %d %d 0 -1 ", (int)rig.keeper, atoi(text), atoi(text));
	ck_has(text, line);
	free(text);
}
END_TEST

START_TEST(a_child_gets_the_limits_that_the_keeper_was_started_with)
{
	struct rlimit files = { .rlim_cur = 300, .rlim_max = 4000 };
	char *text;

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	umask(027);
	start_on(kernels[_i]);
	text = shown((struct wish){ .argv = { "/bin/sh", "-c",
					      "ulimit -Sn; ulimit -Hn; umask; "
					      "cat /proc/$$/oom_score_adj; nice" } });
	ck_assert_str_eq(text, "300\n4000\n0027\n0\n0\n");
	free(text);
}
END_TEST

/* The line of PATH (a status file) that tells the processors; the caller frees it. */
static char *processors(const char *path)
{
	char *text = slurp(path), *line = strstr(text, "Cpus_allowed_list:"), *copy;

	ck_assert_ptr_nonnull(line);
	copy = strndup(line, strcspn(line, "\n") + 1);
	free(text);
	return copy;
}

/* While a child is made its keeper keeps to one processor (keeper/spawn.c). */
START_TEST(child_and_keeper_run_wherever_the_keeper_was_started_to_run)
{
	char *text, *own, *keeper, path[64];
	cpu_set_t mask;
	int last = 0;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(mask), &mask), 0);
	for (int i = 0; i < CPU_SETSIZE; i++)
		last = CPU_ISSET(i, &mask) ? i : last;
	CPU_ZERO(&mask);
	CPU_SET(last, &mask);
	if (_i == 1)
		ck_assert_int_eq(sched_setaffinity(0, sizeof(mask), &mask), 0);
	start_on("");
	text = shown((struct wish){ .argv = { "/bin/grep", "Cpus_allowed_list", "/proc/self/status" } });
	own = processors("/proc/self/status");
	snprintf(path, sizeof(path), "/proc/%d/status", (int)rig.keeper);
	keeper = processors(path);
	ck_assert_str_eq(text, own);
	ck_assert_str_eq(keeper, own);
	free(text);
	free(own);
	free(keeper);
}
END_TEST

static void adjust_much(struct plan *p)
{
	p->umask = 0123;
	p->nice = 7;
	p->oom_score_adjust = 321;
	p->limits[RLIMIT_NOFILE] = (struct plan_limit){ .soft = 5, .hard = 6, .set = 1 };
	p->limits[RLIMIT_CORE] = (struct plan_limit){ .soft = 1024, .hard = 2048, .set = 1 };
}

START_TEST(a_plan_sets_what_it_names)
{
	char *text;

	start_on("");
	text = shown((struct wish){
		.argv = { "/bin/sh", "-c", "ulimit -Sn; ulimit -Hn; umask; "
			  "cat /proc/$$/oom_score_adj; nice; pwd; echo $COLOUR; read x; echo $x" },
		.env = { "COLOUR=red" }, .cwd = "/usr", .in = "/etc/hostname",
		.flags = PLAN_SET_UMASK | PLAN_SET_NICE, .adjust = adjust_much });
	ck_assert_msg(strncmp(text, "5\n6\n0123\n321\n7\n/usr\nred\n", 24) == 0, "%s", text);
	free(text);
}
END_TEST

START_TEST(output_files_are_appended_to)
{
	char *text;

	start_on("");
	free(shown((struct wish){ .argv = { "/bin/echo", "one" } }));
	ck_assert_int_eq(rig_run(&rig, 0, &(struct wish){
		.argv = { "/bin/sh", "-c", "echo two >&2" }, .out = out_path }), 0);
	text = slurp(out_path);
	ck_assert_str_eq(text, "one\ntwo\n");
	free(text);
}
END_TEST

/* --- ids -------------------------------------------------------------------------------------- */

static void become_nobody(struct plan *p)
{
	p->uid = 65534;
	p->gid = 65533;
	p->ngroups = 2;
	p->groups[0] = 65533;
	p->groups[1] = 12345;
}

START_TEST(ids_are_dropped_for_good)
{
	char *text;

	if (geteuid() != 0)
		return;
	start_on("");
	text = shown((struct wish){ .argv = { "/bin/grep", "-E", "^(Uid|Gid|Groups|CapEff|CapPrm)",
					      "/proc/self/status" },
				    .flags = PLAN_SET_IDS, .adjust = become_nobody });
	ck_has(text, "Uid:\t65534\t65534\t65534\t65534\n");
	ck_has(text, "Gid:\t65533\t65533\t65533\t65533\n");
	ck_has(text, "Groups:\t12345 65533 \n");
	ck_has(text, "CapPrm:\t0000000000000000\n");
	ck_has(text, "CapEff:\t0000000000000000\n");
	free(text);
}
END_TEST

START_TEST(without_the_right_to_change_ids_nothing_starts)
{
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chown(rig.base, 65534, 65534), 0);
	ck_assert_int_eq(setresgid(65534, 65534, 65534), 0);
	ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
	start_on("");
	ck_fails(&(struct wish){ .argv = { "/bin/true" }, .flags = PLAN_SET_IDS }, STAGE_GID,
		 EPERM);
	ck_assert_int_eq(rig_run(&rig, 0, &(struct wish){ .argv = { "/bin/true" } }), 0);
}
END_TEST

/* --- capture ---------------------------------------------------------------------------------- */

static int fifo_of(uint32_t slot, const char *stream)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/fifo/%u.%s", rig.run_dir, slot, stream);
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

START_TEST(captured_bytes_wait_for_a_reader)
{
	const struct wish w = { .argv = { "/bin/sh", "-c", "echo out; echo err >&2; echo again "
					  ">/dev/stdout" },
				.stdio = { 0, PLAN_STDIO_CAPTURE, PLAN_STDIO_CAPTURE },
				.flags = geteuid() == 0 ? PLAN_SET_IDS : 0,
				.adjust = geteuid() == 0 ? become_nobody : NULL };
	char buf[64] = "";
	int fd;

	start_on("");
	ck_assert_int_eq(rig_run(&rig, 3, &w), 0);
	fd = fifo_of(3, "out");
	ck_assert_int_eq(read(fd, buf, sizeof(buf)), 10);
	ck_assert_str_eq(buf, "out\nagain\n");
	close(fd);
	fd = fifo_of(3, "err");
	ck_assert_int_eq(read(fd, buf, sizeof(buf)), 4);
	close(fd);
	/* the same pipes serve the next start */
	ck_assert_int_eq(rig_run(&rig, 3, &w), 0);
	fd = fifo_of(3, "out");
	ck_assert_int_eq(read(fd, buf, sizeof(buf)), 10);
	close(fd);
}
END_TEST

/* Runs W in SLOT; what the end says about its FIFOs. */
static uint32_t told_empty(uint32_t slot, const struct wish *w)
{
	rig_spawn(&rig, slot, w);
	rig_started(&rig);
	uint32_t empty = rig_expect(&rig, KM_EXITED).exited.fifos_empty;

	rig_release(&rig, slot);
	return empty;
}

START_TEST(the_end_tells_whether_something_waits_in_the_fifos)
{
	const struct wish prints = { .argv = { "/bin/sh", "-c", "echo err >&2" },
				     .stdio = { 0, PLAN_STDIO_CAPTURE, PLAN_STDIO_CAPTURE } };
	const struct wish silent = { .argv = { "/bin/true" },
				     .stdio = { 0, PLAN_STDIO_CAPTURE, PLAN_STDIO_CAPTURE } };

	start_on("");
	ck_assert_uint_eq(told_empty(3, &silent), 1);
	ck_assert_uint_eq(told_empty(3, &prints), 0);
	ck_assert_uint_eq(told_empty(3, &silent), 0);	/* nobody has read what the other left */
	ck_assert_uint_eq(told_empty(4, &(struct wish){ .argv = { "/bin/true" } }), 0);	/* it has none */
}
END_TEST

static void into_slot_3(struct plan *p)
{
	p->capture_of = 3 + 1;
}

START_TEST(the_fifo_of_another_slot_can_be_shared)
{
	const struct wish w = { .argv = { "/bin/sh", "-c", "echo out" },
				.stdio = { 0, PLAN_STDIO_CAPTURE, PLAN_STDIO_STDOUT },
				.adjust = into_slot_3 };
	char buf[64] = "";
	int fd;

	start_on("");
	ck_assert_int_eq(rig_run(&rig, 1, &w), 0);
	fd = fifo_of(3, "out");
	ck_assert_int_eq(read(fd, buf, sizeof(buf)), 4);
	ck_assert_str_eq(buf, "out\n");
	close(fd);
	ck_assert_int_lt(fifo_of(1, "out"), 0);
	ck_assert_uint_eq(rig_state(&rig, 3), RECORD_FREE);
}
END_TEST

/* Which had a FIFO of its own when somebody else was in it. */
START_TEST(the_end_tells_of_the_fifo_that_was_written_to)
{
	const struct wish own = { .argv = { "/bin/true" }, .stdio = { 0, PLAN_STDIO_CAPTURE } };
	const struct wish shared = { .argv = { "/bin/sh", "-c", "echo out" },
				     .stdio = { 0, PLAN_STDIO_CAPTURE }, .adjust = into_slot_3 };

	start_on("");
	ck_assert_uint_eq(told_empty(1, &own), 1);
	ck_assert_uint_eq(told_empty(1, &shared), 0);
	ck_assert_uint_eq(told_empty(1, &own), 1);
}
END_TEST

START_TEST(a_file_in_place_of_a_fifo_fails_the_start)
{
	char path[160];

	start_on("");
	snprintf(path, sizeof(path), "%s/fifo/0.out", rig.run_dir);
	ck_assert_int_eq(close(open(path, O_WRONLY | O_CREAT, 0600)), 0);
	ck_fails(&(struct wish){ .argv = { "/bin/true" }, .stdio = { 0, PLAN_STDIO_CAPTURE } },
		 STAGE_OUTPUT, EEXIST);
	unlink(path);
}
END_TEST

/* --- load ------------------------------------------------------------------------------------- */

START_TEST(nothing_is_lost_when_the_supervisor_does_not_listen)
{
	enum { N = 600 };
	static bool started[N], exited[N];
	int got = 0;

	start_on(kernels[_i]);
	for (uint32_t slot = 0; slot < N; slot++)
		rig_spawn(&rig, slot, &(struct wish){ .argv = { slot % 8 ? "/bin/true"
									 : "/nonexistent" } });
	while (got < N) {
		union packet m = { .h = { 0 } };

		ck_assert(readable(rig.fd, clock_mono_ns() + PATIENCE_NS));
		ck_assert_int_gt(recv(rig.fd, &m, sizeof(m), 0), 0);
		if (m.h.type == KM_STARTED) {
			uint32_t slot = m.started.slot;

			ck_assert(!started[slot]);
			started[slot] = true;
			ck_assert_int_eq(m.started.stage == STAGE_EXEC, slot % 8 == 0);
			got += slot % 8 == 0;
			continue;
		}
		ck_assert_uint_eq(m.h.type, KM_EXITED);
		ck_assert(started[m.exited.slot] && !exited[m.exited.slot]);
		exited[m.exited.slot] = true;
		got++;
	}
}
END_TEST

int main(int argc, char **argv)
{
	const struct rig_test tests[] = {
		{ exit_code_and_signal_come_back, ARRAY_LEN(kernels) },
		{ a_core_dump_is_told_as_one, 1 },
		{ the_record_tells_what_the_messages_told, 1 },
		{ slots_far_beyond_the_hint_have_room, 1 },
		{ a_busy_slot_is_not_started_twice, 1 },
		{ a_failed_start_names_stage_and_errno, ARRAY_LEN(kernels) },
		{ a_file_that_is_written_is_busy, 1 },
		{ a_planted_log_is_refused, 1 },
		{ a_malformed_plan_fails_the_start_only, 1 },
		{ three_vectors_may_be_the_same_long_one, 1 },
		{ path_search_goes_on_like_execvp, 1 },
		{ a_child_has_three_descriptors_and_clean_signals, ARRAY_LEN(kernels) },
		{ a_child_leads_its_own_session, 1 },
		{ child_and_keeper_run_wherever_the_keeper_was_started_to_run, 2 },
		{ a_child_gets_the_limits_that_the_keeper_was_started_with,
		  ARRAY_LEN(kernels) },
		{ a_plan_sets_what_it_names, 1 },
		{ output_files_are_appended_to, 1 },
		{ ids_are_dropped_for_good, 1 },
		{ without_the_right_to_change_ids_nothing_starts, 1 },
		{ captured_bytes_wait_for_a_reader, 1 },
		{ the_end_tells_whether_something_waits_in_the_fifos, 1 },
		{ the_fifo_of_another_slot_can_be_shared, 1 },
		{ the_end_tells_of_the_fifo_that_was_written_to, 1 },
		{ a_file_in_place_of_a_fifo_fails_the_start, 1 },
		{ nothing_is_lost_when_the_supervisor_does_not_listen,
		  ARRAY_LEN(kernels) },
	};

	return rig_main("keeper: spawn", argc, argv, setup, teardown, tests, ARRAY_LEN(tests));
}
