/* Records as the kernel lays them out, and records as it would never write them. */
#include "profile/cpu_ring.h"

#include <linux/perf_event.h>

#include "unit.h"

struct writer {
	uint64_t bytes[64];
	size_t n;	/* bytes */
};

static void put(struct writer *w, const void *bytes, size_t n)
{
	memcpy((char *)w->bytes + w->n, bytes, n);
	w->n += n;
}

static void put32(struct writer *w, uint32_t value)
{
	put(w, &value, sizeof(value));
}

static void put64(struct writer *w, uint64_t value)
{
	put(w, &value, sizeof(value));
}

static struct writer record(uint32_t type, uint16_t misc)
{
	struct writer w = { .n = 0 };
	struct perf_event_header h = { .type = type, .misc = misc };

	put(&w, &h, sizeof(h));
	return w;
}

/* What sample_id_all adds, and the size. */
static size_t finish(struct writer *w, bool trailer, uint64_t time)
{
	struct perf_event_header *h = (void *)w->bytes;

	if (trailer) {
		put32(w, 1);
		put32(w, 1);
		put64(w, time);
	}
	h->size = (uint16_t)w->n;
	return w->n;
}

static size_t parse(const struct writer *w, size_t n, struct cpu_record *out)
{
	return cpu_record_parse((const char *)w->bytes, n, out);
}

START_TEST(a_sample_has_a_thread_a_time_and_a_chain)
{
	struct writer w = record(PERF_RECORD_SAMPLE, 0);
	struct cpu_record r;

	put32(&w, 10);
	put32(&w, 11);
	put64(&w, 777);
	put64(&w, 3);
	put64(&w, (uint64_t)PERF_CONTEXT_USER);
	put64(&w, 0x1000);
	put64(&w, 0x2000);
	ck_assert_uint_eq(parse(&w, finish(&w, false, 0), &r), w.n);
	ck_assert_int_eq(r.kind, CPU_RECORD_SAMPLE);
	ck_assert_int_eq(r.pid, 10);
	ck_assert_int_eq(r.tid, 11);
	ck_assert_uint_eq(r.time_ns, 777);
	ck_assert_uint_eq(r.nchain, 3);
	ck_assert_uint_eq(r.chain[2], 0x2000);
}
END_TEST

START_TEST(a_chain_longer_than_its_record_is_no_sample)
{
	struct writer w = record(PERF_RECORD_SAMPLE, 0);
	struct cpu_record r;

	put32(&w, 10);
	put32(&w, 11);
	put64(&w, 777);
	put64(&w, UINT64_MAX / 8);
	put64(&w, 1);
	ck_assert_uint_eq(parse(&w, finish(&w, false, 0), &r), w.n);
	ck_assert_int_eq(r.kind, CPU_RECORD_OTHER);
}
END_TEST

START_TEST(a_mapping_has_its_place_and_its_file)
{
	struct writer w = record(PERF_RECORD_MMAP2, 0);
	struct cpu_record r;

	put32(&w, 10);
	put32(&w, 11);
	put64(&w, 0x400000);
	put64(&w, 0x1000);
	put64(&w, 0x200);
	put32(&w, 8);
	put32(&w, 1);
	put64(&w, 4711);
	put64(&w, 0);
	put32(&w, 5);
	put32(&w, 2);
	put(&w, "/bin/cat\0\0\0\0\0\0\0", 16);
	parse(&w, finish(&w, true, 99), &r);
	ck_assert_int_eq(r.kind, CPU_RECORD_MAP);
	ck_assert_uint_eq(r.start, 0x400000);
	ck_assert_uint_eq(r.length, 0x1000);
	ck_assert_uint_eq(r.offset, 0x200);
	ck_assert_uint_eq(r.inode, 4711);
	ck_assert_str_eq(r.text, "/bin/cat");
	ck_assert_uint_eq(r.time_ns, 99);
}
END_TEST

START_TEST(a_fork_names_both_threads_and_both_processes)
{
	struct writer w = record(PERF_RECORD_FORK, 0);
	struct cpu_record r;

	put32(&w, 20);
	put32(&w, 10);
	put32(&w, 21);
	put32(&w, 11);
	put64(&w, 5);
	parse(&w, finish(&w, true, 5), &r);
	ck_assert_int_eq(r.kind, CPU_RECORD_FORK);
	ck_assert_int_eq(r.pid, 20);
	ck_assert_int_eq(r.parent_pid, 10);
	ck_assert_int_eq(r.tid, 21);
	ck_assert_int_eq(r.parent_tid, 11);
}
END_TEST

START_TEST(a_new_name_by_exec_is_told_from_another)
{
	struct writer w = record(PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC);
	struct cpu_record r;

	put32(&w, 20);
	put32(&w, 21);
	put(&w, "cat\0\0\0\0", 8);
	parse(&w, finish(&w, true, 5), &r);
	ck_assert_int_eq(r.kind, CPU_RECORD_NAME);
	ck_assert_str_eq(r.text, "cat");
	ck_assert(r.exec);
	w = record(PERF_RECORD_COMM, 0);
	put32(&w, 20);
	put32(&w, 21);
	put(&w, "cat\0\0\0\0", 8);
	parse(&w, finish(&w, true, 5), &r);
	ck_assert(!r.exec);
}
END_TEST

START_TEST(what_was_lost_is_counted_by_the_kernel)
{
	struct writer w = record(PERF_RECORD_LOST, 0);
	struct cpu_record r;

	put64(&w, 1);
	put64(&w, 42);
	parse(&w, finish(&w, true, 5), &r);
	ck_assert_int_eq(r.kind, CPU_RECORD_LOST);
	ck_assert_uint_eq(r.lost, 42);
}
END_TEST

START_TEST(half_a_record_and_a_strange_size_are_none)
{
	struct writer w = record(PERF_RECORD_EXIT, 0);
	struct perf_event_header *h = (void *)w.bytes;
	struct cpu_record r;
	size_t n;

	put64(&w, 1);
	n = finish(&w, true, 5);
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(parse(&w, i, &r), 0);
	h->size = 4;
	ck_assert_uint_eq(parse(&w, n, &r), 0);
	h->size = (uint16_t)(n - 1);
	ck_assert_uint_eq(parse(&w, n, &r), 0);
	h->size = 8;	/* nothing behind the header */
	ck_assert_uint_eq(parse(&w, n, &r), 8);
	ck_assert_int_eq(r.kind, CPU_RECORD_OTHER);
}
END_TEST

UNIT_MAIN("profile: records of perf rings", a_sample_has_a_thread_a_time_and_a_chain,
	  a_chain_longer_than_its_record_is_no_sample, a_mapping_has_its_place_and_its_file,
	  a_fork_names_both_threads_and_both_processes, a_new_name_by_exec_is_told_from_another,
	  what_was_lost_is_counted_by_the_kernel, half_a_record_and_a_strange_size_are_none)
