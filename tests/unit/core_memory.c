/* The memory file survives whatever happens to it. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "core/memory.h"
#include "unit.h"

#define USED_SLOTS 3
#define SIZE ((USED_SLOTS + 1) * 512)	/* the part that holds something */

static struct memory m;
static int fd;

static void quiet(void *ctx, enum log_level level, const char *subsystem, const char *message)
{
	(void)ctx;
	(void)level;
	(void)subsystem;
	(void)message;
}

static void put(uint32_t slot, const char *name, uint64_t id, uint32_t attempt)
{
	struct memory_entry e = { .id = id, .attempt = attempt, .flags = MEMORY_USED };

	snprintf(e.name, sizeof(e.name), "%s", name);
	memory_store(&m, slot, &e);
}

static void setup(void)
{
	struct memory_head h = { .next_id = 4, .next_spawn_id = 44 };

	log_set_sink(quiet, NULL);
	fd = memfd_create("memory", 0);
	memory_open(&m, fd);
	ck_assert(!m.head_valid);
	memory_store_head(&m, &h);
	put(0, "a", 1, 10);
	put(1, "b", 2, 20);
	put(2, "c", 3, 30);
}

static void teardown(void)
{
	memory_close(&m);
	close(fd);
}

static void reopen(void)
{
	memory_close(&m);
	memory_open(&m, fd);
}

START_TEST(what_was_stored_is_there_again)
{
	struct memory_entry e;
	struct memory_head h;

	reopen();
	ck_assert(m.head_valid);
	ck_assert_uint_eq(m.dropped, 0);
	ck_assert(memory_load_head(&m, &h));
	ck_assert_uint_eq(h.next_spawn_id, 44);
	ck_assert(memory_load(&m, 1, &e));
	ck_assert_str_eq(e.name, "b");
	ck_assert_uint_eq(e.attempt, 20);
	ck_assert(!memory_load(&m, 3, &e));
	ck_assert(!memory_load(&m, 100000, &e));
}
END_TEST

START_TEST(the_newest_copy_counts)
{
	struct memory_entry e;

	for (uint32_t i = 0; i < 9; i++) {
		put(1, "b", 2, i);
		reopen();
		ck_assert(memory_load(&m, 1, &e));
		ck_assert_uint_eq(e.attempt, i);
	}
}
END_TEST

START_TEST(a_torn_write_leaves_the_entry_before_it)
{
	unsigned char before[512], after[512];
	struct memory_entry e;

	put(1, "b", 2, 21);
	ck_assert_int_eq(pread(fd, before, 512, 2 * 512), 512);
	put(1, "b", 2, 22);
	ck_assert_int_eq(pread(fd, after, 512, 2 * 512), 512);
	for (size_t cut = 0; cut <= 512; cut++) {
		/* The write got as far as CUT. */
		unsigned char torn[512];

		memcpy(torn, before, 512);
		memcpy(torn, after, cut);
		ck_assert_int_eq(pwrite(fd, torn, 512, 2 * 512), 512);
		reopen();
		ck_assert(memory_load(&m, 1, &e));
		ck_assert_str_eq(e.name, "b");
		ck_assert(e.attempt == 21 || e.attempt == 22);
		ck_assert_uint_eq(m.dropped, 0);
	}
}
END_TEST

/* Two copies of everything, so that a wrong one could pass for the newest. */
static void store_twice(void)
{
	struct memory_head h = { .next_id = 4, .next_spawn_id = 45 };

	memory_store_head(&m, &h);
	for (uint32_t slot = 0; slot < USED_SLOTS; slot++) {
		char name[2] = { (char)('a' + slot), '\0' };

		put(slot, name, slot + 1, (slot + 1) * 10 + 1);
	}
}

