/* What the log thread left behind, with every bit of its headers flipped and cut at every length: it
 * is believed only where it says what was written. Not covered by any check, on purpose: the bytes
 * of the captured text, the padding, and what follows the end of a name. */
#include "output/state.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "output/ring.h"
#include "unit.h"

#define FILE_NAME "1.out"
#define BAD ".bad"

static char base[64];
static int dirfd_;

static void quiet(void *ctx, enum log_level level, const char *subsystem, const char *text)
{
	(void)ctx;
	(void)level;
	(void)subsystem;
	(void)text;
}

static void setup(void)
{
	snprintf(base, sizeof base, "%s/damage-unit-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(base));
	dirfd_ = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dirfd_, 0);
	log_set_sink(quiet, NULL);
}

static void teardown(void)
{
	static const char *const files[] = { FILE_NAME, FILE_NAME BAD, "output.state",
					     "output.state" BAD, "log" };

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		unlinkat(dirfd_, files[i], 0);
	close(dirfd_);
	rmdir(base);
}

static bool there(const char *file)
{
	return faccessat(dirfd_, file, F_OK, 0) == 0;
}

static void flip(const char *file, size_t bit)
{
	int fd = openat(dirfd_, file, O_RDWR | O_CLOEXEC);
	unsigned char byte;

	ck_assert_int_eq(pread(fd, &byte, 1, (off_t)(bit / 8)), 1);
	byte ^= (unsigned char)(1u << bit % 8);
	ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)(bit / 8)), 1);
	close(fd);
}

/* --- a ring --------------------------------------------------------------------------------------- */

static void make_ring(void)
{
	static const char text[] = "one\ntwo\nthree\n";
	struct ring r;
	size_t available;
	int fds[2];

	unlinkat(dirfd_, FILE_NAME, 0);
	unlinkat(dirfd_, FILE_NAME BAD, 0);
	ck_assert_int_eq(ring_open(&r, dirfd_, FILE_NAME, "web", true), 0);
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(write(fds[1], text, sizeof text - 1), (ssize_t)(sizeof text - 1));
	ck_assert_int_eq(ring_capture(&r, fds[0], &available), (ssize_t)(sizeof text - 1));
	ring_advance(&r, 4);
	ring_lost_add(&r, 5);
	close(fds[0]);
	close(fds[1]);
	ring_close(&r);
}

static bool ring_is_true(const struct ring *r)
{
	size_t len;
	const char *data = ring_span(r, &len);

	return ring_head(r) == 14 && ring_written(r) == 4 && ring_lost_unsaid(r) == 5 &&
	       len == 10 && memcmp(data, "two\nthree\n", 10) == 0 && strcmp(r->header->owner, "web") == 0;
}

static bool ring_is_empty(const struct ring *r)
{
	return ring_head(r) == 0 && ring_written(r) == 0 && ring_lost_unsaid(r) == 0;
}

START_TEST(no_flipped_bit_of_a_ring_is_believed)
{
	size_t used = offsetof(struct ring_header, run_from) + 8, believed = 0;

	make_ring();
	for (size_t bit = 0; bit < 8 * used; bit++) {
		struct ring r;

		flip(FILE_NAME, bit);
		ck_assert_int_eq(ring_open(&r, dirfd_, FILE_NAME, "web", true), 0);
		if (r.set_aside) {
			ck_assert(there(FILE_NAME BAD) && ring_is_empty(&r));
		} else if (r.replaced) {	/* the name is another one now */
			ck_assert(ring_is_empty(&r));
		} else {
			ck_assert_msg(ring_is_true(&r), "bit %zu", bit);
			believed++;
		}
		ring_close(&r);
		make_ring();
	}
	/* behind the name's end, and 32 bits of padding */
	ck_assert_uint_eq(believed, 8 * (NAME_CAP - sizeof "web") + 32);
}
END_TEST

START_TEST(a_ring_cut_anywhere_is_set_aside)
{
	struct stat st;
	off_t cut = 0;

	make_ring();
	ck_assert_int_eq(fstatat(dirfd_, FILE_NAME, &st, 0), 0);
	while (cut < st.st_size) {
		struct ring r;
		int fd = openat(dirfd_, FILE_NAME, O_RDWR | O_CLOEXEC);

		ck_assert_int_eq(ftruncate(fd, cut), 0);
		close(fd);
		ck_assert_int_eq(ring_open(&r, dirfd_, FILE_NAME, "web", true), 0);
		ck_assert(r.set_aside && ring_is_empty(&r));
		ring_close(&r);
		make_ring();
		/* every one of the header and of the first data; one size is as wrong as the other */
		cut += cut < 4096 + 64 ? 1 : 997;
	}
}
END_TEST

