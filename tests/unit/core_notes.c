/* core/notes: what is too long for the memory survives whatever happens to its file. */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "core/notes.h"
#include "unit.h"

static struct notes n;
static int fd;

static void quiet(void *ctx, enum log_level level, const char *subsystem, const char *message)
{
	(void)ctx;
	(void)level;
	(void)subsystem;
	(void)message;
}

static void setup(void)
{
	log_set_sink(quiet, NULL);
	fd = memfd_create("notes", 0);
	notes_open(&n, fd);
}

static void teardown(void)
{
	notes_close(&n);
	close(fd);
}

static void put(uint32_t slot, uint64_t id, const char *status)
{
	struct note note = { .id = id, .cause = 7, .errnum = 2 };

	snprintf(note.status, sizeof(note.status), "%s", status);
	ck_assert(notes_room(&n, slot));
	notes_store(&n, slot, &note);
}

static const char *get(uint32_t slot, uint64_t id)
{
	static struct note note;

	if (!notes_load(&n, slot, id, &note))
		return "-";
	ck_assert_uint_eq(note.cause, 7);
	ck_assert_int_eq(note.errnum, 2);
	return note.status;
}

START_TEST(the_last_one_counts)
{
	put(3, 1, "first");
	ck_assert_str_eq(get(3, 1), "first");
	put(3, 1, "second");
	put(3, 1, "third");
	notes_close(&n);
	notes_open(&n, fd);
	ck_assert_str_eq(get(3, 1), "third");
	/* neither a hole, nor what is behind the end, nor somebody else's */
	ck_assert_str_eq(get(0, 1), "-");
	ck_assert_str_eq(get(4, 1), "-");
	ck_assert_str_eq(get(99999, 1), "-");
	ck_assert_str_eq(get(3, 2), "-");
}
END_TEST

START_TEST(each_flipped_bit_leaves_the_last_or_the_one_before)
{
	unsigned char saved[2 * sizeof(struct note)];

	put(0, 1, "before");
	put(0, 1, "last");
	ck_assert_int_eq(pread(fd, saved, sizeof(saved), 0), sizeof(saved));
	for (size_t bit = 0; bit < sizeof(saved) * 8; bit++) {
		unsigned char byte = saved[bit / 8] ^ (unsigned char)(1u << bit % 8);
		const char *got;

		ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)(bit / 8)), 1);
		got = get(0, 1);
		if (strcmp(got, "last") != 0)
			ck_assert_str_eq(got, "before");
		ck_assert_int_eq(pwrite(fd, &saved[bit / 8], 1, (off_t)(bit / 8)), 1);
	}
}
END_TEST

START_TEST(only_what_has_a_note_takes_room)
{
	struct stat st;

	put(50000, 1, "far away");
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_le(st.st_blocks * 512, 3 * 4096);
	ck_assert_str_eq(get(50000, 1), "far away");
}
END_TEST

START_TEST(without_a_file_or_room_nothing_is_kept)
{
	struct notes none;
	struct note note;

	notes_open(&none, -1);
	ck_assert(!notes_room(&none, 0));
	ck_assert(!notes_load(&none, 0, 1, &note));
	notes_close(&none);
	ck_assert(!notes_room(&n, UINT32_MAX));
	put(0, 1, "x");
	ck_assert_int_eq(ftruncate(fd, 100), 0);
	ck_assert_str_eq(get(0, 1), "-");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		the_last_one_counts, each_flipped_bit_leaves_the_last_or_the_one_before,
		only_what_has_a_note_takes_room, without_a_file_or_room_nothing_is_kept,
	};

	return unit_run_in("core: notes", setup, teardown, tests, ARRAY_LEN(tests));
}
