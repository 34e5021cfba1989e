/* The loop, the mailbox, threads and RCU. Nothing here waits for time to pass except one timer. */
#include "base/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/mailbox.h"
#include "base/rcu.h"
#include "base/thread.h"
#include "unit.h"

START_TEST(each_supported_backend_makes_a_loop)
{
	auto_free(strbuf_fini) struct strbuf all = STRBUF_INIT;
	static const char *const names[] = { "epoll", "poll", "select" };
	struct ev_loop *loop;

	/* The environment must have no say. */
	setenv("LIBEV_FLAGS", "1", 1);
	loop_backends_supported(&all);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		loop = loop_new(names[i]);
		ck_assert_ptr_nonnull(loop);
		ck_assert_str_eq(loop_backend_name(loop), names[i]);
		ck_assert_ptr_nonnull(strstr(all.buf, names[i]));
		ev_loop_destroy(loop);
	}
	loop = loop_new("auto");
	ck_assert_str_eq(loop_backend_name(loop), "epoll");
	ev_loop_destroy(loop);
	ck_assert_ptr_null(loop_new("kqueue"));
	ck_assert_ptr_null(loop_new(""));
}
END_TEST

/* libev's default loop would take the status away. */
START_TEST(a_loop_leaves_children_alone)
{
	struct ev_loop *loop = loop_new("auto");
	siginfo_t info;
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(7);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	ev_run(loop, EVRUN_NOWAIT);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WEXITSTATUS(status), 7);
	ev_loop_destroy(loop);
}
END_TEST

struct reader {
	struct loop_io io;
	int calls;
	int revents;
};

static void on_reader(struct loop_io *io, int revents)
{
	struct reader *reader = container_of(io, struct reader, io);

	reader->calls++;
	reader->revents = revents;
}

START_TEST(io_is_seen_while_it_is_watched)
{
	struct ev_loop *loop = loop_new("auto");
	struct reader reader = { .calls = 0 };
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	loop_io_init(&reader.io, loop, on_reader);
	loop_io_set(&reader.io, ends[0], EV_READ);
	ev_run(loop, EVRUN_NOWAIT);
	ck_assert_int_eq(reader.calls, 0);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	loop_io_set(&reader.io, ends[0], EV_READ);
	ev_run(loop, EVRUN_NOWAIT);
	ck_assert_int_eq(reader.calls, 1);
	ck_assert_int_eq(reader.revents, EV_READ);
	loop_io_set(&reader.io, ends[0], 0);
	ev_run(loop, EVRUN_NOWAIT);
	ck_assert_int_eq(reader.calls, 1);
	loop_io_set(&reader.io, ends[1], EV_WRITE);
	ev_run(loop, EVRUN_NOWAIT);
	ck_assert_int_eq(reader.calls, 2);
	ck_assert_int_eq(reader.revents, EV_WRITE);
	loop_io_set(&reader.io, -1, EV_WRITE);
	ev_run(loop, EVRUN_NOWAIT);
	ck_assert_int_eq(reader.calls, 2);
	close(ends[0]);
	close(ends[1]);
	ev_loop_destroy(loop);
}
END_TEST

struct clocked {
	struct loop_timer timer;
	int calls;
	int64_t at_ns;
};

static void on_clocked(struct loop_timer *timer)
{
	struct clocked *clocked = container_of(timer, struct clocked, timer);

	clocked->calls++;
	clocked->at_ns = clock_mono_ns();
}

START_TEST(a_timer_fires_once_and_not_too_early)
{
	struct ev_loop *loop = loop_new("auto");
	struct clocked clocked = { .calls = 0 };
	struct clocked stopped = { .calls = 0 };
	int64_t start;

	loop_timer_init(&clocked.timer, loop, on_clocked);
	loop_timer_init(&stopped.timer, loop, on_clocked);
	/* A long callback: libev's own idea of now becomes old. */
	usleep(30000);
	start = clock_mono_ns();
	loop_timer_set(&clocked.timer, 20 * NS_PER_MS);
	loop_timer_set(&stopped.timer, 1);
	loop_timer_set(&stopped.timer, -1);
	ev_run(loop, 0);	/* returns when no watcher is left */
	ck_assert_int_eq(clocked.calls, 1);
	ck_assert_int_ge(clocked.at_ns - start, 19 * NS_PER_MS);
	ck_assert_int_eq(stopped.calls, 0);
	loop_timer_set(&clocked.timer, 0);
	ev_run(loop, 0);
	ck_assert_int_eq(clocked.calls, 2);
	ev_loop_destroy(loop);
}
END_TEST

static int prepared;

static void on_prepared(struct loop_prepare *p)
{
	(void)p;
	prepared++;
}

START_TEST(prepare_runs_once_per_turn)
{
	struct ev_loop *loop = loop_new("auto");
	struct loop_prepare prepare;

	loop_prepare_start(&prepare, loop, on_prepared);
	ev_run(loop, EVRUN_NOWAIT);
	ev_run(loop, EVRUN_NOWAIT);
	ck_assert_int_eq(prepared, 2);
	ev_loop_destroy(loop);
}
END_TEST

#define SENDERS 4
#define LETTERS 20000

struct letter {
	struct mail mail;
	int sender;
	int number;
};

struct office {
	struct mailbox box;
	struct ev_loop *loop;
	int next[SENDERS];
	int received;
	bool in_order;
};

struct sender {
	struct office *office;
	int number;
	bool signals_blocked;
};

static void on_letter(void *ctx, struct mail *mail)
{
	struct letter *letter = container_of(mail, struct letter, mail);
	struct office *office = ctx;

	if (office->next[letter->sender]++ != letter->number)
		office->in_order = false;
	free(letter);
	if (++office->received == SENDERS * LETTERS)
		ev_break(office->loop, EVBREAK_ALL);
}

