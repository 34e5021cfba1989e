/* A real keeper in a child process, and the test in the place of its supervisor.
 *
 * The program that the keeper starts as supervisor is the test binary itself in the role "relay":
 * it does the SETUP conversation and from then on carries packets between the keeper and the test.
 * It can be killed like a supervisor; the next relay picks the thread up. Deadlines are generous
 * and never the oracle. */
#ifndef KEEPER_FIXTURE_H
#define KEEPER_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "keeper/keeper.h"
#include "keeper/proto.h"
#include "unit.h"

#define RELAY_FD 20		/* the relay's way to the test; the keeper passes it on */
#define RELAY_ROLE "relay"
#define AGAIN_ROLE "again"
#define PATIENCE_NS (10 * NS_PER_SEC)
#define PACKET_ROOM (sizeof(struct km_slot) + PLAN_MAX + 64)

union packet {
	struct km_header h;
	struct km_welcome welcome;
	struct km_started started;
	struct km_exited exited;
	struct km_slot slot;
	struct km_main main;
	struct km_forward forward;
};

struct rig {
	char base[64];		/* scratch directory; the run directory is below it */
	char run_dir[96];
	pid_t keeper;
	int fd;			/* to the relay of the day */
	struct km_welcome welcome;
	struct records records;
	uint64_t last_id;
};

/* --- the relay -------------------------------------------------------------------------------- */

static inline void relay_pass(int from, int to)
{
	static char buf[PACKET_ROOM];
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * (2 + HOLD_MAX))];
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room,
			      .msg_controllen = sizeof(control.room) };
	ssize_t n = recvmsg(from, &msg, MSG_CMSG_CLOEXEC);
	const struct km_header *h = (const struct km_header *)(const void *)buf;

	if (n <= 0)
		_exit(99);
	iov.iov_len = (size_t)n;
	if (sendmsg(to, &msg, MSG_NOSIGNAL) != n)
		_exit(98);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c))
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			close(fd);
		}
	while (h->type == KM_LEAVE && getenv("RIG_LINGER"))
		pause();
	if (h->type == KM_LEAVE || h->type == KM_UPGRADE)
		_exit(0);
	if (h->type > KM_WELCOME && h->type != KM_FORWARD && !getenv("RIG_SILENT")) {
		const struct km_header heard = { KM_HEARD, sizeof(heard) };

		send(from, &heard, sizeof(heard), MSG_NOSIGNAL);
	}
	if (h->type == KM_FORWARD) {
		struct km_forward taken = *(const struct km_forward *)(const void *)buf;

		taken.h.type = KM_TAKEN;
		send(from, &taken, sizeof(taken), MSG_NOSIGNAL);
	}
	if (h->type == KM_WELCOME &&
	    ((const struct km_welcome *)(const void *)buf)->stage != SETUP_OK)
		_exit(75);
}

static inline int relay_main(int keeper_fd)
{
	struct km_setup setup = { .h = { KM_SETUP, sizeof(setup) },
				  .version = KEEPER_PROTO_VERSION, .slots = 4, .name = "unit" };
	struct pollfd p[2] = { { .fd = keeper_fd, .events = POLLIN },
			       { .fd = RELAY_FD, .events = POLLIN } };

	if (getenv("RIG_PID_FILE"))
		snprintf(setup.pid_file, sizeof(setup.pid_file), "%s", getenv("RIG_PID_FILE"));
	snprintf(setup.run_dir, sizeof(setup.run_dir), "%s", getenv("RIG_RUN_DIR"));
	if (send(keeper_fd, &setup, sizeof(setup), 0) != (ssize_t)sizeof(setup))
		return 97;
	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[0].revents)
			relay_pass(keeper_fd, RELAY_FD);
		if (p[1].revents)
			relay_pass(RELAY_FD, keeper_fd);
	}
}

/* How the keeper of a rig is told to execute this binary. */
static inline struct keeper_options rig_options(void)
{
	static char self[] = "/proc/self/exe", role[] = RELAY_ROLE, fd_text[] = "{FD}";
	static char again[] = AGAIN_ROLE, handover[] = "{HANDOVER}";
	static char *supervisor[] = { self, role, fd_text, NULL };
	static char *keeper[] = { self, again, handover, NULL };

	return (struct keeper_options){ .supervisor_argv = supervisor, .keeper_argv = keeper,
					.title = "unit: keeper" };
}

