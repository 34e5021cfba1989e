/* The event ring that a dead supervisor left, as arbitrary bytes laid over a good one: readers end,
 * what they get is whole and in order, and what is sent afterwards is read again. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "event/channel.h"
#include "fuzz.h"

#define BYTES (64u * 1024)
#define HISTORY 16
#define SENT 40

static void make_good(int fd, enum chan_mode mode)
{
	bool lost;
	struct chan *c;

	check(ftruncate(fd, 0) == 0);
	c = chan_open(fd, BYTES, HISTORY, mode, &lost);
	check(c != NULL);
	for (int i = 0; i < SENT; i++)
		chan_send(c, "{\"type\":\"x\",\"text\":\"some words\"}", 32);
	chan_free(c);
}

static void read_all(struct chan *c)
{
	uint64_t cursor = 0, lost, before;
	struct strbuf out = STRBUF_INIT;
	enum chan_result r;

	for (int i = 0; i < 1000; i++) {
		before = cursor;
		strbuf_reset(&out);
		r = chan_try_recv(c, &cursor, &out, &lost);
		if (r == CHAN_EMPTY)
			break;
		check(cursor > before && cursor <= chan_last_seq(c));
		check(r == CHAN_GAP ? lost > 0 : r == CHAN_OK && out.len > 0);
		check(i < 999);
	}
	strbuf_fini(&out);
}

static void use(struct chan *c)
{
	uint64_t cursor = chan_last_seq(c), lost, seq;
	struct strbuf out = STRBUF_INIT;

	for (int i = 0; i < 2 * HISTORY; i++) {
		seq = chan_send(c, "after", 5);
		check(seq == cursor + 1);
		strbuf_reset(&out);
		check(chan_try_recv(c, &cursor, &out, &lost) == CHAN_OK);
		check(cursor == seq && out.len == 5 && memcmp(out.buf, "after", 5) == 0);
	}
	strbuf_fini(&out);
}

/* The first byte: bit 0 the mode, bit 1 cuts the file behind the input; then where the input lies. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	enum chan_mode mode;
	static int fd = -1;
	bool lost;
	struct chan *c;
	off_t at;

	if (size < 3 || size > 8192)
		return 0;
	if (fd < 0)
		fd = memfd_create("events", MFD_CLOEXEC);
	check(fd >= 0);
	mode = bytes[0] & 1 ? CHAN_MUTEX : CHAN_LOCK_FREE;
	make_good(fd, mode);
	at = (bytes[1] | bytes[2] << 8) % 8192;
	check(pwrite(fd, bytes + 3, size - 3, at) == (ssize_t)size - 3);
	if (bytes[0] & 2)
		check(ftruncate(fd, at + (off_t)size - 3) == 0);
	c = chan_open(fd, BYTES, HISTORY, mode, &lost);
	check(c != NULL);
	check(chan_oldest_seq(c) <= chan_last_seq(c) + 1);
	read_all(c);
	use(c);
	chan_free(c);
	return 0;
}
