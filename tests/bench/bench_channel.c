/* bench_channel [EVENTS]: cost of an event through the channel, lock-free against mutex, for one to
 * four senders and one reader, and of making a state_changed event. The senders do not run away from
 * the reader: one that misses most of them would make them look cheap. Text on stdout. */
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "event/event.h"

#define SENDERS_MAX 4
#define BODY_BYTES 320	/* a state_changed event */
#define AHEAD_MAX 256	/* events that the reader may be behind when a sender pauses */

struct run {
	struct chan *chan;
	unsigned long events;	/* of each sender */
	_Atomic bool go;
	bool with_reader;
	_Atomic uint64_t received;
	uint64_t lost;
};

static void wait_for_go(struct run *run)
{
	while (!atomic_load(&run->go))
		;
}

static void wait_for_reader(const struct run *run, unsigned long i)
{
	if (!run->with_reader || i % 32 != 0)
		return;
	while (chan_last_seq(run->chan) > atomic_load(&run->received) + AHEAD_MAX)
		sched_yield();
}

static void *send_bodies(void *arg)
{
	struct run *run = arg;
	char body[BODY_BYTES];

	memset(body, 'x', sizeof(body));
	wait_for_go(run);
	for (unsigned long i = 0; i < run->events; i++) {
		chan_send(run->chan, body, sizeof(body));
		wait_for_reader(run, i);
	}
	return NULL;
}

static void *send_states(void *arg)
{
	struct run *run = arg;
	struct state_event e = {
		.id = 1, .name = "worker@12", .state = STATE_FAILED, .prev = STATE_RUNNING,
		.pid = 4242, .exit_code = -1, .signal = 9, .reason = REASON_SIGNAL,
		.restart_count = 3, .next_restart_ms = 800, .core_dumped = -1,
	};

	wait_for_go(run);
	for (unsigned long i = 0; i < run->events; i++) {
		e.at_real_ns = clock_real_ns();
		e.at_mono_ns = clock_mono_ns();
		event_state_changed(run->chan, &e);
	}
	return NULL;
}

static void *receive(void *arg)
{
	struct run *run = arg;
	auto_free(strbuf_fini) struct strbuf body = STRBUF_INIT;
	uint64_t cursor = 0, lost;

	for (;;) {
		strbuf_reset(&body);
		switch (chan_try_recv(run->chan, &cursor, &body, &lost)) {
		case CHAN_OK:
			atomic_store_explicit(&run->received, cursor, memory_order_relaxed);
			break;
		case CHAN_GAP:
			run->lost += lost;
			break;
		case CHAN_EMPTY:
			sched_yield();
			break;
		case CHAN_CLOSED:
			return NULL;
		}
	}
}

static void bench(enum chan_mode mode, int nsenders, bool make, bool with_reader,
		  unsigned long events)
{
	struct run run = { .events = events, .with_reader = with_reader };
	pthread_t senders[SENDERS_MAX], reader;
	int64_t start, ns;
	bool lost;

	run.chan = chan_open(-1, 1 << 20, 1024, mode, &lost);
	if (run.chan == NULL) {
		perror("chan_open");
		exit(EXIT_FAILURE);
	}
	for (int i = 0; i < nsenders; i++)
		pthread_create(&senders[i], NULL, make ? send_states : send_bodies, &run);
	if (with_reader)
		pthread_create(&reader, NULL, receive, &run);
	start = clock_mono_ns();
	atomic_store(&run.go, true);
	for (int i = 0; i < nsenders; i++)
		pthread_join(senders[i], NULL);
	ns = clock_mono_ns() - start;
	chan_close(run.chan);
	if (with_reader)
		pthread_join(reader, NULL);
	chan_free(run.chan);
	printf("%-9s %d sender%s %d reader%s %-13s %7.1f ns/event", mode == CHAN_MUTEX ? "mutex" :
	       "lock-free", nsenders, nsenders == 1 ? " " : "s", with_reader, with_reader ? " " : "s",
	       make ? "state_changed" : "body", (double)ns / (double)(events * (size_t)nsenders));
	if (with_reader)
		printf("  received %llu lost %llu", (unsigned long long)run.received,
		       (unsigned long long)run.lost);
	putchar('\n');
}

int main(int argc, char **argv)
{
	static const enum chan_mode modes[] = { CHAN_LOCK_FREE, CHAN_MUTEX };
	unsigned long events = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;

	for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
		bench(modes[m], 1, true, false, events);
		bench(modes[m], 1, false, false, events);
		for (int n = 1; n <= SENDERS_MAX; n++)
			bench(modes[m], n, false, true, events);
	}
	return 0;
}
