/* Another executable: what the keeper tries, what it goes back to, and what it hands to itself. */

#include <sys/mman.h>

#include "keeper/handover.h"
#include "keeper_fixture.h"

static struct rig rig;

static void setup(void)
{
	rig_init(&rig);
	unsetenv("RIG_SILENT");
	unsetenv("RIG_READER");
}

static void teardown(void)
{
	rig_fini(&rig);
}

static const struct wish sleeper = { .argv = { "/bin/sleep", "1000" }, .flags = PLAN_TREE };

static void ready(void)
{
	const struct km_header m = { KM_READY, sizeof(m) };

	rig_send(&rig, &m, sizeof(m));
}

/* After all that: the child lives, its end is told, and another one can be started. */
static void goes_on(pid_t pid)
{
	ck_assert(alive(pid));
	ck_assert_uint_eq(rig_state(&rig, 0), RECORD_RUNNING);
	rig_signal(&rig, 0, SIGTERM, SCOPE_TREE, true);
	ck_assert_int_eq(rig_expect(&rig, KM_EXITED).exited.wait_status, SIGTERM);
	rig_release(&rig, 0);
	ck_assert_int_eq(rig_run(&rig, 0, &(struct wish){ .argv = { "/bin/sh", "-c", "exit 3" } }),
			 3 << 8);
}

static pid_t begin(void)
{
	rig_start(&rig);
	ck_assert_uint_eq(rig.welcome.upgraded.id, 0);
	ready();
	rig_spawn(&rig, 0, &sleeper);
	return rig_started(&rig);
}

START_TEST(the_new_one_is_on_trial_until_it_is_ready)
{
	pid_t pid = begin();

	for (uint32_t i = 1; i <= 3; i++) {
		struct km_upgraded u = rig_upgrade(&rig, "/proc/self/exe", _i);

		ck_assert_uint_eq(u.id, i);
		ck_assert_uint_eq(u.outcome, UPGRADE_NONE);
		ck_assert_uint_eq(u.keeper, (uint32_t)_i);
		ck_assert_str_eq(rig.welcome.exe, "/proc/self/exe");
		ck_assert_uint_eq(rig.welcome.deaths, 0);
		ready();
	}
	goes_on(pid);
}
END_TEST

START_TEST(one_that_dies_gives_way)
{
	pid_t pid = begin();
	struct km_upgraded u = rig_upgrade(&rig, "/bin/false", _i);

	/* as a keeper it would have been the end: that is what the check before is for */
	ck_assert_uint_eq(u.outcome, UPGRADE_DIED);
	ck_assert_int_eq(u.detail, 1 << 8);
	ck_assert_uint_eq(u.news, 1);
	ready();
	goes_on(pid);
}
END_TEST

START_TEST(one_that_cannot_be_executed_gives_way)
{
	pid_t pid = begin();
	struct km_upgraded u = rig_upgrade(&rig, "/etc/passwd", _i);

	ck_assert_uint_eq(u.outcome, UPGRADE_NO_EXEC);
	ck_assert_int_eq(u.detail, EACCES);
	ready();
	/* and the next order is as good as the first */
	ck_assert_uint_eq(rig_upgrade(&rig, "/proc/self/exe", _i).outcome, UPGRADE_NONE);
	ready();
	goes_on(pid);
}
END_TEST

START_TEST(an_order_without_a_file_is_nonsense)
{
	pid_t pid = begin();
	struct km_upgraded u = rig_upgrade(&rig, NULL, false);

	ck_assert_uint_eq(u.id, 0);
	ck_assert_uint_eq(rig.welcome.deaths, 1);
	goes_on(pid);
}
END_TEST

/* An end between WELCOME and the first look at its record stands in the record, and is told, too. */
static void skip_end(void)
{
	union packet m = { .h = { 0 } };

	ck_assert(readable(rig.fd, clock_mono_ns() + PATIENCE_NS));
	ck_assert_int_gt(recv(rig.fd, &m, sizeof(m), MSG_PEEK), 0);
	if (m.h.type == KM_EXITED)
		rig_expect(&rig, KM_EXITED);
}

