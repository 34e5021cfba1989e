/* The capture ring, and what a successor makes of it after each step at which its owner may die. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "output/ring.h"

#include "unit.h"

static bool cannot_reserve;

/* In place of libc's: some file systems (9p, NFS before 4.2, FUSE) have nothing of the kind. */
int fallocate(int fd, int mode, off_t from, off_t n)
{
	if (!cannot_reserve)
		return (int)syscall(SYS_fallocate, fd, mode, from, n);
	errno = EOPNOTSUPP;
	return -1;
}

static char dir[] = "/tmp/procd-ring-XXXXXX";
static int dirfd_, in, out;
static struct ring ring;

static void open_ring(const char *owner)
{
	ck_assert_int_eq(ring_open(&ring, dirfd_, "1.out", owner, true), 0);
}

static void setup(void)
{
	int fds[2];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	out = fds[0];
	in = fds[1];
	open_ring("web");
}

static void teardown(void)
{
	ring_close(&ring);
	unlinkat(dirfd_, "1.out", 0);
	unlinkat(dirfd_, "1.out.bad", 0);
	close(dirfd_);
	close(in);
	close(out);
	rmdir(dir);
}

static void put(const char *bytes, size_t n)
{
	ck_assert_int_eq(fd_write_all(in, bytes, n), 0);
}

static void capture(const char *text)
{
	size_t available;

	put(text, strlen(text));
	ck_assert_int_eq(ring_capture(&ring, out, &available), (ssize_t)strlen(text));
}

static void expect_span(const char *expected)
{
	size_t len;
	const char *data = ring_span(&ring, &len);

	ck_assert_uint_eq(len, strlen(expected));
	ck_assert_mem_eq(data, expected, len);
}

static void reopen(void)
{
	ring_close(&ring);
	open_ring("web");
	ring_recover(&ring, out);
	ck_assert_uint_eq(sealed_value(ring.header->claim), ring_head(&ring));
}

START_TEST(what_was_captured_and_not_forwarded_is_there_again)
{
	capture("one\ntwo\n");
	ring_advance(&ring, 4);
	reopen();
	expect_span("two\n");
}
END_TEST

START_TEST(another_owner_does_not_inherit_it)
{
	capture("one\n");
	ring_close(&ring);
	open_ring("db");
	ck_assert(ring.replaced && !ring.set_aside);
	expect_span("");
}
END_TEST

START_TEST(no_ring_is_made_by_looking)
{
	struct ring other;

	ck_assert_int_eq(ring_open(&other, dirfd_, "2.out", "web", false), -ENOENT);
	ck_assert_int_eq(faccessat(dirfd_, "2.out", F_OK, 0), -1);
}
END_TEST

START_TEST(a_damaged_header_is_set_aside)
{
	capture("one\n");
	atomic_store(&ring.header->written, sealed_make(1u << 20));
	reopen();
	ck_assert(ring.set_aside);
	expect_span("");
}
END_TEST

START_TEST(a_truncated_file_is_set_aside_and_never_touched)
{
	ck_assert_int_eq(ftruncate(openat(dirfd_, "1.out", O_RDWR | O_CLOEXEC), 100), 0);
	reopen();
	ck_assert(ring.set_aside);
}
END_TEST

/* Leaves the ring as a death between the claim and the read does: the write end answers FIONREAD
 * and refuses to be read. */
static void die_before_read(const char *text, size_t n)
{
	size_t available;

	put(text, n);
	ck_assert_int_eq(ring_capture(&ring, in, &available), -EBADF);
	ck_assert_uint_eq(available, n);
	atomic_store(&ring.header->claim, sealed_make(ring_head(&ring) + n));
	atomic_store(&ring.header->expect, sealed_make(ring_head(&ring) + n));
}

