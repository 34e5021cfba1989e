/* The keeper's short time slice: asked for without changing anything else, and given back. */
#include <check.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/slice.h"

struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static struct attributes attributes_now(void)
{
	struct attributes a = { 0 };

	ck_assert_int_eq(syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0), 0);
	return a;
}

START_TEST(a_slice_is_shortened_and_given_back_and_nothing_else_changes)
{
	struct attributes before, during, after;

	ck_assert_int_eq(setpriority(PRIO_PROCESS, 0, 3), 0);
	before = attributes_now();
	if (slice_shorten()) {
		during = attributes_now();
		ck_assert_uint_lt(during.runtime, before.runtime);
		ck_assert_int_eq(during.nice, 3);
		ck_assert_uint_eq(during.policy, before.policy);
		ck_assert_int_eq(slice_reset(), 0);
	}
	after = attributes_now();
	ck_assert_uint_eq(after.runtime, before.runtime);
	ck_assert_int_eq(after.nice, 3);
	ck_assert_uint_eq(after.policy, before.policy);
}
END_TEST

START_TEST(another_policy_than_the_usual_one_is_left_alone)
{
	struct sched_param none = { 0 };

	ck_assert_int_eq(sched_setscheduler(0, SCHED_BATCH, &none), 0);
	ck_assert(!slice_shorten());
	ck_assert_int_eq(sched_getscheduler(0), SCHED_BATCH);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keeper: slice");
	TCase *tc = tcase_create("slice");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, a_slice_is_shortened_and_given_back_and_nothing_else_changes);
	tcase_add_test(tc, another_policy_than_the_usual_one_is_left_alone);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