START_TEST(no_flipped_bit_is_believed_without_a_word)
{
	unsigned char good[SIZE], bad[SIZE];

	store_twice();
	ck_assert_int_eq(pread(fd, good, SIZE, 0), SIZE);
	for (size_t bit = 0; bit < 8 * SIZE; bit++) {
		uint32_t older = 0;
		struct memory_entry e;
		struct memory_head h;

		memcpy(bad, good, SIZE);
		bad[bit / 8] ^= (unsigned char)(1u << bit % 8);
		ck_assert_int_eq(pwrite(fd, bad, SIZE, 0), SIZE);
		reopen();
		for (uint32_t slot = 0; slot < USED_SLOTS; slot++) {
			ck_assert(memory_load(&m, slot, &e));
			ck_assert_int_eq(e.name[0], (int)('a' + slot));
			older += e.attempt == (slot + 1) * 10;
			ck_assert(e.attempt == (slot + 1) * 10 || e.attempt == (slot + 1) * 10 + 1);
		}
		ck_assert(memory_load_head(&m, &h) && m.head_valid);
		older += h.next_spawn_id == 44;
		ck_assert(h.next_spawn_id == 44 || h.next_spawn_id == 45);
		/* said, even if it was the copy that does not count */
		ck_assert_uint_eq(m.older, 1);
		ck_assert_uint_le(older, 1);
		ck_assert(!m.unusable && !m.cut && m.dropped == 0);
		if (bit / 8 >= 1024)	/* the entries are all alike: one bit in each byte */
			bit += 6;
	}
}
END_TEST

START_TEST(every_flipped_byte_of_a_single_copy_is_survived)
{
	unsigned char good[SIZE], bad[SIZE];

	ck_assert_int_eq(pread(fd, good, SIZE, 0), SIZE);
	for (size_t i = 0; i < SIZE; i++) {
		struct memory_entry e;

		memcpy(bad, good, SIZE);
		bad[i] ^= 0x5a;
		ck_assert_int_eq(pwrite(fd, bad, SIZE, 0), SIZE);
		reopen();
		for (uint32_t slot = 0; slot < USED_SLOTS; slot++) {
			/* Either as stored, or dropped; never something else. */
			if (memory_load(&m, slot, &e)) {
				ck_assert_uint_eq(e.attempt, (slot + 1) * 10);
				ck_assert_int_eq(e.name[0], (int)('a' + slot));
			} else {
				ck_assert(i / 512 == slot + 1 && m.dropped == 1);
			}
		}
		ck_assert(m.head_valid || i < 512);
		ck_assert(m.unusable == !m.head_valid);
		ck_assert(m.dropped + m.older + m.unusable == 1);
	}
}
END_TEST

START_TEST(every_cut_is_survived_and_noticed)
{
	static unsigned char good[512 * 66];
	ssize_t size = pread(fd, good, sizeof(good), 0);

	ck_assert_int_gt(size, SIZE);
	for (off_t cut = 0; cut < size; cut += cut < SIZE + 512 ? 1 : 61) {
		struct memory_entry e;

		memory_close(&m);
		ck_assert_int_eq(ftruncate(fd, 0), 0);
		ck_assert_int_eq(pwrite(fd, good, (size_t)cut, 0), cut);
		memory_open(&m, fd);
		ck_assert(m.cut || m.unusable || cut == 0);
		ck_assert(m.head_valid || cut < 256);
		for (uint32_t slot = 0; slot < USED_SLOTS; slot++)
			if (memory_load(&m, slot, &e))
				ck_assert_uint_eq(e.attempt, (slot + 1) * 10);
			else
				ck_assert_int_lt(cut, 512 * (int)(slot + 2));
		put(2, "z", 9, 90);	/* and it can be used again */
		ck_assert(memory_load(&m, 2, &e));
		ck_assert_uint_eq(e.attempt, 90);
	}
}
END_TEST

START_TEST(a_look_at_the_head_changes_nothing)
{
	struct memory_head h;
	unsigned char noise[512];
	struct stat st;

	ck_assert(memory_peek(fd, &h));
	ck_assert_uint_eq(h.next_spawn_id, 44);
	ck_assert(!memory_peek(-1, &h));
	memset(noise, 0xa5, sizeof(noise));
	ck_assert_int_eq(ftruncate(fd, 600), 0);
	ck_assert_int_eq(pwrite(fd, noise, 512, 0), 512);
	ck_assert(!memory_peek(fd, &h));
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_size, 600);
}
END_TEST

