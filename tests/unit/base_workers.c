/* Threads for what can block: everything comes back once, in order where there is one thread, and
 * one that hangs holds up nobody else. */
#include "base/workers.h"

#include <semaphore.h>
#include <signal.h>
#include <unistd.h>

#include "unit.h"

static struct ev_loop *loop;
static struct mailbox results;
static sem_t begun;
static int returned[8], nreturned, dropped;

struct job {
	struct work work;
	int number;
	sem_t *wait_for;	/* NULL: done at once */
};

static void run(struct work *w)
{
	struct job *j = container_of(w, struct job, work);

	if (j->wait_for != NULL) {
		sem_post(&begun);
		sem_wait(j->wait_for);
	}
}

static void done(struct work *w, void *ctx)
{
	struct job *j = container_of(w, struct job, work);

	ck_assert_ptr_eq(ctx, loop);
	returned[nreturned++] = j->number;
	free(j);
}

static void drop(struct work *w)
{
	dropped++;
	free(container_of(w, struct job, work));
}

static void on_mail(void *ctx, struct mail *mail)
{
	struct work *w = container_of(mail, struct work, mail);

	w->done(w, ctx);
}

static void setup(void)
{
	loop = loop_new("auto");
	nreturned = dropped = 0;
	sem_init(&begun, 0, 0);
	mailbox_init(&results, loop, on_mail, loop);
}

static void teardown(void)
{
	mailbox_fini(&results);
	ev_loop_destroy(loop);
}

static void ask(struct workers *p, int number, sem_t *wait_for)
{
	struct job *j = calloc(1, sizeof(*j));

	j->work = (struct work){ .run = run, .done = done, .drop = drop };
	j->number = number;
	j->wait_for = wait_for;
	ck_assert_int_eq(workers_ask(p, &j->work), 0);
}

static void wait_for_number(int n)
{
	while (nreturned < n)
		ev_run(loop, EVRUN_ONCE);
}

START_TEST(one_thread_does_all_in_order)
{
	struct workers *p = workers_new("test", &results, 1);

	for (int i = 0; i < 8; i++)
		ask(p, i, NULL);
	wait_for_number(8);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(returned[i], i);
	workers_free(p);
}
END_TEST

START_TEST(one_that_hangs_holds_up_nobody_else)
{
	struct workers *p = workers_new("test", &results, 2);
	sem_t never;

	sem_init(&never, 0, 0);
	ask(p, 7, &never);
	for (int i = 0; i < 4; i++)
		ask(p, i, NULL);
	wait_for_number(4);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(returned[i], i);
	sem_post(&never);
	wait_for_number(5);
	ck_assert_int_eq(returned[4], 7);
	workers_free(p);
	sem_destroy(&never);
}
END_TEST

static sem_t late;

static void on_alarm(int signo)
{
	(void)signo;
	sem_post(&late);
}

START_TEST(what_is_not_done_at_the_end_is_dropped)
{
	struct workers *p = workers_new("test", &results, 1);

	sem_init(&late, 0, 0);
	ask(p, 1, &late);
	for (int i = 2; i < 5; i++)
		ask(p, i, NULL);
	sem_wait(&begun);
	signal(SIGALRM, on_alarm);
	ualarm(100000, 0);
	workers_free(p);	/* waits for what was begun, which nobody hears of any more */
	ck_assert_int_eq(dropped, 4);
	ck_assert_int_eq(nreturned, 0);
}
END_TEST

START_TEST(without_work_there_is_no_thread)
{
	workers_free(workers_new("test", &results, 0));
	workers_free(NULL);
	ck_assert_int_eq(nreturned + dropped, 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		one_thread_does_all_in_order, one_that_hangs_holds_up_nobody_else,
		what_is_not_done_at_the_end_is_dropped, without_work_there_is_no_thread,
	};

	return unit_run_in("base: workers", setup, teardown, tests, ARRAY_LEN(tests));
}
