/* What a program may do, as text. */
#include <linux/capability.h>

#include "config_fixture.h"

#define WEB "[subsystem.web]\ncommand = \"true\"\n"

static const struct subsystem_options *web(void)
{
	return config_find(config, "web");
}

START_TEST(names_of_capabilities_are_the_kernels_bits)
{
	load_fine(WEB "capabilities = [\"CAP_NET_RAW\", \"CAP_CHOWN\", \"CAP_CHECKPOINT_RESTORE\"]\n"
		  "ambient_capabilities = \"CAP_NET_RAW\"\n");
	ck_assert(web()->rights->capabilities.set);
	ck_assert_uint_eq(web()->rights->capabilities.mask,
			  1 << CAP_CHOWN | 1 << CAP_NET_RAW | UINT64_C(1) << 40);
	ck_assert_uint_eq(web()->rights->ambient_capabilities.mask, 1 << CAP_NET_RAW);
	for (int cap = 0; cap <= 40; cap++)
		ck_assert_msg(strncmp(enumtext_name(&capability_text, cap), "CAP_", 4) == 0,
			      "capability %d has no name", cap);
}
END_TEST

START_TEST(no_capabilities_are_something_else_than_no_word_on_them)
{
	load_fine(WEB);
	ck_assert(!web()->rights->capabilities.set && !web()->rights->ambient_capabilities.set);
	ck_assert(!web()->rights->no_new_privileges);
	load_fine(WEB "capabilities = []\nno_new_privileges = true\n");
	ck_assert(web()->rights->capabilities.set);
	ck_assert_uint_eq(web()->rights->capabilities.mask, 0);
	ck_assert(web()->rights->no_new_privileges);
}
END_TEST

START_TEST(protection_has_levels)
{
	load_fine(WEB);
	ck_assert_int_eq(web()->rights->protect_system, PROTECT_FALSE);
	ck_assert(!web()->rights->private_tmp);
	load_fine(WEB "protect_system = true\nprivate_tmp = true\n");
	ck_assert_int_eq(web()->rights->protect_system, PROTECT_TRUE);
	ck_assert(web()->rights->private_tmp);
	load_fine(WEB "protect_system = \"full\"\n");
	ck_assert_int_eq(web()->rights->protect_system, PROTECT_FULL);
	load_fine(WEB "protect_system = \"strict\"\nroot_dir = \"jail\"\n");
	ck_assert_int_eq(web()->rights->protect_system, PROTECT_STRICT);
	ck_assert_int_eq(web()->rights->root_dir[0], '/');
	expect_error(WEB "protect_system = \"ful\"\n", 3, 18, "full");
	expect_error(WEB "protect_system = 2\n", 3, 18, "accepted");
}
END_TEST

START_TEST(profiles_have_names)
{
	load_fine(WEB);
	ck_assert_int_eq(web()->rights->seccomp, SECCOMP_NONE);
	load_fine(WEB "seccomp = \"no-network\"\n");
	ck_assert_int_eq(web()->rights->seccomp, SECCOMP_NO_NETWORK);
	expect_error(WEB "seccomp = \"docker\"\n", 3, 11, "none, default, no-network");
}
END_TEST

START_TEST(limits_of_a_tree_have_units)
{
	load_fine(WEB);
	ck_assert_uint_eq(web()->rights->memory_max, 0);
	ck_assert_int_eq(web()->rights->cpu_quota, 0);
	ck_assert_int_eq(web()->rights->tasks_max, INT64_MIN);
	load_fine(WEB "memory_max = \"64M\"\nmemory_high = 4096\ncpu_quota = \"250%\"\n"
		  "cpu_weight = 20\ntasks_max = 7\nio_weight = 300\n");
	ck_assert_uint_eq(web()->rights->memory_max, 64 << 20);
	ck_assert_uint_eq(web()->rights->memory_high, 4096);
	ck_assert_int_eq(web()->rights->cpu_quota, 250);
	ck_assert_int_eq(web()->rights->cpu_weight, 20);
	ck_assert_int_eq(web()->rights->tasks_max, 7);
	ck_assert_int_eq(web()->rights->io_weight, 300);
	expect_error(WEB "cpu_quota = 50\n", 3, 13, "string");
	expect_error(WEB "cpu_quota = \"0%\"\n", 3, 13, "must be between");
	expect_error(WEB "cpu_quota = \"1.5%\"\n", 3, 13, "per cent");
	expect_error(WEB "cpu_weight = 0\n", 3, 14, "must be between 1 and 10000");
	expect_error(WEB "tasks_max = 0\n", 3, 13, "must be between");
	expect_error(WEB "memory_max = 0\n", 3, 14, "must be between");
}
END_TEST

START_TEST(credentials_have_a_name_and_a_path)
{
	load_fine("work_dir = \"/srv\"\n" WEB "credentials = [\"db=/etc/db.key\", \"Api_2.key-x=a=b\"]\n");
	ck_assert_uint_eq(web()->rights->credentials.n, 2);
	ck_assert_str_eq(web()->rights->credentials.items[0], "db=/etc/db.key");
	ck_assert_str_eq(web()->rights->credentials.items[1], "Api_2.key-x=/srv/a=b");
	load_fine(WEB "credentials = \"db=/etc/passwd\"\n");
	ck_assert_str_eq(web()->rights->credentials.items[0], "db=/etc/passwd");
}
END_TEST

START_TEST(credentials_that_are_none_are_refused)
{
	static const char *const bad[] = { "db", "=/etc/x", "db=", "a/b=/x", ".x=/x", "..=/x", "a b=/x" };
	auto_free(strbuf_fini) struct strbuf many = STRBUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		auto_free(freep) char *text = x_asprintf(WEB "credentials = [\"ok=/x\", \"%s\"]\n",
							 bad[i]);

		expect_error(text, 3, 25, i < 3 ? "expected NAME=PATH" : "must have letters");
	}
	expect_error(WEB "credentials = [\"a=/x\", \"a=/y\"]\n", 3, 24, "is there twice");
	expect_error(WEB "credentials = { a = \"/x\" }\n", 3, 15, "not a table");
	strbuf_addstr(&many, WEB "credentials = [");
	for (int i = 0; i <= CREDENTIALS_MAX; i++)
		strbuf_addf(&many, "\"c%d=/x\",", i);
	strbuf_addstr(&many, "]\n");
	expect_error(many.buf, 3, 15, "more than 32 credentials");
}
END_TEST

START_TEST(mistakes_are_told_where_they_are)
{
	expect_error(WEB "capabilities = [\"CAP_CHOWN\", \"CAP_NONE\"]\n", 3, 30,
		     "unknown capability \"CAP_NONE\"");
	expect_error(WEB "capabilities = 7\n", 3, 16, "string");
	expect_error(WEB "capabilities = \"\"\n", 3, 16, "unknown capability");
	expect_error(WEB "capabilities = { a = 1 }\n", 3, 16, "not a table");
	expect_error(WEB "capabilities = []\nambient_capabilities = [\"CAP_KILL\"]\n", 4, 24,
		     "CAP_KILL is not among its capabilities");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		names_of_capabilities_are_the_kernels_bits,
		no_capabilities_are_something_else_than_no_word_on_them,
		protection_has_levels, profiles_have_names,
		limits_of_a_tree_have_units, credentials_have_a_name_and_a_path, credentials_that_are_none_are_refused, mistakes_are_told_where_they_are,
	};

	return unit_run_in("config: rights", setup, teardown, tests, ARRAY_LEN(tests));
}
