/* The alarm on the time of day. That somebody sets the clock is tested with the whole program,
 * where a preloaded library does it. */
#include <sys/resource.h>
#include <unistd.h>

#include "base/alarm.h"
#include "base/clock.h"
#include "base/log.h"
#include "unit.h"

static struct ev_loop *loop;
static struct alarm *a;
static struct loop_timer limit;
static int warnings;

static void enough(struct loop_timer *t)
{
	(void)t;
	ev_break(loop, EVBREAK_ALL);
}

static void count_warning(void *ctx, enum log_level level, const char *subsystem,
			  const char *message)
{
	(void)ctx, (void)level, (void)subsystem, (void)message;
	warnings++;
}

static void setup(void)
{
	loop = loop_new("auto");
	a = alarm_new(loop);
	loop_timer_init(&limit, loop, enough);
	warnings = 0;
	log_set_sink(count_warning, NULL);
}

static void teardown(void)
{
	loop_timer_set(&limit, -1);
	alarm_free(a);
	ev_loop_destroy(loop);
}

/* Turns of the loop within NS. */
static int turns(int64_t ns)
{
	int64_t until = clock_mono_ns() + ns;
	int n = 0;

	while (clock_mono_ns() < until) {
		loop_timer_set(&limit, until - clock_mono_ns());
		ev_run(loop, EVRUN_ONCE);
		n++;
	}
	return n;
}

START_TEST(it_rings_at_its_moment_and_not_before)
{
	int64_t at = clock_real_ns() + 60 * NS_PER_MS;

	alarm_set(a, at);
	while (clock_real_ns() < at)
		ev_run(loop, EVRUN_ONCE);
	ck_assert_int_lt(clock_real_ns() - at, NS_PER_SEC);
}
END_TEST

START_TEST(a_moment_that_is_past_rings_at_once)
{
	int64_t began = clock_mono_ns();

	alarm_set(a, clock_real_ns() - NS_PER_SEC);
	ev_run(loop, EVRUN_ONCE);
	alarm_set(a, -5);
	ev_run(loop, EVRUN_ONCE);
	ck_assert_int_lt(clock_mono_ns() - began, NS_PER_SEC);
}
END_TEST

START_TEST(nothing_wakes_up_while_it_waits_or_is_not_set)
{
	int64_t at = clock_real_ns() + 3600 * NS_PER_SEC;

	ck_assert_int_le(turns(50 * NS_PER_MS), 1);
	alarm_set(a, at);
	turns(5 * NS_PER_MS);		/* one more, at once: it has just been made */
	for (int i = 0; i < 10; i++)
		alarm_set(a, at);
	ck_assert_int_le(turns(50 * NS_PER_MS), 1);
	alarm_set(a, clock_real_ns() + 20 * NS_PER_MS);
	alarm_set(a, ALARM_NEVER);
	ck_assert_int_le(turns(50 * NS_PER_MS), 1);
}
END_TEST

START_TEST(without_a_descriptor_it_rings_all_the_same)
{
	struct rlimit all, none;
	int64_t at = clock_real_ns() + 30 * NS_PER_MS;
	int first = dup(0);

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &all), 0);
	none = all;
	none.rlim_cur = (rlim_t)first;
	close(first);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	alarm_set(a, at);
	alarm_set(a, at);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &all), 0);
	ck_assert_int_eq(warnings, 1);
	while (clock_real_ns() < at)
		ev_run(loop, EVRUN_ONCE);
	ck_assert_int_lt(clock_real_ns() - at, NS_PER_SEC);
	alarm_set(a, clock_real_ns() + 3600 * NS_PER_SEC);
	turns(5 * NS_PER_MS);
	ck_assert_int_le(turns(50 * NS_PER_MS), 1);
	ck_assert_int_eq(warnings, 1);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		it_rings_at_its_moment_and_not_before, a_moment_that_is_past_rings_at_once,
		nothing_wakes_up_while_it_waits_or_is_not_set,
		without_a_descriptor_it_rings_all_the_same,
	};

	return unit_run_in("base: alarm", setup, teardown, tests, ARRAY_LEN(tests));
}
