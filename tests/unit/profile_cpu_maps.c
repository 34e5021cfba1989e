/* What lies where, the kernel's names, and why it refuses. */
#include "profile/cpu_maps.h"

#include <errno.h>
#include <unistd.h>

#include "profile/cpu_kernel.h"
#include "profile/cpu_open.h"
#include "unit.h"

static struct cpu_maps maps;

static void setup(void)
{
	maps = (struct cpu_maps)CPU_MAPS_INIT;
}

static void teardown(void)
{
	cpu_maps_fini(&maps);
}

static const char *file_at(pid_t pid, uint64_t address)
{
	struct cpu_region *r = cpu_maps_find(cpu_maps_process(&maps, pid), address);

	return r != NULL ? r->file->path : "none";
}

START_TEST(only_executable_mappings_are_read)
{
	cpu_maps_parse(&maps, cpu_maps_process(&maps, 5),
		       "00400000-00401000 r--p 00000000 08:01 17 /bin/x y\n"
		       "00401000-00403000 r-xp 00001000 08:01 17                  /bin/x y\n"
		       "nonsense\n"
		       "7f0000000000-7f0000001000 r-xp 00000000 00:00 0 \n"
		       "7ffff7fc1000-7ffff7fc3000 r-xp 00000000 00:00 0 [vdso]");
	ck_assert_str_eq(file_at(5, 0x400fff), "none");
	ck_assert_str_eq(file_at(5, 0x401000), "/bin/x y");
	ck_assert_str_eq(file_at(5, 0x402fff), "/bin/x y");
	ck_assert_str_eq(file_at(5, 0x403000), "none");
	ck_assert_str_eq(file_at(5, 0x7f0000000000), "//anon");
	ck_assert_str_eq(file_at(5, 0x7ffff7fc1000), "[vdso]");
	ck_assert_uint_eq(cpu_maps_find(cpu_maps_process(&maps, 5), 0x401000)->offset, 0x1000);
	ck_assert_uint_eq(cpu_maps_find(cpu_maps_process(&maps, 5), 0x401000)->file->inode, 17);
}
END_TEST

START_TEST(a_new_mapping_replaces_what_lay_there)
{
	struct cpu_process_map *p = cpu_maps_process(&maps, 5);

	cpu_maps_add(&maps, p, 0x1000, 0x9000, 0, 1, "/old");
	cpu_maps_add(&maps, p, 0x3000, 0x5000, 0, 2, "/new");
	ck_assert_str_eq(file_at(5, 0x2fff), "/old");
	ck_assert_str_eq(file_at(5, 0x3000), "/new");
	ck_assert_str_eq(file_at(5, 0x4fff), "/new");
	ck_assert_str_eq(file_at(5, 0x5000), "/old");
	ck_assert_uint_eq(p->n, 3);
	cpu_maps_add(&maps, p, 0, 0x10000, 0, 3, "/all");
	ck_assert_uint_eq(p->n, 1);
	ck_assert_str_eq(file_at(5, 0x5000), "/all");
	cpu_maps_add(&maps, p, 7, 7, 0, 3, "/nothing");
	ck_assert_uint_eq(p->n, 1);
}
END_TEST

START_TEST(a_child_begins_as_its_parent_and_goes_its_own_way)
{
	cpu_maps_add(&maps, cpu_maps_process(&maps, 5), 0x1000, 0x2000, 0, 1, "/a");
	cpu_maps_fork(&maps, 5, 6);
	cpu_maps_fork(&maps, 5, 5);
	cpu_maps_add(&maps, cpu_maps_process(&maps, 6), 0x1000, 0x2000, 0, 2, "/b");
	ck_assert_str_eq(file_at(5, 0x1000), "/a");
	ck_assert_str_eq(file_at(6, 0x1000), "/b");
	cpu_maps_clear(cpu_maps_process(&maps, 6));
	ck_assert_str_eq(file_at(6, 0x1000), "none");
}
END_TEST

START_TEST(the_same_place_of_the_same_file_is_one_region)
{
	cpu_maps_add(&maps, cpu_maps_process(&maps, 5), 0x1000, 0x2000, 0, 1, "/a");
	cpu_maps_add(&maps, cpu_maps_process(&maps, 6), 0x1000, 0x2000, 0, 1, "/a");
	cpu_maps_add(&maps, cpu_maps_process(&maps, 7), 0x1000, 0x2000, 0, 2, "/a");
	ck_assert_ptr_eq(cpu_maps_find(cpu_maps_process(&maps, 5), 0x1000),
			 cpu_maps_find(cpu_maps_process(&maps, 6), 0x1000));
	ck_assert_ptr_ne(cpu_maps_find(cpu_maps_process(&maps, 5), 0x1000),
			 cpu_maps_find(cpu_maps_process(&maps, 7), 0x1000));
}
END_TEST

START_TEST(our_own_mappings_hold_our_own_code)
{
	ck_assert_int_eq(cpu_maps_read(&maps, getpid()), 0);
	ck_assert_str_ne(file_at(getpid(), (uint64_t)(uintptr_t)cpu_maps_read), "none");
	ck_assert_int_lt(cpu_maps_read(&maps, 0x7ffffff0), 0);
}
END_TEST

START_TEST(the_kernels_functions_are_found_between_their_beginnings)
{
	struct cpu_kernel k = CPU_KERNEL_INIT;

	cpu_kernel_parse(&k, "ffffffff81002000 t second\n"
			     "ffffffff81000000 T first\n"
			     "ffffffff81001000 D data\n"
			     "ffffffffc0000000 t third\t[module]\n"
			     "0000000000000000 T hidden\n"
			     "rubbish\n\nffffffff81003000 T");
	ck_assert_uint_eq(k.n, 3);
	ck_assert_ptr_null(cpu_kernel_function(&k, 0xffffffff80ffffff));
	ck_assert_str_eq(cpu_kernel_function(&k, 0xffffffff81001234), "first");
	ck_assert_str_eq(cpu_kernel_function(&k, 0xffffffff81002000), "second");
	ck_assert_str_eq(cpu_kernel_function(&k, UINT64_MAX), "third");
	cpu_kernel_fini(&k);
}
END_TEST

START_TEST(a_refusal_says_what_would_help)
{
	struct error e = ERROR_INIT;

	cpu_refusal(EACCES, "3", &e);
	ck_assert_int_eq(e.code, ERROR_PLATFORM_FEATURE);
	ck_assert_ptr_nonnull(strstr(e.message, "kernel.perf_event_paranoid = 3"));
	ck_assert_ptr_nonnull(strstr(e.message, "CAP_PERFMON"));
	cpu_refusal(ENOSYS, "", &e);
	ck_assert_ptr_nonnull(strstr(e.message, "has no perf_event_open"));
	cpu_refusal(EMFILE, "2", &e);
	ck_assert_int_eq(e.code, ERROR_RESOURCE_FDS);
	error_fini(&e);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		only_executable_mappings_are_read, a_new_mapping_replaces_what_lay_there,
		a_child_begins_as_its_parent_and_goes_its_own_way,
		the_same_place_of_the_same_file_is_one_region, our_own_mappings_hold_our_own_code,
		the_kernels_functions_are_found_between_their_beginnings,
		a_refusal_says_what_would_help,
	};

	return unit_run_in("profile: mappings", setup, teardown, tests, ARRAY_LEN(tests));
}