START_TEST(dead_before_the_read_takes_nothing_and_the_bytes_come_again)
{
	size_t available;

	for (size_t n = 1; n <= 20; n++) {
		uint64_t head = ring_head(&ring);

		die_before_read("abcdefghijklmnopqrst", n);
		reopen();
		ck_assert_uint_eq(ring_head(&ring), head);
		ck_assert_int_eq(ring_capture(&ring, out, &available), (ssize_t)n);
		ring_advance(&ring, ring_head(&ring));
	}
}
END_TEST

START_TEST(dead_between_the_claim_and_the_sentinel_takes_nothing)
{
	capture("one\n");
	put("two\n", 4);
	atomic_store(&ring.header->claim, sealed_make(ring_head(&ring) + 4));
	ring.data[ring_head(&ring)] = '\0';
	reopen();
	expect_span("one\n");
}
END_TEST

START_TEST(dead_after_the_read_counts_it)
{
	for (size_t n = 1; n <= 20; n++) {
		char text[24];

		snprintf(text, sizeof text, "%.*s", (int)n, "abcdefghijklmnopqrst");
		capture(text);
		atomic_store(&ring.header->head, sealed_make(ring_head(&ring) - n));
		/* The child went on writing. */
		put("0123456789012345678901234567890", 31);
		reopen();
		expect_span(text);
		ring_advance(&ring, ring_head(&ring));
		char rest[64];

		ck_assert_int_eq(read(out, rest, sizeof rest), 31);
	}
}
END_TEST

START_TEST(bytes_that_look_like_the_sentinel_count_when_the_pipe_is_short_of_them)
{
	static const char same[8] = { '\xfd', '\xc0', '\xf7', '\xfb', '\xc1', '\xfa', '\xf6', '\xf9' };
	size_t available;

	put(same, sizeof same);
	ck_assert_int_eq(ring_capture(&ring, out, &available), 8);
	atomic_store(&ring.header->head, sealed_make(ring_head(&ring) - 8));
	reopen();
	ck_assert_uint_eq(ring_head(&ring), 8);
}
END_TEST

START_TEST(dead_after_the_head_was_stored_counts_once)
{
	capture("one\n");
	reopen();
	expect_span("one\n");
}
END_TEST

START_TEST(a_full_ring_takes_no_more_and_keeps_what_it_has)
{
	char block[4096];
	size_t available;

	memset(block, 'x', sizeof block);
	for (unsigned i = 0; i < RING_DATA / sizeof block; i++) {
		put(block, sizeof block);
		ck_assert_int_eq(ring_capture(&ring, out, &available), (ssize_t)sizeof block);
	}
	put("more\n", 5);
	ck_assert_int_eq(ring_capture(&ring, out, &available), -ENOBUFS);
	ck_assert_uint_eq(available, 5);
	ring_advance(&ring, 3);
	ck_assert_int_eq(ring_capture(&ring, out, &available), 3);
	ck_assert_mem_eq(ring.data + RING_DATA, "mor", 3);
	ck_assert_mem_eq(ring.data, "mor", 3);
}
END_TEST

START_TEST(a_span_over_the_end_is_contiguous)
{
	char block[60000];

	memset(block, 'x', sizeof block - 1);
	block[sizeof block - 1] = '\0';
	capture(block);
	ring_advance(&ring, ring_head(&ring));
	block[10000] = '\0';
	memset(block, 'y', 10000);
	capture(block);
	expect_span(block);
	reopen();
	expect_span(block);
}
END_TEST

START_TEST(a_line_is_ended_once)
{
	ck_assert(ring_end_line(&ring));
	ck_assert_uint_eq(ring_head(&ring), 0);
	capture("open");
	ck_assert(ring_end_line(&ring));
	ck_assert(ring_end_line(&ring));
	expect_span("open\n");
	/* Dead between the claim and the head. */
	capture("again");
	ck_assert(ring_end_line(&ring));
	atomic_store(&ring.header->head, sealed_make(ring_head(&ring) - 1));
	reopen();
	expect_span("open\nagain");
}
END_TEST

