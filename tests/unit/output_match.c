/* Waiting for a line: with the whole log thread, FIFOs and rings. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "config/part.h"
#include "config/probe.h"
#include "config/store.h"
#include "event/event.h"
#include "keeper/fifo.h"
#include "output/thread.h"

#include "unit.h"

#define SLOT 3

static char dir[] = "/tmp/procd-match-XXXXXX";
static int run_dirfd, child;
static struct ev_loop *loop;
static struct mailbox drained;
static struct chan *chan;
static struct output *o;
static struct subsystem_options *options;
static unsigned answers, matches;
static uint64_t matched_spawn;

static void on_drained(void *ctx, struct mail *mail)
{
	struct output_drained *d = container_of(mail, struct output_drained, mail);

	(void)ctx;
	if (d->matched) {
		ck_assert_uint_eq(d->slot, SLOT);
		matches++;
		matched_spawn = d->spawn_id;
	} else {
		answers++;
	}
	ev_break(loop, EVBREAK_ALL);
	free(d->tail);
	free(d);
}

static void start(void)
{
	struct error e = ERROR_INIT;

	o = output_start(run_dirfd, chan, &drained, &e);
	ck_assert_msg(o != NULL, "%s", e.message);
	output_attach(o, SLOT, options);
}

static void setup(void)
{
	bool lost_history;
	auto_free(strbuf_fini) struct strbuf why = STRBUF_INIT;
	struct config *c = x_calloc(1, sizeof *c);

	rcu_register_thread();
	ck_assert_ptr_nonnull(mkdtemp(dir));
	run_dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	loop = loop_new("auto");
	mailbox_init(&drained, loop, on_drained, NULL);
	chan = chan_open(-1, 1u << 16, 64, CHAN_LOCK_FREE, &lost_history);
	c->logging.file = x_asprintf("%s/own.log", dir);
	c->logging.max_file_size = 1u << 30;
	config_publish(c, 1);
	options = subsystem_options_unknown("web", KILL_MODE_GROUP,
								SIGTERM, TIMEOUT_UNSET);
	ck_assert_int_eq(probe_option_parse("log:^up [0-9]+$", PROBES_ALL,
					    &policy_write(options)->ready, &why), 0);
	mkdirat(run_dirfd, "fifo", 0700);
	mkfifoat(run_dirfd, "fifo/3.out", 0600);
	child = openat(run_dirfd, "fifo/3.out", O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(child, 0);
	start();
}

static void teardown(void)
{
	auto_free(freep) char *command = x_asprintf("exec rm -r %s", dir);
	pid_t pid;

	output_stop(o);
	close(child);
	subsystem_options_unref(options);
	fifo_remove_all(run_dirfd);
	pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	rcu_unregister_thread();
}

static void say(const char *text)
{
	ck_assert_int_eq(fd_write_all(child, text, strlen(text)), 0);
}

/* Everything so far is read and answered. */
static void drain(void)
{
	unsigned before = answers;

	output_drain(o, SLOT, 7);
	while (answers == before)
		ev_run(loop, EVRUN_ONCE);
}

/* A new process is being started, and its output is watched. */
static void begin(uint64_t spawn_id)
{
	output_set_pid(o, SLOT, 0);
	output_watch(o, SLOT, options, spawn_id);
	output_set_pid(o, SLOT, 100);
}

START_TEST(the_first_line_that_matches_is_told_once)
{
	begin(17);
	say("going up 1\nup\nup x\n");
	drain();
	ck_assert_uint_eq(matches, 0);
	say("up 80\nup 81\n");
	drain();
	ck_assert_uint_eq(matches, 1);
	ck_assert_uint_eq(matched_spawn, 17);
	say("up 82\n");
	drain();
	ck_assert_uint_eq(matches, 1);
}
END_TEST

START_TEST(a_line_counts_when_it_is_whole)
{
	begin(17);
	say("up ");
	while (matches == 0) {		/* read in two parts, or not: it is one line */
		say("8\n");
		drain();
	}
	ck_assert_uint_eq(matches, 1);
}
END_TEST

START_TEST(what_the_process_before_wrote_does_not_count)
{
	begin(17);
	say("up 1\n");
	drain();
	ck_assert_uint_eq(matches, 1);
	begin(18);
	drain();
	ck_assert_uint_eq(matches, 1);
	say("up 2\n");
	drain();
	ck_assert_uint_eq(matches, 2);
	ck_assert_uint_eq(matched_spawn, 18);
}
END_TEST

START_TEST(a_line_that_came_before_anybody_waited_counts)
{
	output_set_pid(o, SLOT, 0);
	output_set_pid(o, SLOT, 100);
	say("up 1\n");
	drain();
	output_watch(o, SLOT, options, 17);
	drain();
	ck_assert_uint_eq(matches, 1);
}
END_TEST

START_TEST(a_successor_finds_it_in_the_ring_but_not_that_of_an_older_process)
{
	begin(17);
	say("up 1\n");
	drain();
	output_stop(o);
	start();
	output_set_pid(o, SLOT, 100);
	output_watch(o, SLOT, options, 17);
	drain();
	ck_assert_uint_eq(matches, 2);
	begin(18);
	output_stop(o);
	start();
	output_set_pid(o, SLOT, 101);
	output_watch(o, SLOT, options, 18);
	drain();
	ck_assert_uint_eq(matches, 2);
}
END_TEST

START_TEST(a_flood_before_it_and_a_detach_while_it_is_waited_for_do_no_harm)
{
	static char flood[60000];

	begin(17);
	memset(flood, 'x', sizeof flood - 1);
	for (int i = 0; i < 5; i++) {
		say(flood);
		drain();
	}
	say("\nup 9\n");
	drain();
	ck_assert_uint_eq(matches, 1);
	begin(18);
	output_detach(o, SLOT);
	drain();
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		the_first_line_that_matches_is_told_once, a_line_counts_when_it_is_whole,
		what_the_process_before_wrote_does_not_count,
		a_line_that_came_before_anybody_waited_counts,
		a_successor_finds_it_in_the_ring_but_not_that_of_an_older_process,
		a_flood_before_it_and_a_detach_while_it_is_waited_for_do_no_harm,
	};

	return unit_run_in("output: match", setup, teardown, tests, ARRAY_LEN(tests));
}