/* Call first in main(): the roles that this binary has for the keeper. -1: it is the test. */
static inline int rig_role(int argc, char **argv)
{
	const struct keeper_options options = rig_options();

	if (argc == 3 && strcmp(argv[1], AGAIN_ROLE) == 0)
		return keeper_resume(&options, argv[2]);
	if (argc == 3 && strcmp(argv[1], RELAY_ROLE) == 0)
		return relay_main(atoi(argv[2]));
	return -1;
}

/* --- the test's side -------------------------------------------------------------------------- */

static inline bool readable(int fd, int64_t until_ns)
{
	int64_t left = until_ns - clock_mono_ns();
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, left > 0 ? (int)(left / NS_PER_MS) + 1 : 0) > 0;
}

/* The next packet; it must be of TYPE. */
static inline union packet rig_expect(struct rig *r, uint32_t type)
{
	union packet m = { .h = { 0 } };

	ck_assert_msg(readable(r->fd, clock_mono_ns() + PATIENCE_NS), "no packet of type %u", type);
	ck_assert_int_gt(recv(r->fd, &m, sizeof(m), 0), 0);
	ck_assert_msg(m.h.type == type, "packet of type %u instead of %u", m.h.type, type);
	return m;
}

static inline void rig_welcome(struct rig *r)
{
	r->welcome = rig_expect(r, KM_WELCOME).welcome;
}

