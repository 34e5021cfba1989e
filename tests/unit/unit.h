/* The frame of a unit test program: UNIT_MAIN("room: what", test, test, ...) behind the tests, or a
 * main() with unit_run_in() when each test needs a setup. */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <stdlib.h>

static inline int unit_run_in(const char *name, void (*setup)(void), void (*teardown)(void),
			      const TTest *const *tests, size_t n)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 20);
	tcase_add_checked_fixture(tcase, setup, teardown);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static inline int unit_run(const char *name, const TTest *const *tests, size_t n)
{
	return unit_run_in(name, NULL, NULL, tests, n);
}

#define UNIT_MAIN(name, ...)                                                                      \
	int main(void)                                                                            \
	{                                                                                         \
		const TTest *tests[] = { __VA_ARGS__ };                                           \
                                                                                                  \
		return unit_run((name), tests, sizeof(tests) / sizeof(tests[0]));                 \
	}

#endif
