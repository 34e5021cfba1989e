/* The published configuration, read by threads while it is replaced ten thousand times. */
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/thread.h"
#include "config/store.h"

#include "unit.h"

enum { READERS = 3, PUBLISHED = 10000 };

static void set_up(void)
{
	rcu_register_thread();
	rcu_helper_start();
}

static void tear_down(void)
{
	rcu_barrier();
	rcu_unregister_thread();
}

/* A whole configuration by way of the room's own door, so that freeing it is the real thing. */
static struct config *load(const char *name)
{
	auto_free(strlist_fini) struct strlist sets = STRLIST_INIT;
	struct config_source source = { .sets = &sets, .no_file = true };
	struct config_diag diag = CONFIG_DIAG_INIT;
	struct config *config = NULL;

	strlist_take(&sets, x_asprintf("name=\"%s\"", name));
	strlist_add(&sets, "subsystem.web.command=[\"sleep\", \"1\"]");
	ck_assert_int_eq(config_load(&source, &config, &diag, NULL), 0);
	config_diag_fini(&diag);
	return config;
}

START_TEST(generations_count_up_from_the_first_one_that_is_free)
{
	ck_assert_ptr_null(config_current());
	config_publish(load("a"), 7);
	ck_assert_uint_eq(config_current()->generation, 7);
	ck_assert_uint_eq(config_current()->subsystems[0]->generation, 7);
	config_publish(load("b"), 7);
	ck_assert_uint_eq(config_current()->generation, 8);
	ck_assert_str_eq(config_current()->name, "b");
	config_publish(load("c"), 100);
	ck_assert_uint_eq(config_current()->generation, 100);
}
END_TEST

START_TEST(shared_options_keep_the_generation_they_were_made_in)
{
	struct config *next = load("b");

	config_publish(load("a"), 1);
	config_compare(config_current(), next);
	config_publish(next, 1);
	ck_assert_uint_eq(config_current()->generation, 2);
	ck_assert_uint_eq(config_current()->subsystems[0]->generation, 1);
}
END_TEST

struct witness {
	_Atomic bool done;
	_Atomic uint64_t broken;
};

static void *read_all_the_time(void *arg)
{
	struct witness *me = arg;
	uint64_t last = 0;

	while (!atomic_load(&me->done)) {
		const struct config *c;
		char want[32];

		rcu_enter();
		c = config_current();
		snprintf(want, sizeof(want), "n%llu", (unsigned long long)c->generation);
		if (c->generation < last || strcmp(c->name, want) != 0)
			atomic_fetch_add(&me->broken, 1);
		last = c->generation;
		rcu_leave();
	}
	return NULL;
}

START_TEST(readers_see_whole_configurations_in_order)
{
	struct witness witness = { 0 };
	pthread_t readers[READERS];
	char name[32];

	config_publish(load("n1"), 1);
	for (int i = 0; i < READERS; i++)
		ck_assert_int_eq(thread_start(&readers[i], "reader", read_all_the_time, &witness),
				 0);
	for (int i = 2; i <= PUBLISHED; i++) {
		struct config *next = x_calloc(1, sizeof(*next));

		snprintf(name, sizeof(name), "n%d", i);
		next->name = x_strdup(name);
		config_publish(next, 1);
	}
	atomic_store(&witness.done, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	ck_assert_uint_eq(atomic_load(&witness.broken), 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		generations_count_up_from_the_first_one_that_is_free,
		shared_options_keep_the_generation_they_were_made_in,
		readers_see_whole_configurations_in_order,
	};

	return unit_run_in("config: store", set_up, tear_down, tests, ARRAY_LEN(tests));
}