/* --- output.state --------------------------------------------------------------------------------- */

/* As a log thread that was killed between the write and the note about it. */
static void make_state(bool writing)
{
	struct target t = { .fd = -1, .number = -1 };
	struct state *st;

	unlinkat(dirfd_, "output.state", 0);
	unlinkat(dirfd_, "output.state" BAD, 0);
	st = state_open(dirfd_);
	atomic_store(&st->sink_active, sealed_make(1));
	atomic_store(&st->sink_seq, sealed_make(4711));
	t.file.fd = openat(dirfd_, "log", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(t.file.fd, 0);
	if (writing) {
		char path[STATE_PATH_CAP];

		snprintf(path, sizeof path, "%s/log", base);
		t.file.path = path;
		state_begin(st, FILE_NAME, 8, &t, 4);
		ck_assert_uint_ne(atomic_load(&st->check), 0);
		ck_assert_int_eq(write(t.file.fd, "two\n", 4), 4);
	}
	close(t.file.fd);
	state_close(st);
}

static bool state_is_new(const struct state *st)
{
	return sealed_value(st->sink_active) == 0 && sealed_value(st->sink_seq) == 0 &&
	       atomic_load(&st->check) == 0;
}

static off_t log_size(void)
{
	struct stat st;

	ck_assert_int_eq(fstatat(dirfd_, "log", &st, 0), 0);
	return st.st_size;
}

static void flip_states(bool writing)
{
	size_t noticed = 0;

	for (size_t bit = 0; bit < 8 * sizeof(struct state); bit++) {
		struct state *st;
		struct ring r;

		make_ring();
		make_state(writing);
		flip("output.state", bit);
		st = state_open(dirfd_);
		if (there("output.state" BAD)) {
			ck_assert(state_is_new(st));
			noticed++;
		} else {
			ck_assert_uint_eq(sealed_value(st->sink_active), 1);
			ck_assert_uint_eq(sealed_value(st->sink_seq), 4711);
			ck_assert_int_eq(atomic_load(&st->check) != 0, writing);
		}
		state_settle(st, dirfd_);
		ck_assert_uint_eq(atomic_load(&st->check), 0);
		/* The file is as it was, and the ring knows of the write or does not. */
		ck_assert_int_eq(log_size(), writing ? 4 : 0);
		ck_assert_int_eq(ring_open(&r, dirfd_, FILE_NAME, "web", false), 0);
		ck_assert_uint_eq(ring_written(&r),
				  writing && !there("output.state" BAD) ? 8 : 4);
		ring_close(&r);
		state_close(st);
		if (bit / 8 > offsetof(struct state, path) + 128 &&
		    bit / 8 < offsetof(struct state, sink_active) - 16)
			bit += 60;	/* behind the path's end */
	}
	ck_assert_uint_gt(noticed, 8 * (8 + 4 + 4 + 8 + 8 + 8) - 8);
}

START_TEST(no_flipped_bit_of_a_write_under_way_is_believed)
{
	flip_states(true);
}
END_TEST

START_TEST(no_flipped_bit_makes_up_a_write)
{
	flip_states(false);
}
END_TEST

START_TEST(a_state_cut_anywhere_is_set_aside)
{
	for (off_t cut = 1; cut < (off_t)sizeof(struct state); cut++) {
		struct state *st;
		int fd;

		make_state(true);
		fd = openat(dirfd_, "output.state", O_RDWR | O_CLOEXEC);
		ck_assert_int_eq(ftruncate(fd, cut), 0);
		close(fd);
		st = state_open(dirfd_);
		ck_assert(there("output.state" BAD) && state_is_new(st));
		state_close(st);
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		no_flipped_bit_of_a_ring_is_believed, a_ring_cut_anywhere_is_set_aside,
		no_flipped_bit_of_a_write_under_way_is_believed, no_flipped_bit_makes_up_a_write,
		a_state_cut_anywhere_is_set_aside,
	};

	return unit_run_in("output: damage", setup, teardown, tests, ARRAY_LEN(tests));
}
