/* The log thread as a whole: real FIFOs, files and pipes in a temporary run directory. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "config/part.h"
#include "config/store.h"
#include "event/event.h"
#include "keeper/fifo.h"
#include "output/tail.h"
#include "output/thread.h"

#include "unit.h"

static char dir[] = "/tmp/procd-output-XXXXXX";
static int run_dirfd;
static struct ev_loop *loop;
static struct mailbox drained;
static struct chan *chan;
static struct config *config;
static unsigned answers;

static void on_drained(void *ctx, struct mail *mail)
{
	(void)ctx;
	answers++;
	ev_break(loop, EVBREAK_ALL);
	struct output_drained *d = container_of(mail, struct output_drained, mail);

	free(d->tail);
	free(d);
}

static char *in_dir(const char *name)
{
	return x_asprintf("%s/%s", dir, name);
}

static void publish(void (*change)(struct config *c))
{
	struct config *c = x_calloc(1, sizeof *c);

	c->logging.file = in_dir("own.log");
	c->logging.max_file_size = 1u << 30;
	c->logging.max_files = 2;
	if (change != NULL)
		change(c);
	config_publish(c, 1);
	config = c;
}

static void setup(void)
{
	bool lost_history;

	rcu_register_thread();
	ck_assert_ptr_nonnull(mkdtemp(dir));
	run_dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	loop = loop_new("auto");
	mailbox_init(&drained, loop, on_drained, NULL);
	chan = chan_open(-1, 1u << 16, 64, CHAN_LOCK_FREE, &lost_history);
	publish(NULL);
}

static void teardown(void)
{
	auto_free(freep) char *command = x_asprintf("exec rm -r %s", dir);
	pid_t pid;

	fifo_remove_all(run_dirfd);
	pid = fork();

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	rcu_unregister_thread();
}

static struct output *start(void)
{
	struct error e = ERROR_INIT;
	struct output *o = output_start(run_dirfd, chan, &drained, &e);

	ck_assert_msg(o != NULL, "%s", e.message);
	return o;
}

static struct subsystem_options *options(const char *name, const char *log_file)
{
	struct subsystem_options *o = subsystem_options_unknown(name, KILL_MODE_GROUP,
								SIGTERM, TIMEOUT_UNSET);

	o->log_file = log_file != NULL ? in_dir(log_file) : NULL;
	policy_write(o)->log_max_file_size = 1u << 30;
	policy_write(o)->log_max_files = 2;
	return o;
}

/* The child's end, as the keeper opens it. */
static int open_child_end(const char *name)
{
	mkdirat(run_dirfd, "fifo", 0700);
	mkfifoat(run_dirfd, name, 0600);
	int fd = openat(run_dirfd, name, O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(fd_write_all(fd, text, strlen(text)), 0);
}

static void drain(struct output *o, uint32_t slot)
{
	unsigned before = answers;

	output_drain(o, slot, 7);
	while (answers == before)
		ev_run(loop, EVRUN_ONCE);
}

static char *content(const char *name)
{
	auto_free(freep) char *path = in_dir(name);
	struct strbuf text = STRBUF_INIT;

	ck_assert_int_eq(file_read(path, 1u << 30, &text), 0);
	return text.cap > 0 ? strbuf_detach(&text) : x_strdup("");
}

static void expect_file(const char *name, const char *expected)
{
	auto_free(freep) char *text = content(name);

	ck_assert_str_eq(text, expected);
}

static void attach(struct output *o, uint32_t slot, struct subsystem_options *opts)
{
	output_attach(o, slot, opts);
	subsystem_options_unref(opts);
}

START_TEST(lines_reach_the_log_file_byte_for_byte)
{
	struct output *o = start();
	int fd = open_child_end("fifo/3.out");

	attach(o, 3, options("web", "web.log"));
	say(fd, "one\r\n\ntwo \xff\x80\n");
	ck_assert_int_eq(fd_write_all(fd, "a\0b\n", 4), 0);
	drain(o, 3);
	auto_free(freep) char *text = content("web.log");

	ck_assert_mem_eq(text, "one\r\n\ntwo \xff\x80\na\0b\n", 17);
	output_stop(o);
}
END_TEST

START_TEST(who_printed_since_its_start_is_not_silent)
{
	struct output *o = start();
	int fd = open_child_end("fifo/3.out");

	ck_assert(!output_silent(o, 3));	/* not known yet */
	attach(o, 3, options("web", "web.log"));
	drain(o, 3);
	ck_assert(output_silent(o, 3));
	say(fd, "a line\n");
	drain(o, 3);
	ck_assert(!output_silent(o, 3));
	output_set_pid(o, 3, 0);
	ck_assert(!output_silent(o, 3));	/* nobody has taken the order yet */
	output_set_pid(o, 3, 77);
	drain(o, 3);
	ck_assert(output_silent(o, 3));		/* the next one, which has said nothing */
	output_stop(o);
}
END_TEST

START_TEST(what_a_predecessor_read_counts_as_printed)
{
	struct output *o = start();
	int fd = open_child_end("fifo/3.out");

	attach(o, 3, options("web", "web.log"));
	say(fd, "a line\n");
	drain(o, 3);
	output_stop(o);
	o = start();
	attach(o, 3, options("web", "web.log"));
	drain(o, 3);
	ck_assert(!output_silent(o, 3));
	output_stop(o);
}
END_TEST

START_TEST(an_open_last_line_is_ended_by_the_drain)
{
	struct output *o = start();
	int fd = open_child_end("fifo/0.out");

	attach(o, 0, options("web", "web.log"));
	say(fd, "begun");
	drain(o, 0);
	say(fd, "next\n");
	drain(o, 0);
	expect_file("web.log", "begun\nnext\n");
	output_stop(o);
}
END_TEST

START_TEST(a_line_over_the_limit_is_cut_with_a_mark)
{
	struct output *o = start();
	int fd = open_child_end("fifo/0.out");
	auto_free(freep) char *line = x_malloc(OUTPUT_LINE_MAX + 2);

	attach(o, 0, options("web", "web.log"));
	memset(line, 'x', OUTPUT_LINE_MAX + 2);
	line[OUTPUT_LINE_MAX] = '\n';
	ck_assert_int_eq(fd_write_all(fd, line, OUTPUT_LINE_MAX + 1), 0);
	line[OUTPUT_LINE_MAX] = 'y';
	line[OUTPUT_LINE_MAX + 1] = '\n';
	ck_assert_int_eq(fd_write_all(fd, line, OUTPUT_LINE_MAX + 2), 0);
	drain(o, 0);
	auto_free(freep) char *text = content("web.log");

	ck_assert_uint_eq(strlen(text), 2 * (OUTPUT_LINE_MAX + 1) + 4);
	ck_assert_mem_eq(text + OUTPUT_LINE_MAX - 1, "x\nx", 3);
	ck_assert_str_eq(text + 2 * OUTPUT_LINE_MAX, "x \\\ny\n");
	output_stop(o);
}
END_TEST

START_TEST(without_log_file_lines_go_to_the_own_log_with_name_and_pid)
{
	struct output *o = start();
	int fd = open_child_end("fifo/1.out"), err = open_child_end("fifo/1.err");
	struct subsystem_options *opts = options("db", NULL);

	streams_write(opts)->stdio[2].kind = STDIO_LOG;
	attach(o, 1, opts);
	output_set_pid(o, 1, 4242);
	log_set_level(LOG_INFO);
	say(fd, "hello\n");
	say(err, "trouble\n");
	drain(o, 1);
	log_warn("own words");
	drain(o, 1);
	output_stop(o);
	auto_free(freep) char *text = content("own.log");

	ck_assert_ptr_nonnull(strstr(text, " out   db[4242] hello\n"));
	ck_assert_ptr_nonnull(strstr(text, " err   db[4242] trouble\n"));
	ck_assert_ptr_nonnull(strstr(text, "Z warn  own words\n"));
}
END_TEST

START_TEST(lines_of_a_process_that_is_being_started_wait_for_its_pid)
{
	struct output *o = start();
	int fd = open_child_end("fifo/1.out"), waiting = 0;

	attach(o, 1, options("db", NULL));
	output_set_pid(o, 1, 41);
	output_set_pid(o, 1, 0);
	say(fd, "first words\n");
	drain(o, 0);	/* the thread has seen what was told so far */
	ck_assert_int_eq(ioctl(fd, FIONREAD, &waiting), 0);
	ck_assert_int_eq(waiting, 12);
	output_set_pid(o, 1, 42);
	drain(o, 1);
	output_set_pid(o, 1, 0);
	output_set_pid(o, 1, -1);	/* none came; the one before may have left others */
	say(fd, "late words\n");
	drain(o, 1);
	output_stop(o);
	auto_free(freep) char *text = content("own.log");

	ck_assert_ptr_nonnull(strstr(text, " db[42] first words\n"));
	ck_assert_ptr_nonnull(strstr(text, " db[42] late words\n"));
}
END_TEST

static void pump(int fd, unsigned lines)
{
	char block[4096];
	size_t len = 0;

	for (unsigned i = 0; i < lines; i++) {
		len += (size_t)snprintf(block + len, sizeof block - len, "line %u\n", i);
		if (len > sizeof block - 32 || i + 1 == lines) {
			if (fd_write_all(fd, block, len) < 0)
				_exit(1);
			len = 0;
		}
	}
}

static void expect_lines(const char *name, unsigned lines)
{
	auto_free(freep) char *text = content(name);
	char *p = text;

	for (unsigned i = 0; i < lines; i++) {
		char *nl = strchr(p, '\n'), *end;

		if (nl == NULL)
			ck_abort_msg("%s: %u lines are missing", name, lines - i);
		if (strncmp(p, "line ", 5) != 0 || strtoul(p + 5, &end, 10) != i || end != nl)
			ck_abort_msg("line %u is \"%.20s\"", i, p);
		p = nl + 1;
	}
	ck_assert_int_eq(*p, '\0');
}

#define MANY 1000000u

START_TEST(a_million_lines_arrive_once_and_in_order)
{
	struct output *o = start();
	int fd = open_child_end("fifo/0.out"), status;

	attach(o, 0, options("web", "web.log"));
	pid_t pid = fork();

	if (pid == 0) {
		pump(fd, MANY);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	drain(o, 0);
	expect_lines("web.log", MANY);
	output_stop(o);
}
END_TEST

START_TEST(what_was_written_while_nobody_read_is_not_lost)
{
	struct output *o = start();
	int fd = open_child_end("fifo/0.out");

	attach(o, 0, options("web", "web.log"));
	say(fd, "first\nhal");
	while (access("/dev/null", F_OK) == 0) {
		auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
		uint64_t pos = 0, lost = 0;

		if (tail_read(o, 0, TAIL_OUT, &pos, 100, &text, &lost) && text.len == 9)
			break;
		poll(NULL, 0, 1);
	}
	output_stop(o);
	say(fd, "f\nsecond\n");
	o = start();
	attach(o, 0, options("web", "web.log"));
	drain(o, 0);
	expect_file("web.log", "first\nhalf\nsecond\n");
	output_stop(o);
}
END_TEST

START_TEST(the_tail_shows_the_last_lines_and_goes_on_from_there)
{
	struct output *o = start();
	int fd = open_child_end("fifo/0.out");
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	uint64_t lost = 0;

	attach(o, 0, options("web", "web.log"));
	pump(fd, 100);
	drain(o, 0);
	uint64_t pos = tail_seek_lines(o, 0, TAIL_OUT, 2);

	ck_assert(tail_read(o, 0, TAIL_OUT, &pos, SIZE_MAX / 2, &text, &lost));
	ck_assert_str_eq(text.buf, "line 98\nline 99\n");
	say(fd, "more\n");
	drain(o, 0);
	strbuf_reset(&text);
	ck_assert(tail_read(o, 0, TAIL_OUT, &pos, SIZE_MAX / 2, &text, &lost));
	ck_assert_str_eq(text.buf, "more\n");
	ck_assert_uint_eq(lost, 0);
	ck_assert(!tail_read(o, 1, TAIL_OUT, &pos, 1, &text, &lost));
	ck_assert(!tail_read(o, 0, TAIL_ERR, &pos, 1, &text, &lost));
	output_stop(o);
}
END_TEST

static _Atomic unsigned wakes;

static void count_wake(void *ctx)
{
	(void)ctx;
	atomic_fetch_add(&wakes, 1);
}

START_TEST(a_reader_of_the_tail_keeps_up_with_a_flood)
{
	struct output *o = start();
	int fd = open_child_end("fifo/0.out");
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	uint64_t pos = 0, lost = 0, next = 0;
	const unsigned lines = 200000;

	attach(o, 0, options("web", "web.log"));
	tail_subscribe(o, count_wake, NULL);
	pid_t pid = fork();

	if (pid == 0) {
		pump(fd, lines);
		_exit(0);
	}
	while (next < lines) {
		tail_read(o, 0, TAIL_OUT, &pos, 1u << 16, &text, &lost);
		if (lost > 0) {
			/* Too slow: go on behind the next newline. */
			char *nl = memchr(text.buf, '\n', text.len);

			strbuf_consume(&text, nl != NULL ? (size_t)(nl - text.buf) + 1 : text.len);
			lost = nl == NULL;
		}
		for (char *nl; (nl = memchr(text.buf, '\n', text.len)) != NULL;) {
			char *end;

			ck_assert_mem_eq(text.buf, "line ", 5);
			uint64_t got = strtoull(text.buf + 5, &end, 10);

			ck_assert_ptr_eq(end, nl);
			ck_assert_uint_ge(got, next);
			next = got + 1;
			strbuf_consume(&text, (size_t)(nl - text.buf) + 1);
		}
	}
	waitpid(pid, NULL, 0);
	tail_unsubscribe(o, count_wake, NULL);
	ck_assert_uint_gt(atomic_load(&wakes), 0);
	output_stop(o);
}
END_TEST

START_TEST(reopening_follows_a_renamed_file_and_so_does_the_next_write)
{
	struct output *o = start();
	int fd = open_child_end("fifo/0.out");

	attach(o, 0, options("web", "web.log"));
	say(fd, "one\n");
	drain(o, 0);
	ck_assert_int_eq(renameat(run_dirfd, "web.log", run_dirfd, "moved"), 0);
	output_reopen(o);
	say(fd, "two\n");
	drain(o, 0);
	expect_file("moved", "one\n");
	expect_file("web.log", "two\n");
	output_stop(o);
}
END_TEST

START_TEST(two_subsystems_share_one_file_line_by_line)
{
	struct output *o = start();
	int a = open_child_end("fifo/0.out"), b = open_child_end("fifo/1.out");

	attach(o, 0, options("a", "both.log"));
	attach(o, 1, options("b", "both.log"));
	say(a, "a ");
	say(b, "b\n");
	drain(o, 1);
	say(a, "a\n");
	drain(o, 0);
	expect_file("both.log", "b\na a\n");
	output_stop(o);
}
END_TEST

START_TEST(a_log_file_that_cannot_be_opened_degrades_only_itself_and_recovers)
{
	struct output *o = start();
	int bad = open_child_end("fifo/0.out"), good = open_child_end("fifo/1.out");
	auto_free(strbuf_fini) struct strbuf trouble = STRBUF_INIT;

	attach(o, 0, options("bad", "missing/x.log"));
	attach(o, 1, options("good", "good.log"));
	say(bad, "kept\n");
	say(good, "fine\n");
	drain(o, 0);
	drain(o, 1);
	expect_file("good.log", "fine\n");
	while (trouble.len == 0) {
		drain(o, 1);
		output_degraded(o, &trouble);
	}
	ck_assert_ptr_nonnull(strstr(trouble.buf, "missing/x.log: No such file"));
	ck_assert_int_eq(mkdirat(run_dirfd, "missing", 0700), 0);
	/* The retry comes by itself. */
	while (trouble.len > 0) {
		strbuf_reset(&trouble);
		drain(o, 1);
		output_degraded(o, &trouble);
		poll(NULL, 0, 5);
	}
	expect_file("missing/x.log", "kept\n");
	output_stop(o);
}
END_TEST

START_TEST(a_child_never_waits_for_a_log_that_cannot_be_written_and_losses_are_told)
{
	struct output *o = start();
	int fd = open_child_end("fifo/0.out"), status;
	const unsigned lines = 50000;

	attach(o, 0, options("web", "missing/web.log"));
	pid_t pid = fork();

	if (pid == 0) {
		pump(fd, lines);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	drain(o, 0);
	ck_assert_int_eq(mkdirat(run_dirfd, "missing", 0700), 0);
	output_reopen(o);
	drain(o, 0);
	output_stop(o);
	auto_free(freep) char *text = content("missing/web.log");
	unsigned lost, first, kept = 0;

	ck_assert_int_eq(sscanf(text, "... %u lines lost\nline %u\n", &lost, &first), 2);
	ck_assert_uint_eq(first, lost);
	for (char *p = text; (p = strchr(p, '\n')) != NULL; p++)
		kept++;
	ck_assert_uint_eq(lost + kept - 1, lines);
}
END_TEST

/* A supervisor that captures until it is killed. Two streams, one into the own log. */
static pid_t start_victim(void)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	struct output *o = start();

	attach(o, 0, options("web", "web.log"));
	attach(o, 1, options("db", NULL));
	for (;;)
		pause();
}

static void strip_prefixes(const char *from, const char *to)
{
	auto_free(freep) char *text = content(from), *path = in_dir(to);
	FILE *f = fopen(path, "w");

	for (char *p = text, *nl; (nl = strchr(p, '\n')) != NULL; p = nl + 1) {
		char *line = memmem(p, (size_t)(nl - p), " line ", 6);

		if (line != NULL)
			fprintf(f, "%.*s\n", (int)(nl - line - 1), line + 1);
	}
	fclose(f);
}

START_TEST(killed_again_and_again_it_loses_no_line_and_repeats_none)
{
	int fds[2] = { open_child_end("fifo/0.out"), open_child_end("fifo/1.out") }, status;
	const unsigned lines = 300000;
	pid_t writers[2];
	unsigned kills = 0, running = 2;

	for (int i = 0; i < 2; i++) {
		writers[i] = fork();
		if (writers[i] == 0) {
			pump(fds[i], lines);
			_exit(0);
		}
	}
	while (running > 0) {
		pid_t victim = start_victim();

		/* Not an oracle: only to be killed at ever different points. */
		poll(NULL, 0, 1 + (int)(kills % 30));
		kill(victim, SIGKILL);
		ck_assert_int_eq(waitpid(victim, &status, 0), victim);
		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%x", status);
		kills++;
		for (int i = 0; i < 2; i++)
			if (writers[i] > 0 && waitpid(writers[i], &status, WNOHANG) == writers[i]) {
				ck_assert_int_eq(status, 0);
				writers[i] = 0;
				running--;
			}
	}
	struct output *o = start();

	attach(o, 0, options("web", "web.log"));
	attach(o, 1, options("db", NULL));
	drain(o, 0);
	drain(o, 1);
	output_stop(o);
	ck_assert_uint_gt(kills, 3);
	expect_lines("web.log", lines);
	strip_prefixes("own.log", "stripped");
	expect_lines("stripped", lines);
}
END_TEST

/* Voluntary context switches of the log thread. */
static unsigned long log_thread_wakeups(void)
{
	unsigned long switches = 0;
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *d;

	while ((d = readdir(tasks)) != NULL) {
		auto_free(freep) char *path = x_asprintf("/proc/self/task/%s/status", d->d_name);
		auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
		FILE *f = fopen(path, "r");
		char line[256];

		if (f == NULL)
			continue;
		while (fgets(line, sizeof line, f) != NULL)
			strbuf_addstr(&text, line);
		fclose(f);
		char *count = strstr(text.buf, "\nvoluntary_ctxt_switches:");

		if (strstr(text.buf, "procd-log") != NULL && count != NULL)
			switches = strtoul(strchr(count, ':') + 1, NULL, 10);
	}
	closedir(tasks);
	return switches;
}

START_TEST(an_idle_log_thread_never_wakes)
{
	struct output *o = start();
	int fd = open_child_end("fifo/0.out");

	for (uint32_t slot = 0; slot < 20; slot++)
		attach(o, slot, options("web", "web.log"));
	for (int i = 0; i < 50; i++)
		say(fd, "busy for a while\n");
	drain(o, 0);
	poll(NULL, 0, 50);
	unsigned long before = log_thread_wakeups();

	ck_assert_uint_gt(before, 0);
	poll(NULL, 0, 700);
	ck_assert_uint_eq(log_thread_wakeups(), before);
	output_stop(o);
}
END_TEST

static void events_to_file(struct config *c)
{
	c->events.enabled = true;
	c->events.output = EVENTS_FILE;
	c->events.output_path = in_dir("events");
}

START_TEST(every_event_is_one_line_and_a_successor_repeats_none)
{
	publish(events_to_file);
	event_send(chan, EVENT_SUBSYSTEM_ADDED, NULL);
	struct output *o = start();

	event_send(chan, EVENT_SUBSYSTEM_REMOVED, NULL);
	output_stop(o);
	event_send(chan, EVENT_CONFIG_RELOADED, NULL);
	/* The predecessor died after a write and before it noted so, and tore a line. */
	int fd = openat(run_dirfd, "output.state", O_RDWR | O_CLOEXEC);
	uint64_t zero = sealed_make(0);

	ck_assert_int_eq(pwrite(fd, &zero, 8, (off_t)offsetof(struct state, sink_seq)), 8);
	close(fd);
	fd = openat(run_dirfd, "events", O_WRONLY | O_APPEND | O_CLOEXEC);
	say(fd, "{\"type\":\"conf");
	close(fd);
	o = start();
	output_stop(o);
	auto_free(freep) char *text = content("events");
	char *p = text;

	for (int i = 1; i <= 3; i++) {
		char seq[32];
		char *nl = strchr(p, '\n');

		ck_assert_ptr_nonnull(nl);
		*nl = '\0';
		snprintf(seq, sizeof seq, "\"seq\":%d,", i);
		ck_assert_msg(strstr(p, seq) != NULL, "%s", p);
		p = nl + 1;
	}
	ck_assert_str_eq(p, "");
}
END_TEST

START_TEST(a_detached_slot_leaves_no_ring_and_can_be_used_again)
{
	struct output *o = start();
	int fd = open_child_end("fifo/0.out");
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	uint64_t pos = 0, lost = 0;

	attach(o, 0, options("a", "a.log"));
	say(fd, "from a\n");
	output_detach(o, 0);
	attach(o, 0, options("b", "b.log"));
	drain(o, 0);
	expect_file("a.log", "from a\n");
	ck_assert_int_eq(faccessat(run_dirfd, "ring/0.out", F_OK, 0), -1);
	say(fd, "from b\n");
	drain(o, 0);
	expect_file("b.log", "from b\n");
	ck_assert(tail_read(o, 0, TAIL_OUT, &pos, 100, &text, &lost));
	ck_assert_str_eq(text.buf, "from b\n");
	output_stop(o);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		lines_reach_the_log_file_byte_for_byte,
		who_printed_since_its_start_is_not_silent,
		what_a_predecessor_read_counts_as_printed,
		an_open_last_line_is_ended_by_the_drain,
		a_line_over_the_limit_is_cut_with_a_mark,
		without_log_file_lines_go_to_the_own_log_with_name_and_pid,
		lines_of_a_process_that_is_being_started_wait_for_its_pid,
		a_million_lines_arrive_once_and_in_order,
		what_was_written_while_nobody_read_is_not_lost,
		the_tail_shows_the_last_lines_and_goes_on_from_there,
		a_reader_of_the_tail_keeps_up_with_a_flood,
		reopening_follows_a_renamed_file_and_so_does_the_next_write,
		two_subsystems_share_one_file_line_by_line,
		a_log_file_that_cannot_be_opened_degrades_only_itself_and_recovers,
		a_child_never_waits_for_a_log_that_cannot_be_written_and_losses_are_told,
		killed_again_and_again_it_loses_no_line_and_repeats_none,
		an_idle_log_thread_never_wakes,
		every_event_is_one_line_and_a_successor_repeats_none,
		a_detached_slot_leaves_no_ring_and_can_be_used_again,
	};

	return unit_run_in("output: thread", setup, teardown, tests, ARRAY_LEN(tests));
}
