/* The counter as a clock: never backward, on no thread; near the true one; refused where unfit. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock_tsc.h"
#include "base/util.h"
#include "unit.h"

#define SPAN_NS (5 * NS_PER_MS)
#define LIFE_NS (150 * NS_PER_MS)
#define THREADS 3

static int64_t true_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

static _Atomic int64_t latest;
static _Atomic unsigned backward, reads;

/* What any thread has read before is a lower bound for who reads now. */
static void *read_on(void *arg)
{
	int64_t until = true_ns() + LIFE_NS;

	(void)arg;
	do {
		for (int i = 0; i < 100; i++) {
			int64_t before = atomic_load(&latest), now = clock_tsc_ns();

			if (now < before)
				backward++;
			while (before < now && !atomic_compare_exchange_weak(&latest, &before, now))
				;
		}
		reads += 100;
	} while (true_ns() < until);
	return NULL;
}

START_TEST(no_thread_ever_sees_it_go_backward)
{
	pthread_t threads[THREADS];

	if (!clock_tsc_usable())
		return;
	clock_tsc_start(SPAN_NS);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, read_on, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_gt(reads, 1000);
	ck_assert_uint_eq(backward, 0);
}
END_TEST

START_TEST(it_stays_near_the_true_clock_also_after_a_rest)
{
	int64_t worst = 0;

	if (!clock_tsc_usable())
		return;
	clock_tsc_start(SPAN_NS);
	for (int i = 0; i < 40; i++) {
		int64_t before, told, after;

		nanosleep(&(struct timespec){ .tv_nsec = i % 4 * 2 * NS_PER_MS }, NULL);
		before = true_ns();
		told = clock_tsc_ns();
		after = true_ns();
		worst = MAX(worst, MAX(before - told, told - after));
	}
	ck_assert_msg(worst < 100000, "off by %lld ns", (long long)worst);
}
END_TEST

START_TEST(an_unfit_counter_is_refused)
{
	static const struct {
		const char *cpuinfo, *sources;
		bool fit;
	} rows[] = {
		{ "flags\t: fpu constant_tsc nonstop_tsc\n", "tsc hpet\n", true },
		{ "flags\t: fpu constant_tsc nonstop_tsc", "kvm-clock tsc", true },
		{ "flags\t: fpu constant_tsc\n", "tsc hpet\n", false },
		{ "flags\t: fpu nonstop_tsc\n", "tsc hpet\n", false },
		{ "flags\t: fpu constant_tsc nonstop_tsc_s3\n", "tsc hpet\n", false },
		{ "flags\t: fpu constant_tsc nonstop_tsc\n", "hpet acpi_pm\n", false },
		{ "flags\t: fpu constant_tsc nonstop_tsc\n", "tsc-early hpet\n", false },
		{ "", "", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_msg(clock_tsc_fit(rows[i].cpuinfo, rows[i].sources) == rows[i].fit,
			      "row %zu", i);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		no_thread_ever_sees_it_go_backward, it_stays_near_the_true_clock_also_after_a_rest,
		an_unfit_counter_is_refused,
	};

	return unit_run("base: clock_tsc", tests, ARRAY_LEN(tests));
}
