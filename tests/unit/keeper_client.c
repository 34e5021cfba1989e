/* The supervisor's side of the conversation, with the test as the keeper: how a refusal is worded,
 * that nothing blocks, and that order is kept. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/client.h"
#include "keeper/features.h"
#include "unit.h"

static char base[64];
static int keeper_end, client_end, dirfd, records_fd;
static struct records table;
static struct error error;
static const struct km_setup setup_message = {
	.h = { KM_SETUP, sizeof(setup_message) }, .version = KEEPER_PROTO_VERSION,
	.name = "unit", .run_dir = "/run/unit", .pid_file = "/run/unit.pid",
};

static void setup(void)
{
	int ends[2];
	bool set_aside;

	snprintf(base, sizeof(base), "/tmp/client-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	dirfd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(records_create(&table, dirfd, 4, &set_aside), 0);
	records_fd = openat(dirfd, RECORDS_FILE, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	keeper_end = ends[0];
	client_end = ends[1];
}

static void teardown(void)
{
	unlinkat(dirfd, RECORDS_FILE, 0);
	rmdir(base);
	close(dirfd);
	close(records_fd);
	records_unmap(&table);
	error_fini(&error);
}

/* What the keeper will have answered by the time it is asked. */
static void answer(const struct km_welcome *w, const int *fds, size_t nfds)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * 8)];
	} control = { 0 };
	struct km_welcome copy = *w;
	struct iovec iov = { .iov_base = &copy, .iov_len = sizeof(copy) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	copy.h = (struct km_header){ KM_WELCOME, sizeof(copy) };
	if (nfds > 0) {
		control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(nfds * sizeof(int)),
						  .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), fds, nfds * sizeof(int));
		msg.msg_control = control.room;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
	}
	ck_assert_int_eq(sendmsg(keeper_end, &msg, 0), (ssize_t)sizeof(copy));
}

static int open_client(struct keeper_client **k, struct records *r, int held[HOLD_MAX])
{
	struct km_welcome w;
	int run_dirfd = -1;
	int ret = keeper_client_open(k, client_end, &setup_message, &w, &run_dirfd, r, held,
				     &error);

	closep(&run_dirfd);
	return ret;
}

static struct keeper_client *welcomed(struct records *r)
{
	const int fds[] = { dirfd, records_fd };
	struct keeper_client *k = NULL;
	struct km_setup seen;
	int held[HOLD_MAX];

	answer(&(struct km_welcome){ .stage = SETUP_OK }, fds, 2);
	ck_assert_int_eq(open_client(&k, r, held), 0);
	ck_assert_int_eq(recv(keeper_end, &seen, sizeof(seen), 0), (ssize_t)sizeof(seen));
	ck_assert_int_eq(memcmp(&seen, &setup_message, sizeof(seen)), 0);
	return k;
}

/* --- SETUP ------------------------------------------------------------------------------------ */

START_TEST(a_refusal_has_its_exit_code_and_says_what_to_do)
{
	static const struct {
		enum setup_stage stage;
		int errnum, code;
		const char *says;
	} cases[] = {
		{ SETUP_LOCKED, EAGAIN, EXIT_ALREADY_RUNNING, "4711" },
		{ SETUP_RUN_DIR, ENOSPC, EXIT_CANNOT_CREATE, "/run/unit" },
		{ SETUP_RUN_DIR, EACCES, EXIT_PERMISSION, "/run/unit" },
		{ SETUP_RUN_DIR_UNSAFE, EPERM, EXIT_PERMISSION, "/run/unit" },
		{ SETUP_LOCK, EROFS, EXIT_CANNOT_CREATE, "lock" },
		{ SETUP_RECORDS, ENOSPC, EXIT_CANNOT_CREATE, "records" },
		{ SETUP_PID_FILE, ELOOP, EXIT_CANNOT_CREATE, "/run/unit.pid" },
		{ SETUP_VERSION, 0, EXIT_OS, "version" },
	};
	struct keeper_client *k = NULL;
	struct records r = { .fd = -1 };
	int held[HOLD_MAX];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		answer(&(struct km_welcome){ .stage = cases[i].stage, .errnum = cases[i].errnum,
					     .holder_pid = 4711 }, NULL, 0);
		ck_assert_int_eq(open_client(&k, &r, held), cases[i].code);
		ck_assert_msg(strstr(error.message, cases[i].says) != NULL, "%s", error.message);
		ck_assert_ptr_null(k);
		error_fini(&error);
	}
}
END_TEST