static void *send_letters(void *arg)
{
	struct sender *sender = arg;
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	sender->signals_blocked = sigismember(&mask, SIGTERM) == 1 &&
				  sigismember(&mask, SIGCHLD) == 1;
	for (int i = 0; i < LETTERS; i++) {
		struct letter *letter = x_malloc(sizeof(*letter));

		letter->sender = sender->number;
		letter->number = i;
		mailbox_send(&sender->office->box, &letter->mail);
	}
	return NULL;
}

START_TEST(four_senders_lose_nothing_and_each_keeps_its_order)
{
	struct office office = { .loop = loop_new("auto"), .in_order = true };
	struct sender senders[SENDERS];
	pthread_t threads[SENDERS];

	mailbox_init(&office.box, office.loop, on_letter, &office);
	for (int i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){ .office = &office, .number = i };
		ck_assert_int_eq(thread_start(&threads[i], "sender", send_letters, &senders[i]), 0);
	}
	ev_run(office.loop, 0);
	for (int i = 0; i < SENDERS; i++) {
		pthread_join(threads[i], NULL);
		ck_assert(senders[i].signals_blocked);
	}
	ck_assert_int_eq(office.received, SENDERS * LETTERS);
	ck_assert(office.in_order);
	mailbox_fini(&office.box);
	ev_loop_destroy(office.loop);
}
END_TEST

static int received_before;

static void on_byte(struct loop_io *io, int revents)
{
	struct office *office = ev_userdata(io->w.data);

	(void)revents;
	received_before = office->received;
	ev_break(io->w.data, EVBREAK_ALL);
}

START_TEST(what_is_left_in_a_mailbox_wakes_nobody_and_comes_before_what_does)
{
	struct office office = { .loop = loop_new("auto"), .in_order = true };
	struct letter *letter = x_calloc(1, sizeof(*letter));
	struct loop_io io;
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	mailbox_init(&office.box, office.loop, on_letter, &office);
	ev_set_userdata(office.loop, &office);
	loop_io_init(&io, office.loop, on_byte);
	loop_io_set(&io, fds[0], EV_READ);
	ev_run(office.loop, EVRUN_NOWAIT);
	mailbox_leave(&office.box, &letter->mail);
	ck_assert_int_eq(office.received, 0);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	ev_run(office.loop, 0);
	ck_assert_int_eq(received_before, 1);
	loop_io_set(&io, -1, 0);
	mailbox_fini(&office.box);
	ev_loop_destroy(office.loop);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(closing_a_mailbox_delivers_what_is_left)
{
	struct office office = { .loop = loop_new("auto"), .in_order = true };
	struct sender sender = { .office = &office };
	sigset_t before, after;
	pthread_t thread;

	mailbox_init(&office.box, office.loop, on_letter, &office);
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	ck_assert_int_eq(thread_start(&thread, "sender", send_letters, &sender), 0);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	ck_assert_int_eq(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
	pthread_join(thread, NULL);
	mailbox_fini(&office.box);
	ck_assert_int_eq(office.received, LETTERS);
	ck_assert(office.in_order);
	/* Nothing keeps the loop alive any more. */
	ev_run(office.loop, 0);
	ev_loop_destroy(office.loop);
}
END_TEST

struct snapshot {
	struct rcu_head rcu;
	int a;
	int b;		/* always the same as A */
};

static struct snapshot *current;
static atomic_int freed;
static atomic_bool stop_reading;

static void snapshot_free(struct rcu_head *head)
{
	struct snapshot *snapshot = container_of(head, struct snapshot, rcu);

	snapshot->a = -1;
	free(snapshot);
	atomic_fetch_add(&freed, 1);
}

static void *read_snapshots(void *arg)
{
	bool *torn = arg;

	while (!atomic_load(&stop_reading)) {
		struct snapshot *snapshot;

		rcu_enter();
		snapshot = rcu_get(&current);
		if (snapshot->a != snapshot->b || snapshot->a < 0)
			*torn = true;
		rcu_leave();
	}
	return NULL;
}

static struct snapshot *snapshot_new(int value)
{
	struct snapshot *snapshot = x_calloc(1, sizeof(*snapshot));

	snapshot->a = snapshot->b = value;
	return snapshot;
}

START_TEST(readers_see_whole_snapshots_and_all_old_ones_are_freed)
{
	bool torn[2] = { false, false };
	pthread_t threads[2];

	rcu_register_thread();
	rcu_helper_start();
	ck_assert_ptr_null(rcu_publish(&current, snapshot_new(0)));
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(thread_start(&threads[i], "reader", read_snapshots, &torn[i]), 0);
	for (int i = 1; i <= 2000; i++) {
		struct snapshot *old = rcu_publish(&current, snapshot_new(i));

		rcu_retire(&old->rcu, snapshot_free);
	}
	atomic_store(&stop_reading, true);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		ck_assert(!torn[i]);
	}
	rcu_barrier();
	ck_assert_int_eq(atomic_load(&freed), 2000);
	ck_assert_int_eq(current->a, 2000);
	free(current);
	rcu_unregister_thread();
}
END_TEST

UNIT_MAIN("base: loop", each_supported_backend_makes_a_loop, a_loop_leaves_children_alone,
	  io_is_seen_while_it_is_watched, a_timer_fires_once_and_not_too_early,
	  prepare_runs_once_per_turn, four_senders_lose_nothing_and_each_keeps_its_order,
	  what_is_left_in_a_mailbox_wakes_nobody_and_comes_before_what_does,
	  closing_a_mailbox_delivers_what_is_left,
	  readers_see_whole_snapshots_and_all_old_ones_are_freed)
