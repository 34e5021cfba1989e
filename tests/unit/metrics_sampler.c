/* The sampler on this program's own children, with records as a keeper would write them. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/clock.h"
#include "config/store.h"
#include "metrics/sampler.h"
#include "unit.h"

#define SLOTS 100

static struct {
	struct ev_loop *loop;
	struct board *board;
	struct records_header header;
	struct record slots[SLOTS];
	struct records records;
	struct sampler *sampler;
	pid_t child;
	int64_t now;
} t;

static int64_t fake_now(void *ctx)
{
	(void)ctx;
	return t.now;
}

static void publish(bool track)
{
	struct config *config = x_calloc(1, sizeof(*config));

	config->monitoring.metrics_interval_ms = 10;
	config->monitoring.track_resources = track;
	config_publish(config, 1);
}

/* PID runs in SLOT, as spawn SPAWN_ID. */
static void put(uint32_t slot, pid_t pid, uint64_t spawn_id)
{
	struct record *r = &t.slots[slot];
	struct board_record *b;
	char name[16];

	snprintf(name, sizeof(name), "s%u", slot);
	b = board_record_new(name, &(struct board_texts){ 0 });
	b->id = slot + 1;
	b->slot = b->place = slot;
	b->pid = pid;
	board_put(t.board, slot, b);
	r->pid = pid;
	r->spawn_id = spawn_id;
	atomic_store(&r->state, pid > 0 ? RECORD_RUNNING : RECORD_FREE);
}

static pid_t fork_child(void)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		for (;;)
			pause();
	}
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void set_up(void)
{
	memset(&t, 0, sizeof(t));
	rcu_register_thread();
	t.now = 100 * NS_PER_SEC;
	clock_set_fake(fake_now, NULL);
	t.loop = loop_new("auto");
	t.board = board_new(SLOTS);
	t.header.keeper_pid = getpid();
	t.header.nslots = SLOTS;
	t.records = (struct records){ .header = &t.header, .slots = t.slots, .fd = -1 };
	publish(true);
	t.sampler = sampler_new(&(struct sampler_setup){
		.loop = t.loop, .board = t.board, .records = &t.records });
	t.child = fork_child();
}

static void tear_down(void)
{
	end_child(t.child);
	sampler_free(t.sampler);
	ev_loop_destroy(t.loop);
	clock_set_fake(NULL, NULL);
	rcu_barrier();
	board_free(t.board);
	rcu_unregister_thread();
}

static const struct sample *get(uint32_t slot)
{
	return sampler_get(t.sampler, board_get(t.board, slot));
}

static const struct sample *ask(uint32_t slot)
{
	sampler_ask(t.sampler, &slot, 1);
	return get(slot);
}

START_TEST(a_question_is_answered_on_the_spot)
{
	const struct sample *p;

	put(0, t.child, 7);
	p = ask(0);
	ck_assert_ptr_nonnull(p);
	ck_assert_uint_gt(p->now.rss_bytes, 4096);
	ck_assert_uint_eq(p->now.processes, 1);
	ck_assert_uint_eq(p->now.threads, 1);
	ck_assert(p->now.fds_known && p->now.fds >= 3);
	ck_assert(p->cpu_percent < 0);	/* from one sample nothing follows */
}
END_TEST

START_TEST(two_samples_give_a_percentage)
{
	put(0, t.child, 7);
	ask(0);
	t.now += NS_PER_SEC;
	while (sampler_taken(t.sampler) < 2)
		ev_run(t.loop, EVRUN_ONCE);
	ck_assert(get(0)->cpu_percent >= 0 && get(0)->cpu_percent < 100);
}
END_TEST

START_TEST(fresh_samples_are_not_taken_again)
{
	put(0, t.child, 7);
	for (int i = 0; i < 10; i++)
		ask(0);
	ck_assert_uint_eq(sampler_taken(t.sampler), 1);
}
END_TEST

START_TEST(who_is_not_down_for_it_is_nobody)
{
	t.header.keeper_pid = 1;	/* so it is no child of the keeper's */
	put(0, t.child, 7);
	ck_assert_ptr_null(ask(0));
	t.slots[0].start_ticks = process_start_time(t.child);	/* but was adopted */
	ck_assert_ptr_nonnull(ask(0));
	t.slots[0].start_ticks++;
	t.slots[0].spawn_id++;
	t.now += NS_PER_SEC;
	ck_assert_ptr_null(ask(0));
	put(1, 0, 0);
	ck_assert_ptr_null(ask(1));
	put(2, t.child, 7);
	atomic_store(&t.slots[2].state, RECORD_EXITED);
	ck_assert_ptr_null(ask(2));
}
END_TEST

START_TEST(another_process_begins_anew)
{
	pid_t other = fork_child();

	put(0, t.child, 7);
	ask(0);
	put(0, other, 8);
	ck_assert_ptr_null(get(0));
	ck_assert_ptr_nonnull(ask(0));
	ck_assert_int_eq(get(0)->pid, other);
	ck_assert(get(0)->cpu_percent < 0);
	end_child(other);
}
END_TEST

START_TEST(off_means_off)
{
	put(0, t.child, 7);
	ask(0);
	publish(false);
	ck_assert_ptr_null(ask(0));
	ck_assert_uint_eq(sampler_taken(t.sampler), 1);
	rcu_barrier();
}
END_TEST

START_TEST(nobody_asks_and_the_timer_stops)
{
	put(0, t.child, 7);
	ask(0);
	t.now += (SAMPLER_AFTER_MS + 1) * NS_PER_MS;
	ev_run(t.loop, 0);	/* returns when nothing is left to wait for */
	ck_assert_uint_eq(sampler_taken(t.sampler), 1);
	ck_assert_ptr_nonnull(ask(0));
	ck_assert_uint_eq(sampler_taken(t.sampler), 2);
}
END_TEST

START_TEST(many_are_refreshed_in_portions)
{
	uint32_t all[SLOTS];

	for (uint32_t i = 0; i < SLOTS; i++) {
		put(i, t.child, 7);
		all[i] = i;
	}
	sampler_ask(t.sampler, all, SLOTS);
	ck_assert_uint_eq(sampler_taken(t.sampler), SLOTS);
	t.now += NS_PER_SEC;
	ev_run(t.loop, EVRUN_ONCE);
	ck_assert_uint_gt(sampler_taken(t.sampler), SLOTS);
	ck_assert_uint_lt(sampler_taken(t.sampler), 2 * SLOTS);
	while (sampler_taken(t.sampler) < 2 * SLOTS)
		ev_run(t.loop, EVRUN_ONCE);
	for (uint32_t i = 0; i < SLOTS; i++)
		ck_assert(get(i)->cpu_percent >= 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		a_question_is_answered_on_the_spot, two_samples_give_a_percentage,
		fresh_samples_are_not_taken_again, who_is_not_down_for_it_is_nobody,
		another_process_begins_anew, off_means_off, nobody_asks_and_the_timer_stops,
		many_are_refreshed_in_portions,
	};

	return unit_run_in("metrics: sampler", set_up, tear_down, tests, ARRAY_LEN(tests));
}
