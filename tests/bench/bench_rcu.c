/* bench_rcu [MILLISECONDS]: what it costs to look at the current configuration, for one and two
 * readers, while somebody publishes another one each millisecond: by RCU as procd does, by a
 * read-write lock, by a mutex. Each look compares the ends of what it sees. Text on stdout. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rcu.h"
#include "base/thread.h"

#define READERS_MAX 2

struct snapshot {
	struct rcu_head rcu;
	uint64_t generation, words[8];	/* each word is GENERATION */
};

enum way { BY_RCU, BY_RWLOCK, BY_MUTEX };

static struct {
	enum way way;
	struct snapshot *current;
	pthread_rwlock_t rwlock;
	pthread_mutex_t mutex;
	_Atomic bool over;
	_Atomic uint64_t reads, torn;
} run = { .rwlock = PTHREAD_RWLOCK_INITIALIZER, .mutex = PTHREAD_MUTEX_INITIALIZER };

/* Inlined with WAY known, so that a look pays for no choice. */
static inline __attribute__((always_inline)) void enter(enum way way, bool write)
{
	if (way == BY_MUTEX)
		pthread_mutex_lock(&run.mutex);
	else if (way == BY_RWLOCK)
		(write ? pthread_rwlock_wrlock : pthread_rwlock_rdlock)(&run.rwlock);
	else if (!write)
		rcu_enter();
}

static inline __attribute__((always_inline)) void leave(enum way way, bool write)
{
	if (way == BY_MUTEX)
		pthread_mutex_unlock(&run.mutex);
	else if (way == BY_RWLOCK)
		pthread_rwlock_unlock(&run.rwlock);
	else if (!write)
		rcu_leave();
}

static bool whole(const struct snapshot *s)
{
	return s->words[ARRAY_LEN(s->words) - 1] == s->generation;
}

static inline __attribute__((always_inline)) void look(enum way way)
{
	uint64_t reads = 0, torn = 0;

	while (!atomic_load_explicit(&run.over, memory_order_relaxed)) {
		enter(way, false);
		torn += !whole(rcu_dereference(run.current));
		leave(way, false);
		reads++;
	}
	run.reads += reads;
	run.torn += torn;
}

static void *reader(void *arg)
{
	(void)arg;
	if (run.way == BY_RCU)
		look(BY_RCU);
	else if (run.way == BY_RWLOCK)
		look(BY_RWLOCK);
	else
		look(BY_MUTEX);
	return NULL;
}

static struct snapshot *snapshot_new(uint64_t generation)
{
	struct snapshot *s = x_calloc(1, sizeof(*s));

	s->generation = generation;
	for (size_t i = 0; i < ARRAY_LEN(s->words); i++)
		s->words[i] = generation;
	return s;
}

static void snapshot_free(struct rcu_head *head)
{
	struct snapshot *s = container_of(head, struct snapshot, rcu);

	memset(s->words, 0xff, sizeof(s->words));	/* whoever still looks sees it */
	free(s);
}

static void publish(uint64_t generation)
{
	struct snapshot *old = run.current;

	enter(run.way, true);
	rcu_assign_pointer(run.current, snapshot_new(generation));
	leave(run.way, true);
	if (run.way == BY_RCU)
		call_rcu(&old->rcu, snapshot_free);
	else
		snapshot_free(&old->rcu);
}

static void bench(enum way way, int readers, int64_t ns)
{
	static const char *const names[] = { "rcu", "rwlock", "mutex" };
	pthread_t threads[READERS_MAX];
	int64_t began;
	uint64_t generation = 1;

	run.way = way;
	run.over = false;
	run.reads = 0;
	run.current = snapshot_new(generation);
	for (int i = 0; i < readers; i++)
		BUG_ON(thread_start(&threads[i], "reader", reader, NULL) != 0);
	began = clock_mono_ns();
	while (clock_mono_ns() - began < ns) {
		publish(++generation);
		nanosleep(&(struct timespec){ .tv_nsec = NS_PER_MS }, NULL);
	}
	run.over = true;
	for (int i = 0; i < readers; i++)
		pthread_join(threads[i], NULL);
	printf("%-7s %d reader%s %8.1f ns/look  %llu publications, %llu torn looks so far\n", names[way],
	       readers, readers > 1 ? "s" : " ", (double)ns * readers / (double)run.reads,
	       (unsigned long long)generation, (unsigned long long)run.torn);
	free(run.current);
}

int main(int argc, char **argv)
{
	int64_t ns = (argc > 1 ? strtol(argv[1], NULL, 10) : 300) * NS_PER_MS;

	rcu_register_thread();
	for (int readers = 1; readers <= READERS_MAX; readers++)
		for (int way = BY_RCU; way <= BY_MUTEX; way++)
			bench((enum way)way, readers, ns);
	rcu_barrier();
	rcu_unregister_thread();
	return run.torn != 0;
}
