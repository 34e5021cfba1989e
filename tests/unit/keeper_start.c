/* How procd is started by others: with too many descriptors, with none, with signals ignored. The
 * keeper is executed anew here, so that it has what a shell would have given it; the program that
 * it starts as supervisor is the test binary again. */
#include "keeper_fixture.h"

#define KEEPER_ROLE "keeper"
#define REFUSE "PROCD_TEST_NO_FEATURE"

static char base[64], report[96];

static void setup(void)
{
	snprintf(base, sizeof(base), "/tmp/keeper-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(report, sizeof(report), "%s/report", base);
	setenv("REPORT", report, 1);
	setenv("SHARED_DIR", base, 1);
	unsetenv(REFUSE);
}

static void teardown(void)
{
	nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- the roles -------------------------------------------------------------------------------- */

static int keeper_role(char *supervisor)
{
	static char self[] = "/proc/self/exe", fd[] = "{FD}", run_dir[] = "{RUN_DIR}";
	char *argv[] = { self, supervisor, fd, run_dir, NULL };

	return keeper_run(&(struct keeper_options){ .supervisor_argv = argv, .title = "unit" });
}

/* Writes which descriptors it has (its way to the keeper left out) and leaves. */
static int tell_fds(int keeper_fd)
{
	int out = open(getenv("REPORT"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	for (int fd = 0; fd < 256; fd++)
		if (fd != out && fd != keeper_fd && fcntl(fd, F_GETFD) >= 0)
			dprintf(out, "%d ", fd);
	return 21;
}

static int setup_send(int keeper_fd)
{
	struct km_setup m = { .h = { KM_SETUP, sizeof(m) }, .version = KEEPER_PROTO_VERSION,
			      .slots = 1, .name = "unit" };
	union packet answer;

	snprintf(m.run_dir, sizeof(m.run_dir), "%s/run", getenv("SHARED_DIR"));
	if (send(keeper_fd, &m, sizeof(m), 0) < 0 ||
	    recv(keeper_fd, &answer, sizeof(answer), 0) < 0)
		return -1;
	return answer.welcome.stage == SETUP_OK ? 0 : -1;
}

/* Starts a shell that exits with 5, and leaves with what it is told. */
static int pass_status(int keeper_fd)
{
	const struct wish w = { .argv = { "/bin/sh", "-c", "exit 5" } };
	struct plan_builder *b = wish_plan(&w, "web");
	static char buf[PACKET_ROOM];
	struct km_slot m = { .spawn_id = 1 };
	struct km_leave leave = { .h = { KM_LEAVE, sizeof(leave) } };
	union packet p;
	const void *plan;
	size_t size;

	if (setup_send(keeper_fd) < 0 || plan_finish(b, &plan, &size) < 0)
		return 1;
	m.h = (struct km_header){ KM_SPAWN, (uint32_t)(sizeof(m) + size) };
	memcpy(buf, &m, sizeof(m));
	memcpy(buf + sizeof(m), plan, size);
	plan_free(b);
	send(keeper_fd, buf, m.h.size, 0);
	do
		if (recv(keeper_fd, &p, sizeof(p), 0) <= 0)
			return 1;
	while (p.h.type != KM_EXITED);
	leave.exit_code = p.exited.wait_status == 5 << 8 ? 55 : 1;
	send(keeper_fd, &leave, sizeof(leave), 0);
	return 0;
}

static int supervisor_role(const char *name, int keeper_fd)
{
	if (strcmp(name, "fds") == 0)
		return tell_fds(keeper_fd);
	if (strcmp(name, "status") == 0)
		return pass_status(keeper_fd);
	if (strcmp(name, "abort") == 0) {
		if (setup_send(keeper_fd) == 0)
			dprintf(open(getenv("REPORT"), O_WRONLY | O_CREAT | O_APPEND, 0600), "x");
		_exit(1);
	}
	if (strcmp(name, "hang") == 0)
		pause();
	return 42;
}

/* --- the tests -------------------------------------------------------------------------------- */

static pid_t start(const char *supervisor, void (*before)(void))
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (before)
			before();
		execl("/proc/self/exe", "unit", KEEPER_ROLE, supervisor, (char *)NULL);
		_exit(126);
	}
	return pid;
}

static int code_of(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(the_first_supervisors_exit_code_is_procds)
{
	ck_assert_int_eq(code_of(start("other", NULL)), 42);
}
END_TEST

/* 0 to 2, one below the keeper's own range, and 50 from there on. */
static void many_descriptors(void)
{
	for (int fd = 3; fd < 256; fd++)
		close(fd);
	dup2(0, 7);
	for (int fd = 38; fd < 90; fd++)
		dup2(0, fd);
	fcntl(38, F_SETFD, FD_CLOEXEC);
}

static const char *const poorer[] = { "", "close_range", "pidfd_open", "clone3" };

START_TEST(low_descriptors_reach_the_supervisor_under_their_number)
{
	char *text;

	setenv(REFUSE, poorer[_i], 1);
	ck_assert_int_eq(code_of(start("fds", many_descriptors)), 21);
	text = slurp(report);
	ck_assert_str_eq(text, "0 1 2 7 39 ");
	free(text);
}
END_TEST

static void no_descriptors(void)
{
	for (int fd = 0; fd < 256; fd++)
		close(fd);
}

static void no_stderr(void)
{
	close(2);
}

static void (*const closings[])(void) = { no_descriptors, no_stderr };

START_TEST(closed_standard_descriptors_are_filled)
{
	char *text;

	ck_assert_int_eq(code_of(start("fds", closings[_i])), 21);
	text = slurp(report);
	ck_assert_int_eq(strncmp(text, "0 1 2 ", 6), 0);
	free(text);
}
END_TEST

static void ignore_signals(void)
{
	for (int i = 1; i < NSIG; i++)
		if (i != SIGKILL && i != SIGSTOP)
			signal(i, SIG_IGN);
}

START_TEST(an_ignored_sigchld_loses_no_status)
{
	setenv(REFUSE, poorer[_i], 1);
	ck_assert_int_eq(code_of(start("status", ignore_signals)), 55);
}
END_TEST

START_TEST(no_signal_that_can_be_blocked_ends_the_keeper)
{
	pid_t pid = start("hang", NULL);
	int64_t until = clock_mono_ns() + PATIENCE_NS;
	char path[64];

	/* it blocks before anything else that can be seen from here */
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	for (bool ready = false; !ready && clock_mono_ns() < until; nap()) {
		char *comm = slurp(path);

		ready = strcmp(comm, "procd-keeper\n") == 0;
		free(comm);
	}
	for (int i = 1; i <= 64; i++)
		if (i != SIGKILL && i != SIGSTOP && i != SIGTERM && i != SIGINT && i != SIGQUIT)
			kill(pid, i);
	poll(NULL, 0, 100);
	ck_assert(alive(pid));
	/* a supervisor that never comes up does not hold up the end for ever */
	kill(pid, SIGTERM);
	ck_assert_int_ne(code_of(pid), 0);
}
END_TEST

START_TEST(term_ends_a_crash_loop)
{
	pid_t pid = start("abort", NULL);
	int64_t until = clock_mono_ns() + PATIENCE_NS;
	size_t deaths = 0;

	while (deaths < 5 && clock_mono_ns() < until) {
		int fd = open(report, O_RDONLY | O_CLOEXEC);
		char text[64];
		ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : 0;

		deaths = n > 0 ? (size_t)n : 0;
		closep(&fd);
		nap();
	}
	ck_assert_uint_eq(deaths, 5);
	kill(pid, SIGTERM);
	ck_assert_int_eq(code_of(pid), 1);
}
END_TEST

int main(int argc, char **argv)
{
	const struct rig_test tests[] = {
		{ the_first_supervisors_exit_code_is_procds, 1 },
		{ low_descriptors_reach_the_supervisor_under_their_number, ARRAY_LEN(poorer) },
		{ closed_standard_descriptors_are_filled, ARRAY_LEN(closings) },
		{ an_ignored_sigchld_loses_no_status, ARRAY_LEN(poorer) },
		{ no_signal_that_can_be_blocked_ends_the_keeper, 1 },
		{ term_ends_a_crash_loop, 1 },
	};

	if (argc == 3 && strcmp(argv[1], KEEPER_ROLE) == 0)
		return keeper_role(argv[2]);
	if (argc == 4)
		return supervisor_role(argv[1], atoi(argv[2]));
	return rig_main("keeper: start", argc, argv, setup, teardown, tests, ARRAY_LEN(tests));
}