START_TEST(a_copy_of_what_is_gone_says_how_much)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	uint64_t pos = 0, lost = 0;
	char block[32768];

	memset(block, 'x', sizeof block - 1);
	block[sizeof block - 1] = '\0';
	for (int i = 0; i < 3; i++) {
		capture(block);
		ring_advance(&ring, ring_head(&ring));
	}
	ring_copy(&ring, &pos, SIZE_MAX, &text, &lost);
	ck_assert_uint_eq(lost, 3 * 32767 - RING_DATA);
	ck_assert_uint_eq(text.len, RING_DATA);
	ck_assert_uint_eq(pos, 3 * 32767);
	/* Far in the future: from another life of the ring. */
	pos = 1u << 30;
	ring_copy(&ring, &pos, SIZE_MAX, &text, &lost);
	ck_assert_uint_eq(pos, 3 * 32767);
}
END_TEST

START_TEST(without_room_on_the_file_system_it_goes_on_in_memory)
{
	struct ring other;
	int full = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t available;

	/* Nothing can be made there, whoever asks. */
	ck_assert_int_eq(ring_open(&other, full, "1.out", "web", true), 0);
	ck_assert(other.in_memory);
	put("one\n", 4);
	ck_assert_int_eq(ring_capture(&other, out, &available), 4);
	ck_assert_mem_eq(other.data, "one\n", 4);
	ring_close(&other);
	close(full);
}
END_TEST

START_TEST(room_that_ends_later_moves_the_ring_into_memory)
{
	char block[20000];
	size_t available;

	capture("begin\n");
	/* The file cannot be had any more when more of it has to be reserved. */
	ck_assert_int_eq(unlinkat(dirfd_, "1.out", 0), 0);
	memset(block, 'x', sizeof block);
	put(block, sizeof block);
	ck_assert_int_eq(ring_capture(&ring, out, &available), (ssize_t)sizeof block);
	ck_assert(ring.in_memory);
	ck_assert_mem_eq(ring.data, "begin\nxxx", 9);
	ck_assert_mem_eq(ring.data + RING_DATA, "begin\nxxx", 9);
	ck_assert_uint_eq(ring_head(&ring), 20006);
}
END_TEST

START_TEST(where_nothing_can_be_reserved_what_was_captured_stays)
{
	char block[20000];
	size_t available;

	ring_close(&ring);
	unlinkat(dirfd_, "1.out", 0);
	cannot_reserve = true;
	open_ring("web");
	capture("begin\n");
	memset(block, 'x', sizeof block);
	put(block, sizeof block);	/* more than was made room for at first */
	ck_assert_int_eq(ring_capture(&ring, out, &available), (ssize_t)sizeof block);
	ck_assert(!ring.in_memory);
	ck_assert_mem_eq(ring.data, "begin\nxxx", 9);
	cannot_reserve = false;
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		what_was_captured_and_not_forwarded_is_there_again,
		another_owner_does_not_inherit_it,
		no_ring_is_made_by_looking,
		a_damaged_header_is_set_aside,
		a_truncated_file_is_set_aside_and_never_touched,
		dead_before_the_read_takes_nothing_and_the_bytes_come_again,
		dead_between_the_claim_and_the_sentinel_takes_nothing,
		dead_after_the_read_counts_it,
		bytes_that_look_like_the_sentinel_count_when_the_pipe_is_short_of_them,
		dead_after_the_head_was_stored_counts_once,
		a_full_ring_takes_no_more_and_keeps_what_it_has,
		a_span_over_the_end_is_contiguous,
		a_line_is_ended_once,
		a_copy_of_what_is_gone_says_how_much,
		without_room_on_the_file_system_it_goes_on_in_memory,
		room_that_ends_later_moves_the_ring_into_memory,
		where_nothing_can_be_reserved_what_was_captured_stays,
	};

	return unit_run_in("output: ring", setup, teardown, tests, ARRAY_LEN(tests));
}
