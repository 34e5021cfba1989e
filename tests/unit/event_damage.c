/* The event ring with every bit of its header and index flipped, bits of its records, and cut at
 * every length: a number is never given away twice without a word, and what a reader gets is what
 * was sent. Not covered by a check: padding of the header, index words and bytes of events that are
 * overwritten already. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event/channel_ring.h"
#include "unit.h"

#define BYTES (64u * 1024)
#define HISTORY 16
#define SENT 40u

static int fd;
static unsigned char *good;
static size_t size;

static void body_of(uint64_t seq, char text[64])
{
	snprintf(text, 64, "{\"type\":\"test\",\"number\":%llu}", (unsigned long long)seq);
}

static void send_to(struct chan *c, uint64_t seq)
{
	char text[64];

	body_of(seq, text);
	ck_assert_uint_eq(chan_send(c, text, strlen(text)), seq);
}

static void setup(void)
{
	struct stat st;
	struct chan *c;
	bool lost;

	fd = memfd_create("events", MFD_CLOEXEC);
	c = chan_open(fd, BYTES, HISTORY, CHAN_LOCK_FREE, &lost);
	ck_assert_ptr_nonnull(c);
	for (uint64_t seq = 1; seq <= SENT; seq++)
		send_to(c, seq);
	chan_free(c);
	ck_assert_int_eq(fstat(fd, &st), 0);
	size = (size_t)st.st_size;
	good = malloc(size);
	ck_assert_int_eq(pread(fd, good, size, 0), (ssize_t)size);
}

static void teardown(void)
{
	free(good);
	close(fd);
}

/* The used part is small, and the rest stays zero. */
static void restore(size_t n)
{
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	ck_assert_int_eq(pwrite(fd, good, n, 0), (ssize_t)n);
}

/* Reads all there is; returns how many. Each is what was sent. */
static unsigned read_all(struct chan *c)
{
	struct strbuf out = STRBUF_INIT;
	uint64_t cursor = 0, lost;
	enum chan_result r;
	unsigned n = 0;
	char text[64];

	while ((r = chan_try_recv(c, &cursor, &out, &lost)) != CHAN_EMPTY) {
		if (r == CHAN_OK) {
			body_of(cursor, text);
			ck_assert_str_eq(out.buf, text);
			n++;
		}
		strbuf_reset(&out);
	}
	strbuf_fini(&out);
	return n;
}

/* Opens what is there, and says whether history was lost. */
static bool try_open(enum chan_mode mode, size_t bit, unsigned *left)
{
	struct chan *c;
	uint64_t next;
	bool lost;

	c = chan_open(fd, BYTES, HISTORY, mode, &lost);
	ck_assert_ptr_nonnull(c);
	next = chan_last_seq(c) + 1;
	ck_assert_msg(next == SENT + 1, "bit %zu: goes on with %llu", bit, (unsigned long long)next);
	*left = read_all(c);
	ck_assert(!lost || *left == 0);
	for (uint64_t i = 0; i < 2 * HISTORY; i++)	/* and each new one can be read */
		send_to(c, next + i);
	ck_assert_uint_eq(read_all(c), HISTORY);
	chan_free(c);
	return lost;
}

static size_t used(void)
{
	size_t n = size;

	while (n > 0 && good[n - 1] == 0)
		n--;
	return (n + 7) / 8 * 8;
}

static void flip_all(enum chan_mode mode)
{
	const size_t words[] = { offsetof(struct ring_header, magic),
				 offsetof(struct ring_header, version),
				 offsetof(struct ring_header, bytes),
				 offsetof(struct ring_header, history),
				 offsetof(struct ring_header, checksum) };
	size_t end = used(), index_end = RING_HEADER_BYTES + HISTORY * sizeof(ring_word);

	for (size_t bit = 0; bit < 8 * end; bit++) {
		unsigned left;
		bool lost, header = false;
		size_t at = bit / 8;

		if (at >= sizeof(struct ring_header) && at < RING_HEADER_BYTES)
			continue;
		/* one bit of each byte of the records; they are the same in both modes */
		if (at >= index_end && (at % 8 != bit % 8 || mode == CHAN_MUTEX))
			continue;
		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			header |= at >= words[i] && at < words[i] + 8;
		restore(end);
		good[at] ^= (unsigned char)(1u << bit % 8);
		ck_assert_int_eq(pwrite(fd, good + at, 1, (off_t)at), 1);
		good[at] ^= (unsigned char)(1u << bit % 8);
		lost = try_open(mode, bit, &left);
		/* Geometry: nothing. The next number: nothing, or as if senders had died with numbers in
		 * hand. Index and records: the one is missing, or with the newest, which proves the
		 * number, all. */
		if (header)
			ck_assert_msg(lost, "bit %zu", bit);
		else if (!lost && at >= RING_HEADER_BYTES)
			ck_assert_uint_ge(left, HISTORY - 1);
	}
}

START_TEST(no_flipped_bit_is_believed_lock_free)
{
	flip_all(CHAN_LOCK_FREE);
}
END_TEST

START_TEST(no_flipped_bit_is_believed_with_the_mutex)
{
	flip_all(CHAN_MUTEX);
}
END_TEST

START_TEST(every_cut_is_a_loss_that_is_told)
{
	size_t end = used();

	for (size_t cut = 1; cut < size; cut += cut < end + 64 ? 1 : 4099) {
		struct chan *c;
		bool lost;

		restore(end);
		ck_assert_int_eq(ftruncate(fd, (off_t)cut), 0);
		c = chan_open(fd, BYTES, HISTORY, CHAN_LOCK_FREE, &lost);
		ck_assert(lost);
		/* With a header the numbers go on; a file without one has nothing to say. */
		ck_assert_uint_eq(chan_last_seq(c), cut >= sizeof(struct ring_header) ? SENT : 0);
		ck_assert_uint_eq(read_all(c), 0);
		send_to(c, chan_last_seq(c) + 1);
		chan_free(c);
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		no_flipped_bit_is_believed_lock_free, no_flipped_bit_is_believed_with_the_mutex,
		every_cut_is_a_loss_that_is_told,
	};

	return unit_run_in("event: damage", setup, teardown, tests, ARRAY_LEN(tests));
}