START_TEST(a_welcome_brings_records_and_held_descriptors)
{
	const int fds[] = { dirfd, records_fd, keeper_end };
	struct keeper_client *k = NULL;
	struct records r = { .fd = -1 };
	struct km_welcome w;
	int held[HOLD_MAX], run_dirfd = -1;

	answer(&(struct km_welcome){ .stage = SETUP_OK, .nheld = 1, .held_keys = { "web" } },
	       fds, 3);
	ck_assert_int_eq(keeper_client_open(&k, client_end, &setup_message, &w, &run_dirfd, &r,
					    held, &error), 0);
	ck_assert_str_eq(w.held_keys[0], "web");
	ck_assert_int_ge(fcntl(held[0], F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(faccessat(run_dirfd, RECORDS_FILE, F_OK, 0), 0);
	record_get(&table, 2)->pid = 12;
	ck_assert_int_eq(record_get(&r, 2)->pid, 12);
	close(held[0]);
	close(run_dirfd);
	records_unmap(&r);
	keeper_client_free(k);
}
END_TEST

START_TEST(an_answer_without_its_descriptors_is_refused)
{
	struct keeper_client *k = NULL;
	struct records r = { .fd = -1 };
	int held[HOLD_MAX];

	answer(&(struct km_welcome){ .stage = SETUP_OK }, NULL, 0);
	ck_assert_int_eq(open_client(&k, &r, held), EXIT_OS);
	ck_assert(error_is_set(&error));
}
END_TEST

START_TEST(a_dead_keeper_is_an_error_not_a_signal)
{
	struct keeper_client *k = NULL;
	struct records r = { .fd = -1 };
	int held[HOLD_MAX];

	close(keeper_end);
	ck_assert_int_eq(open_client(&k, &r, held), EXIT_OS);
	ck_assert(error_is_set(&error));
}
END_TEST

/* --- facts ------------------------------------------------------------------------------------ */

struct heard {
	int started, exited, gone, signo, lost;
	struct km_started last_started;
	struct km_exited last_exited;
	struct ev_loop *loop;
};

static void on_started(void *ctx, const struct km_started *m)
{
	struct heard *h = ctx;

	h->started++;
	h->last_started = *m;
}

static void on_exited(void *ctx, const struct km_exited *m)
{
	struct heard *h = ctx;

	h->exited++;
	h->last_exited = *m;
}

static void on_gone(void *ctx, uint32_t slot, uint64_t spawn_id)
{
	struct heard *h = ctx;

	h->gone += slot == 3 && spawn_id == 9;
}

static void on_signal(void *ctx, int signo)
{
	((struct heard *)ctx)->signo = signo;
}

static void on_lost(void *ctx)
{
	struct heard *h = ctx;

	h->lost++;
	ev_break(h->loop, EVBREAK_ALL);
}

static const struct keeper_facts facts = { .started = on_started, .exited = on_exited,
					   .gone = on_gone, .signal = on_signal, .lost = on_lost };

START_TEST(facts_arrive_and_the_end_is_told_once)
{
	struct km_started started = { .h = { KM_STARTED, sizeof(started) }, .slot = 3, .pid = 77,
				      .spawn_id = 9 };
	struct km_exited exited = { .h = { KM_EXITED, sizeof(exited) }, .slot = 3, .spawn_id = 9,
				    .wait_status = 256, .tree_left = 1 };
	struct km_slot gone = { .h = { KM_GONE, sizeof(gone) }, .slot = 3, .spawn_id = 9 };
	struct km_forward term = { .h = { KM_FORWARD, sizeof(term) }, .signo = SIGTERM };
	struct heard h = { .loop = loop_new("auto") };
	struct records r = { .fd = -1 };
	struct keeper_client *k = welcomed(&r);

	keeper_client_start(k, h.loop, &facts, &h);
	ck_assert_int_gt(send(keeper_end, &started, sizeof(started), 0), 0);
	ck_assert_int_gt(send(keeper_end, &exited, sizeof(exited), 0), 0);
	ck_assert_int_gt(send(keeper_end, &gone, sizeof(gone), 0), 0);
	ck_assert_int_gt(send(keeper_end, &term, sizeof(term), 0), 0);
	close(keeper_end);
	ev_run(h.loop, 0);
	ev_run(h.loop, EVRUN_NOWAIT);
	ck_assert_int_eq(h.started, 1);
	ck_assert_int_eq(h.last_started.pid, 77);
	ck_assert_int_eq(h.exited, 1);
	ck_assert_int_eq(h.last_exited.wait_status, 256);
	ck_assert_int_eq(h.gone, 1);
	ck_assert_int_eq(h.signo, SIGTERM);
	ck_assert_int_eq(h.lost, 1);
	keeper_client_free(k);
	records_unmap(&r);
	ev_loop_destroy(h.loop);
}
END_TEST

/* --- wishes ----------------------------------------------------------------------------------- */

START_TEST(a_keeper_that_does_not_read_blocks_nobody)
{
	enum { N = 3000 };
	struct heard h = { .loop = loop_new("auto") };
	struct records r = { .fd = -1 };
	struct keeper_client *k = welcomed(&r);
	char plan[600] = "the plan";
	static char packet[4096];
	int got = 0;

	keeper_client_start(k, h.loop, &facts, &h);
	for (uint32_t i = 0; i < N; i++) {
		if (i % 2 == 0)
			ck_assert_int_eq(keeper_spawn(k, i, i + 1, plan, sizeof(plan)), 0);
		else
			keeper_signal(k, i, i + 1, SIGTERM, SCOPE_TREE, true);
	}
	/* now it reads; everything comes, in order and whole */
	while (got < N) {
		ssize_t n = recv(keeper_end, packet, sizeof(packet), MSG_DONTWAIT);

		if (n < 0) {
			ev_run(h.loop, EVRUN_NOWAIT);
			continue;
		}
		if (got % 2 == 0) {
			struct km_slot m;

			memcpy(&m, packet, sizeof(m));
			ck_assert_uint_eq(m.h.type, KM_SPAWN);
			ck_assert_uint_eq(m.h.size, (size_t)n);
			ck_assert_int_eq(n, (ssize_t)(sizeof(m) + sizeof(plan)));
			ck_assert_uint_eq(m.slot, (uint32_t)got);
			ck_assert_str_eq(packet + sizeof(m), "the plan");
		} else {
			struct km_signal m;

			memcpy(&m, packet, sizeof(m));
			ck_assert_uint_eq(m.h.type, KM_SIGNAL);
			ck_assert_uint_eq(m.spawn_id, (uint64_t)got + 1);
			ck_assert_uint_eq(m.flags, SIGNAL_THEN_CONT);
		}
		got++;
	}
	keeper_client_free(k);
	records_unmap(&r);
	ev_loop_destroy(h.loop);
}
END_TEST

START_TEST(a_plan_that_is_too_big_is_refused_here)
{
	struct records r = { .fd = -1 };
	struct keeper_client *k = welcomed(&r);
	char *big = calloc(1, PLAN_MAX + 1);

	ck_assert_int_eq(keeper_spawn(k, 0, 1, big, PLAN_MAX + 1), -E2BIG);
	ck_assert_int_eq(keeper_spawn(k, 0, 1, big, PLAN_MAX), 0);
	free(big);
	keeper_client_free(k);
	records_unmap(&r);
}
END_TEST

START_TEST(a_held_descriptor_travels_also_through_the_queue)
{
	enum { N = 2000 };
	struct records r = { .fd = -1 };
	struct keeper_client *k = welcomed(&r);
	struct heard h = { .loop = loop_new("auto") };
	int ends[2], seen = -1;

	keeper_client_start(k, h.loop, &facts, &h);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	for (uint32_t i = 0; i < N; i++)
		keeper_release(k, i, i);
	keeper_hold(k, "listen", ends[1]);
	close(ends[1]);		/* stays the caller's: it may be gone before it is sent */
	while (seen < 0) {
		union {
			struct cmsghdr align;
			char room[CMSG_SPACE(sizeof(int))];
		} control;
		struct km_hold m = { .h = { 0 } };
		struct iovec iov = { .iov_base = &m, .iov_len = sizeof(m) };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
				      .msg_control = control.room,
				      .msg_controllen = sizeof(control.room) };

		if (recvmsg(keeper_end, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0) {
			ev_run(h.loop, EVRUN_NOWAIT);
			continue;
		}
		if (m.h.type != KM_HOLD)
			continue;
		ck_assert_str_eq(m.key, "listen");
		ck_assert_uint_gt(msg.msg_controllen, 0);
		memcpy(&seen, CMSG_DATA(&control.align), sizeof(seen));
	}
	ck_assert_int_eq(write(seen, "x", 1), 1);
	keeper_client_free(k);
	records_unmap(&r);
	ev_loop_destroy(h.loop);
}
END_TEST

/* The types of what the keeper's end gets now. */
static unsigned int said(uint32_t types[8])
{
	unsigned int n = 0;
	struct km_slot m;

	while (n < 8 && recv(keeper_end, &m, sizeof(m), MSG_DONTWAIT) > 0)
		types[n++] = m.h.type;
	return n;
}

START_TEST(a_release_waits_for_the_next_order_or_the_end_of_the_turn)
{
	struct records r = { .fd = -1 };
	struct keeper_client *k = welcomed(&r);
	uint32_t types[8];

	keeper_release(k, 1, 1);
	keeper_release(k, 2, 2);
	ck_assert_uint_eq(said(types), 0);
	keeper_signal(k, 3, 3, SIGTERM, SCOPE_TREE, false);
	ck_assert_uint_eq(said(types), 3);
	ck_assert_uint_eq(types[0], KM_RELEASE);
	ck_assert_uint_eq(types[1], KM_RELEASE);
	ck_assert_uint_eq(types[2], KM_SIGNAL);
	keeper_release(k, 1, 1);
	keeper_turn_ends(k);
	ck_assert_uint_eq(said(types), 1);
	ck_assert_uint_eq(types[0], KM_RELEASE);
	keeper_turn_ends(k);
	ck_assert_uint_eq(said(types), 0);
	keeper_client_free(k);
	records_unmap(&r);
}
END_TEST

START_TEST(news_are_answered_by_whatever_is_said_and_else_by_heard)
{
	struct km_slot gone = { .h = { KM_GONE, sizeof(gone) }, .slot = 3, .spawn_id = 9 };
	struct heard h = { .loop = loop_new("auto") };
	struct records r = { .fd = -1 };
	struct keeper_client *k = welcomed(&r);
	uint32_t types[8];

	keeper_client_start(k, h.loop, &facts, &h);
	for (int release = 0; release < 2; release++) {
		ck_assert_int_gt(send(keeper_end, &gone, sizeof(gone), 0), 0);
		ev_run(h.loop, EVRUN_NOWAIT);
		ck_assert_int_eq(h.gone, release + 1);
		if (release)
			keeper_release(k, 3, 9);
		keeper_turn_ends(k);
		ck_assert_uint_eq(said(types), 1);
		ck_assert_uint_eq(types[0], release ? KM_RELEASE : KM_HEARD);
		keeper_turn_ends(k);
		ck_assert_uint_eq(said(types), 0);
	}
	keeper_client_free(k);
	records_unmap(&r);
	ev_loop_destroy(h.loop);
}
END_TEST

START_TEST(leaving_flushes_what_waits)
{
	struct records r = { .fd = -1 };
	struct keeper_client *k = welcomed(&r);
	struct km_leave last = { .h = { 0 } };
	union {
		struct km_header h;
		struct km_leave leave;
		struct km_slot slot;
	} m;

	keeper_release(k, 1, 1);
	ck_assert(keeper_leave(k, 3));
	keeper_client_free(k);
	ck_assert_int_gt(recv(keeper_end, &m, sizeof(m), 0), 0);
	ck_assert_uint_eq(m.h.type, KM_RELEASE);
	ck_assert_int_gt(recv(keeper_end, &last, sizeof(last), 0), 0);
	ck_assert_uint_eq(last.h.type, KM_LEAVE);
	ck_assert_int_eq(last.exit_code, 3);
	ck_assert_int_eq(recv(keeper_end, &m, sizeof(m), 0), 0);	/* closed */
	records_unmap(&r);
}
END_TEST

START_TEST(leaving_a_keeper_that_does_not_hear_is_known)
{
	struct records r = { .fd = -1 };
	struct keeper_client *k = welcomed(&r);

	close(keeper_end);
	keeper_end = -1;
	ck_assert(!keeper_leave(k, 0));
	keeper_client_free(k);
	records_unmap(&r);
}
END_TEST

/* --- features --------------------------------------------------------------------------------- */

START_TEST(every_feature_has_a_name_and_can_be_refused)
{
	struct kernel_features f;

	for (int i = 0; i < FEATURE_COUNT; i++) {
		const char *name = kernel_feature_name((enum kernel_feature)i);

		ck_assert_ptr_nonnull(name);
		setenv("PROCD_TEST_NO_FEATURE", name, 1);
		ck_assert(!kernel_feature_usable((enum kernel_feature)i));
		kernel_features_probe(&f);
		ck_assert(!f.used[i]);
	}
	setenv("PROCD_TEST_NO_FEATURE", "clone,pidfd,clone3x,", 1);	/* no whole names */
	for (int i = 0; i < FEATURE_COUNT; i++)
		ck_assert(!kernel_feature_refused((enum kernel_feature)i));
}
END_TEST

START_TEST(what_is_used_is_available)
{
	struct kernel_features f;

	kernel_features_probe(&f);
	for (int i = 0; i < FEATURE_COUNT; i++)
		ck_assert(f.available[i] || !f.used[i]);
	/* the status of a taken over child is asked of the kernel where that can tell */
	ck_assert(f.used[FEATURE_PIDFD_INFO_EXIT] == f.available[FEATURE_PIDFD_INFO_EXIT]);
	ck_assert(f.available[FEATURE_PROC]);
	ck_assert(f.available[FEATURE_SUBREAPER]);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		a_refusal_has_its_exit_code_and_says_what_to_do,
		a_welcome_brings_records_and_held_descriptors,
		an_answer_without_its_descriptors_is_refused,
		a_dead_keeper_is_an_error_not_a_signal,
		facts_arrive_and_the_end_is_told_once,
		a_keeper_that_does_not_read_blocks_nobody,
		a_plan_that_is_too_big_is_refused_here,
		a_release_waits_for_the_next_order_or_the_end_of_the_turn,
		news_are_answered_by_whatever_is_said_and_else_by_heard,
		a_held_descriptor_travels_also_through_the_queue,
		leaving_flushes_what_waits, leaving_a_keeper_that_does_not_hear_is_known,
		every_feature_has_a_name_and_can_be_refused,
		what_is_used_is_available,
	};

	return unit_run_in("keeper: client", setup, teardown, tests, ARRAY_LEN(tests));
}