static inline void rig_send(struct rig *r, const void *m, size_t size)
{
	ck_assert_int_eq(send(r->fd, m, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* A keeper process on RUN_DIR whose relay speaks through the returned descriptor. */
static inline pid_t keeper_fork(const char *run_dir, int *fd)
{
	const struct keeper_options options = rig_options();
	int ends[2];
	pid_t pid;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	setenv("RIG_RUN_DIR", run_dir, 1);
	fflush(NULL);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ends[1], RELAY_FD);
		_exit(keeper_run(&options));
	}
	close(ends[1]);
	*fd = ends[0];
	return pid;
}

static inline void rig_start(struct rig *r)
{
	char path[128];
	int fd;

	r->keeper = keeper_fork(r->run_dir, &r->fd);
	rig_welcome(r);
	ck_assert_uint_eq(r->welcome.stage, SETUP_OK);
	snprintf(path, sizeof(path), "%s/" RECORDS_FILE, r->run_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(records_map(&r->records, fd), 0);
}

static inline void rig_init(struct rig *r)
{
	*r = (struct rig){ .fd = -1, .records.fd = -1 };
	snprintf(r->base, sizeof(r->base), "/tmp/keeper-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(r->base));
	snprintf(r->run_dir, sizeof(r->run_dir), "%s/run", r->base);
}

static inline void rig_leave(struct rig *r, int code)
{
	struct km_leave m = { .h = { KM_LEAVE, sizeof(m) }, .exit_code = code };

	rig_send(r, &m, sizeof(m));
}

/* The keeper's exit code. */
static inline int rig_wait(struct rig *r)
{
	int status = 0;

	ck_assert_int_eq(waitpid(r->keeper, &status, 0), r->keeper);
	r->keeper = 0;
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static inline void rig_fini(struct rig *r)
{
	if (r->keeper > 0) {
		struct km_leave m = { .h = { KM_LEAVE, sizeof(m) } };

		send(r->fd, &m, sizeof(m), MSG_NOSIGNAL);
		waitpid(r->keeper, NULL, 0);
	}
	if (r->fd >= 0)
		close(r->fd);
	records_unmap(&r->records);
	nftw(r->base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Order an upgrade to the file PATH (NULL: without a file); what the next supervisor hears of
 * it. */
static inline struct km_upgraded rig_upgrade(struct rig *r, const char *path, bool keeper)
{
	struct km_upgrade m = { .h = { KM_UPGRADE, sizeof(m) }, .keeper = keeper };
	auto_free(closep) int fd = path ? open(path, O_PATH | O_CLOEXEC) : -1;
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .align = { .cmsg_len = CMSG_LEN(sizeof(fd)), .cmsg_level = SOL_SOCKET,
				 .cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { .iov_base = &m, .iov_len = sizeof(m) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	ck_assert(!path || fd >= 0);
	snprintf(m.exe, sizeof(m.exe), "%s", path ? path : "");
	if (path) {
		msg.msg_control = control.room;
		msg.msg_controllen = sizeof(control.room);
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	}
	ck_assert_int_eq(sendmsg(r->fd, &msg, MSG_NOSIGNAL), (ssize_t)sizeof(m));
	rig_welcome(r);
	ck_assert_uint_eq(r->welcome.stage, SETUP_OK);
	ck_assert_int_eq(r->welcome.keeper_pid, r->keeper);
	return r->welcome.upgraded;
}

/* --- plans ------------------------------------------------------------------------------------ */

struct wish {		/* what a test varies */
	const char *name;	/* of the record; NULL: what the caller says */
	const char *path;	/* NULL: argv[0] */
	const char *argv[8];
	const char *env[8];
	const char *cwd;
	const char *out, *in;	/* files */
	uint32_t flags;
	uint32_t stdio[3];
	void (*adjust)(struct plan *p);
	void (*extend)(struct plan_builder *b);
};

static inline struct plan_builder *wish_plan(const struct wish *w, const char *name)
{
	struct plan_builder *b = plan_new(w->name ? w->name : name);
	struct strlist paths = STRLIST_INIT, argv = STRLIST_INIT, env = STRLIST_INIT;

	strlist_add(&paths, w->path ? w->path : w->argv[0]);
	for (int i = 0; w->argv[i]; i++)
		strlist_add(&argv, w->argv[i]);
	for (int i = 0; w->env[i]; i++)
		strlist_add(&env, w->env[i]);
	strlist_add(&env, "PATH=/usr/local/bin:/usr/bin:/bin");
	plan_set_exec(b, &paths, &argv, &env);
	if (w->cwd)
		plan_set_cwd(b, w->cwd);
	memcpy(plan_header(b)->stdio, w->stdio, sizeof(w->stdio));
	if (w->in) {
		plan_set_stdio_path(b, 0, w->in);
		plan_header(b)->stdio[0] = PLAN_STDIO_FILE;
	}
	if (w->out) {
		plan_set_stdio_path(b, 1, w->out);
		plan_header(b)->stdio[1] = PLAN_STDIO_FILE;
		plan_header(b)->stdio[2] = PLAN_STDIO_STDOUT;
	}
	if (w->extend)
		w->extend(b);
	plan_header(b)->flags |= w->flags;
	if (w->adjust)
		w->adjust(plan_header(b));
	strlist_fini(&paths);
	strlist_fini(&argv);
	strlist_fini(&env);
	return b;
}

/* Ask for a start; returns its spawn_id. */
static inline uint64_t rig_spawn(struct rig *r, uint32_t slot, const struct wish *w)
{
	static char buf[PACKET_ROOM];
	struct plan_builder *b = wish_plan(w, "web");
	struct km_slot m = { .slot = slot, .spawn_id = ++r->last_id };
	const void *plan;
	size_t size;

	ck_assert_int_eq(plan_finish(b, &plan, &size), 0);
	m.h = (struct km_header){ KM_SPAWN, (uint32_t)(sizeof(m) + size) };
	memcpy(buf, &m, sizeof(m));
	memcpy(buf + sizeof(m), plan, size);
	rig_send(r, buf, m.h.size);
	plan_free(b);
	return m.spawn_id;
}

static inline pid_t rig_started(struct rig *r)
{
	struct km_started m = rig_expect(r, KM_STARTED).started;

	ck_assert_msg(m.stage == STAGE_NONE, "failed at %s: %s",
		      enumtext_name(&spawn_stage_text, (int)m.stage), strerror(m.errnum));
	ck_assert_uint_eq(m.spawn_id, r->last_id);
	return m.pid;
}

static inline void rig_signal(struct rig *r, uint32_t slot, int signo, enum signal_scope scope,
			      bool then_cont)
{
	struct km_signal m = { .h = { KM_SIGNAL, sizeof(m) }, .slot = slot, .signo = signo,
			       .spawn_id = record_get(&r->records, slot)->spawn_id,
			       .scope = scope,
			       .flags = then_cont ? SIGNAL_THEN_CONT : 0 };

	rig_send(r, &m, sizeof(m));
}

static inline void rig_release(struct rig *r, uint32_t slot)
{
	struct km_slot m = { .h = { KM_RELEASE, sizeof(m) }, .slot = slot,
			     .spawn_id = record_get(&r->records, slot)->spawn_id };

	rig_send(r, &m, sizeof(m));
}

static inline uint32_t rig_state(const struct rig *r, uint32_t slot)
{
	return atomic_load(&record_get(&r->records, slot)->state);
}

/* Run to the end: started, exited, released. Returns the wait status. */
static inline int rig_run(struct rig *r, uint32_t slot, const struct wish *w)
{
	union packet m;

	rig_spawn(r, slot, w);
	rig_started(r);
	m = rig_expect(r, KM_EXITED);
	ck_assert_uint_eq(m.exited.spawn_id, r->last_id);
	if (m.exited.tree_left)
		rig_expect(r, KM_GONE);
	rig_release(r, slot);
	return m.exited.wait_status;
}

/* A start that must fail; {stage, errno}. */
static inline struct km_started rig_fail(struct rig *r, uint32_t slot, const struct wish *w)
{
	struct km_started m;

	rig_spawn(r, slot, w);
	m = rig_expect(r, KM_STARTED).started;
	ck_assert_uint_ne(m.stage, STAGE_NONE);
	ck_assert_uint_eq(m.spawn_id, r->last_id);
	ck_assert_uint_eq(rig_state(r, slot), RECORD_FREE);
	return m;
}

/* --- looking ---------------------------------------------------------------------------------- */

static inline char *slurp(const char *path)
{
	char *text = x_calloc(1, 65536);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	ck_assert_int_ge(read(fd, text, 65535), 0);
	close(fd);
	return text;
}

static inline void nap(void)
{
	poll(NULL, 0, 5);
}

/* A live process: zombies are not. */
static inline bool alive(pid_t pid)
{
	char path[64], text[512] = "";
	const char *at;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) <= 0)
		text[0] = '\0';
	close(fd);
	at = strrchr(text, ')');
	return at && at[2] != 'Z' && at[2] != 'X';
}

/* Nothing at all has that number any more: it was reaped, too. */
static inline void wait_reaped(pid_t pid)
{
	int64_t until = clock_mono_ns() + PATIENCE_NS;

	while (kill(pid, 0) == 0 && clock_mono_ns() < until)
		nap();
	ck_assert_msg(kill(pid, 0) < 0 && errno == ESRCH, "pid %d is still there", (int)pid);
}

/* The number that somebody writes into PATH, sooner or later. */
static inline pid_t wait_pid_file(const char *path)
{
	int64_t until = clock_mono_ns() + PATIENCE_NS;

	for (; clock_mono_ns() < until; nap()) {
		char text[32] = "";
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

		if (fd >= 0)
			close(fd);
		if (n > 1 && text[n - 1] == '\n')
			return (pid_t)atoi(text);
	}
	ck_abort_msg("nobody wrote %s", path);
}

struct rig_test {
	const TTest *test;
	int times;		/* loop test: _i from 0 */
};

/* main() of a program whose tests use a rig. */
static inline int rig_main(const char *name, int argc, char **argv, void (*setup)(void),
			   void (*teardown)(void), const struct rig_test *tests, size_t n)
{
	int failed, role = rig_role(argc, argv);
	Suite *suite;
	TCase *tcase;
	SRunner *runner;

	if (role >= 0)
		return role;
	suite = suite_create(name);
	tcase = tcase_create("all");
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	for (size_t i = 0; i < n; i++)
		tcase_add_loop_test(tcase, tests[i].test, 0, tests[i].times);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