START_TEST(what_happened_during_the_exec_is_told)
{
	int code;

	begin();
	for (code = 1; code < 6; code++) {
		char text[48];

		snprintf(text, sizeof(text), "sleep 0.0%d; exit %d", code, code);
		rig_spawn(&rig, 1, &(struct wish){ .argv = { "/bin/sh", "-c", text } });
		if (code > 1)
			skip_end();
		rig_started(&rig);
		rig_upgrade(&rig, "/proc/self/exe", true);
		ready();
		if (rig_state(&rig, 1) == RECORD_RUNNING)
			ck_assert_int_eq(rig_expect(&rig, KM_EXITED).exited.wait_status, code << 8);
		ck_assert_int_eq(record_get(&rig.records, 1)->wait_status, code << 8);
		rig_release(&rig, 1);
	}
	/* a signal waits, too */
	kill(rig.keeper, SIGHUP);
	skip_end();
	rig_expect(&rig, KM_FORWARD);
}
END_TEST

/* --- the handover ----------------------------------------------------------------------------- */

/* In place of the keeper: does every damage show? Then let the old one have it back. */
static int reader_main(char **argv)
{
	char again[32], *end;
	int fd = (int)strtol(argv[2], &end, 10), old = (int)strtol(end + 1, NULL, 10);
	int report = open(getenv("RIG_READER"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;
	char *copy;
	bool ok;

	if (fstat(fd, &st) < 0 || report < 0)
		return 70;
	copy = x_malloc((size_t)st.st_size);
	if (pread(fd, copy, (size_t)st.st_size, 0) != st.st_size)
		return 71;
	ok = handover_valid(copy, (size_t)st.st_size) && write(fd, copy, 1) < 0;
	for (size_t size = 0; size < (size_t)st.st_size; size++)
		ok = ok && !handover_valid(copy, size);
	for (size_t at = 0; at < (size_t)st.st_size; at += at < 512 ? 1 : 61) {
		copy[at] ^= 0x20;
		ok = ok && !handover_valid(copy, (size_t)st.st_size);
		copy[at] ^= 0x20;
	}
	free(copy);
	(void)!write(report, ok ? "ok\n" : "no\n", 3);
	unsetenv("RIG_READER");
	snprintf(again, sizeof(again), "%d:back", fd);
	argv[2] = again;
	fexecve(old, argv, environ);
	return 72;
}

START_TEST(damage_of_what_is_handed_over_shows)
{
	char path[128];
	struct km_upgraded u;
	char *text;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/reader", rig.base);
	setenv("RIG_READER", path, 1);
	pid = begin();
	u = rig_upgrade(&rig, "/proc/self/exe", true);
	text = slurp(path);
	ck_assert_str_eq(text, "ok\n");
	free(text);
	ck_assert_uint_eq(u.outcome, UPGRADE_REFUSED);
	ready();
	goes_on(pid);
}
END_TEST

/* --- the heartbeat ---------------------------------------------------------------------------- */

START_TEST(one_that_does_not_answer_news_is_replaced)
{
	int64_t began;
	pid_t pid;

	setenv("RIG_SILENT", "1", 1);
	began = clock_mono_ns();
	pid = begin();
	ck_assert(readable(rig.fd, began + 2 * PATIENCE_NS));
	rig_welcome(&rig);
	ck_assert_int_ge(clock_mono_ns() - began, 9 * NS_PER_SEC);
	ck_assert_uint_eq(rig.welcome.recovering, 1);
	goes_on(pid);
}
END_TEST

int main(int argc, char **argv)
{
	const struct rig_test tests[] = {
		{ the_new_one_is_on_trial_until_it_is_ready, 2 },
		{ one_that_dies_gives_way, 1 },
		{ one_that_cannot_be_executed_gives_way, 2 },
		{ an_order_without_a_file_is_nonsense, 1 },
		{ what_happened_during_the_exec_is_told, 1 },
		{ damage_of_what_is_handed_over_shows, 1 },
		{ one_that_does_not_answer_news_is_replaced, 1 },
	};

	if (argc == 3 && strcmp(argv[1], AGAIN_ROLE) == 0 && getenv("RIG_READER"))
		return reader_main(argv);
	return rig_main("keeper: upgrade", argc, argv, setup, teardown, tests, ARRAY_LEN(tests));
}