START_TEST(an_entry_with_two_bad_copies_is_dropped_and_counted)
{
	unsigned char noise[512];
	struct memory_entry e;

	memset(noise, 0xa5, sizeof(noise));
	ck_assert_int_eq(pwrite(fd, noise, 512, 2 * 512), 512);
	reopen();
	ck_assert_uint_eq(m.dropped, 1);
	ck_assert(!memory_load(&m, 1, &e));
	ck_assert(memory_load(&m, 2, &e));
}
END_TEST

START_TEST(a_name_without_end_is_refused)
{
	struct memory_entry e = { .flags = MEMORY_USED };

	memset(e.name, 'x', sizeof(e.name));
	memory_store(&m, 0, &e);
	ck_assert(!memory_load(&m, 0, &e));
}
END_TEST

START_TEST(another_boots_memory_is_wiped)
{
	struct memory_head h;
	struct memory_entry e;

	m.boot_id[0] = m.boot_id[0] == 'x' ? 'y' : 'x';
	ck_assert(memory_load_head(&m, &h));
	memory_store_head(&m, &h);
	memory_store_head(&m, &h);
	reopen();
	ck_assert(!m.head_valid);
	ck_assert(!memory_load(&m, 0, &e));
}
END_TEST

START_TEST(a_cleared_slot_stays_empty)
{
	struct memory_entry e;

	memory_clear(&m, 1);
	reopen();
	ck_assert(!memory_load(&m, 1, &e));
	ck_assert_uint_eq(m.dropped, 0);
	memory_wipe(&m);
	ck_assert(!memory_load(&m, 0, &e));
}
END_TEST

START_TEST(it_grows_with_the_slots)
{
	struct memory_entry e;
	struct stat st;

	put(5000, "far", 7, 7);
	reopen();
	ck_assert(memory_load(&m, 5000, &e));
	ck_assert_str_eq(e.name, "far");
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_lt(st.st_size, 6000 * 512);
}
END_TEST

START_TEST(without_a_file_nothing_is_kept_and_nothing_breaks)
{
	struct memory none;
	struct memory_entry e = { .flags = MEMORY_USED, .name = "x" };
	struct memory_head h = { .next_id = 1 };

	memory_open(&none, -1);
	memory_store(&none, 0, &e);
	memory_store_head(&none, &h);
	memory_clear(&none, 0);
	memory_wipe(&none);
	ck_assert(!memory_load(&none, 0, &e));
	ck_assert(!memory_load_head(&none, &h));
	memory_close(&none);
}
END_TEST

START_TEST(a_full_disk_costs_the_memory_not_the_daemon)
{
	struct memory full;
	struct memory_entry e = { .flags = MEMORY_USED, .name = "x" };
	int small = memfd_create("small", MFD_ALLOW_SEALING);

	/* A file that may not grow stands for a file system without room. */
	ck_assert_int_eq(ftruncate(small, 65 * 512), 0);
	ck_assert_int_eq(fcntl(small, F_ADD_SEALS, F_SEAL_GROW), 0);
	memory_open(&full, small);
	memory_store(&full, 10, &e);
	ck_assert(memory_load(&full, 10, &e));
	memory_store(&full, 1000, &e);
	ck_assert(!memory_load(&full, 1000, &e));
	ck_assert(full.full);
	memory_close(&full);
	close(small);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		what_was_stored_is_there_again, the_newest_copy_counts,
		a_torn_write_leaves_the_entry_before_it,
		no_flipped_bit_is_believed_without_a_word, a_look_at_the_head_changes_nothing,
		every_flipped_byte_of_a_single_copy_is_survived, every_cut_is_survived_and_noticed,
		an_entry_with_two_bad_copies_is_dropped_and_counted,
		a_name_without_end_is_refused, another_boots_memory_is_wiped,
		a_cleared_slot_stays_empty, it_grows_with_the_slots,
		without_a_file_nothing_is_kept_and_nothing_breaks,
		a_full_disk_costs_the_memory_not_the_daemon,
	};

	return unit_run_in("core: memory", setup, teardown, tests, ARRAY_LEN(tests));
}
