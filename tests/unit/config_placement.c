/* Processors, scheduling policies and io classes, as text. */
#include <errno.h>
#include <sched.h>

#include "config_fixture.h"
#include "config/placement.h"

static uint64_t mask[CPU_LIST_WORDS];

static const char *canonical(const char *text)
{
	static struct strbuf out = STRBUF_INIT;

	strbuf_reset(&out);
	memset(mask, 0, sizeof(mask));
	if (cpu_list_parse(text, mask) < 0)
		return NULL;
	cpu_list_format(mask, &out);
	return out.buf;
}

START_TEST(a_list_of_processors_has_one_shortest_form)
{
	ck_assert_str_eq(canonical("0"), "0");
	ck_assert_str_eq(canonical("3, 0-1 ,2"), "0-3");
	ck_assert_str_eq(canonical("5-5,7,63-65"), "5,7,63-65");
	ck_assert_uint_eq(cpu_list_words(mask), 2);
	ck_assert_str_eq(canonical("0-8191"), "0-8191");
	ck_assert_uint_eq(cpu_list_words(mask), CPU_LIST_WORDS);
}
END_TEST

START_TEST(what_is_no_list_of_processors_is_refused)
{
	static const char *const bad[] = { "", " ", ",", "1,", "-1", "1-", "2-1", "a", "1 2", "0x1",
					   "1-2-3", "1;2" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(cpu_list_parse(bad[i], mask) == -EINVAL, "accepted: %s", bad[i]);
	ck_assert_int_eq(cpu_list_parse("8192", mask), -ERANGE);
	ck_assert_int_eq(cpu_list_parse("1-99999999999999999999", mask), -ERANGE);
}
END_TEST

START_TEST(policies_have_the_kernels_numbers)
{
	int policy, priority;

	ck_assert(sched_policy_parse("other", &policy, &priority) && policy == SCHED_OTHER);
	ck_assert(sched_policy_parse("batch", &policy, &priority) && policy == SCHED_BATCH);
	ck_assert(sched_policy_parse("idle", &policy, &priority) && policy == SCHED_IDLE);
	ck_assert_int_eq(priority, 0);
	ck_assert(sched_policy_parse("fifo:1", &policy, &priority) && policy == SCHED_FIFO);
	ck_assert(sched_policy_parse("rr:99", &policy, &priority) && policy == SCHED_RR);
	ck_assert_int_eq(priority, 99);
	for (size_t i = 0; i < 9; i++)
		ck_assert(!sched_policy_parse(((const char *const[]){ "", "fifo", "fifo:", "rr:0",
					      "rr:100", "fifo:-1", "other:1", "fifos:1", "rr:1 " })[i],
					      &policy, &priority));
}
END_TEST

START_TEST(io_classes_have_the_kernels_numbers)
{
	int priority;

	ck_assert(io_class_parse("idle", &priority) && priority == 3 << 13);
	ck_assert(io_class_parse("best-effort:7", &priority) && priority == (2 << 13 | 7));
	ck_assert(io_class_parse("best-effort", &priority) && priority == (2 << 13 | 4));
	ck_assert(io_class_parse("realtime:0", &priority) && priority == 1 << 13);
	for (size_t i = 0; i < 6; i++)
		ck_assert(!io_class_parse(((const char *const[]){ "", "none", "idle:1", "realtime:8",
					  "best-effort:", "best-effort:77" })[i], &priority));
}
END_TEST

#define WEB "[subsystem.web]\ncommand = \"true\"\n"

START_TEST(all_spellings_are_one_value)
{
	static const char *const spellings[] = {
		"cpu_affinity = \"1,0\"\n", "cpu_affinity = [0, 1]\n",
		"cpu_affinity = [\"0\", \"0-1\"]\n", "cpu_affinity = 0-1\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
		auto_free(freep) char *text = x_asprintf(WEB "%s", spellings[i]);

		load_fine(text);
		ck_assert_str_eq(config_find(config, "web")->rights->cpu_affinity, "0-1");
	}
	load_fine(WEB "cpu_affinity = 1\nsched_policy = rr:5\nio_class = idle\n");
	ck_assert_str_eq(config_find(config, "web")->rights->cpu_affinity, "1");
	ck_assert_str_eq(config_find(config, "web")->rights->sched_policy, "rr:5");
}
END_TEST

START_TEST(mistakes_are_told_where_they_are)
{
	expect_error(WEB "cpu_affinity = [0, \"x\"]\n", 3, 20, "expected processors");
	expect_error(WEB "cpu_affinity = []\n", 3, 16, "expected processors");
	expect_error(WEB "cpu_affinity = 9999\n", 3, 16, "from 0 to 8191");
	expect_error(WEB "sched_policy = \"fast\"\n", 3, 16, "accepted: other, batch");
	expect_error(WEB "io_class = \"none\"\n", 3, 12, "accepted: idle, best-effort:N");
	expect_error(WEB "numa_node = 777\n", 3, 13, "no NUMA node 777");
	expect_error(WEB "numa_node = -1\n", 3, 13, "must be between");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		a_list_of_processors_has_one_shortest_form,
		what_is_no_list_of_processors_is_refused, policies_have_the_kernels_numbers,
		io_classes_have_the_kernels_numbers, all_spellings_are_one_value,
		mistakes_are_told_where_they_are,
	};

	return unit_run_in("config: placement", setup, teardown, tests, ARRAY_LEN(tests));
}
