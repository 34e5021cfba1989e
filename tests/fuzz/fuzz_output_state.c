/* What a dead log thread left, a ring and the note about its last write, as arbitrary bytes laid
 * over good ones: opening and settling end well, the ring's numbers fit to each other, and it can be
 * used again. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "output/ring.h"
#include "output/state.h"
#include "fuzz.h"

#define RING_FILE "1.out"

static char base[64];

static void quiet(void *ctx, enum log_level level, const char *subsystem, const char *message)
{
	(void)ctx;
	(void)level;
	(void)subsystem;
	(void)message;
}

static void directory_remove(void)
{
	rmdir(base);
}

static int directory(void)
{
	static int fd = -1;

	if (fd >= 0)
		return fd;
	snprintf(base, sizeof(base), "%s/fuzz-state-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	check(mkdtemp(base) != NULL);
	fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check(fd >= 0);
	atexit(directory_remove);
	log_set_sink(quiet, NULL);
	return fd;
}

static void overlay(int dirfd, const char *file, const uint8_t *bytes, size_t n, off_t at, bool cut)
{
	int fd = openat(dirfd, file, O_RDWR | O_CLOEXEC);

	check(fd >= 0 && pwrite(fd, bytes, n, at) == (ssize_t)n);
	if (cut)
		check(ftruncate(fd, at + (off_t)n) == 0);
	close(fd);
}

static void fill_pipe(const int fds[2])
{
	check(write(fds[1], "one\ntwo\n", 8) == 8);
}

static void use_ring(struct ring *r, const int fds[2])
{
	struct strbuf out = STRBUF_INIT;
	uint64_t pos = 0, lost = 0;
	size_t len, available;

	fill_pipe(fds);
	ring_recover(r, fds[0]);
	ring_span(r, &len);
	check(len <= RING_DATA);
	ring_copy(r, &pos, RING_DATA, &out, &lost);
	check(pos <= ring_head(r) && out.len <= RING_DATA);
	ring_advance(r, ring_head(r));
	check(ring_capture(r, fds[0], &available) == 8);
	check(memcmp(ring_span(r, &len), "one\ntwo\n", 8) == 0 && len == 8);
	ring_lost_add(r, 3);
	check(ring_numbers_fine(r->header));
	strbuf_fini(&out);
}

/* The first byte: bit 0 says that the ring is meant, not the note, bit 1 cuts the file behind the
 * input; the next two say where in it the input lies. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	int dirfd = directory(), fds[2];
	const char *file;
	struct state *st;
	struct ring r;
	off_t at;

	if (size < 3 || size > 8192)
		return 0;
	file = bytes[0] & 1 ? RING_FILE : "output.state";
	at = (bytes[1] | bytes[2] << 8) % (bytes[0] & 1 ? 256 : (int)sizeof(*st));
	check(pipe(fds) == 0);
	fill_pipe(fds);
	check(ring_open(&r, dirfd, RING_FILE, "web", true) == 0);
	size_t available;

	ring_capture(&r, fds[0], &available);
	ring_close(&r);
	st = state_open(dirfd);
	state_close(st);
	overlay(dirfd, file, bytes + 3, size - 3, at, bytes[0] & 2);
	st = state_open(dirfd);
	/* a forged note must not lead to a file of ours */
	st->fd = -1;
	snprintf(st->path, sizeof(st->path), "%s/log", base);
	state_settle(st, dirfd);
	check(atomic_load(&st->check) == 0);
	state_close(st);
	check(ring_open(&r, dirfd, RING_FILE, "web", true) == 0);
	use_ring(&r, fds);
	ring_close(&r);
	close(fds[0]);
	close(fds[1]);
	unlinkat(dirfd, RING_FILE, 0);
	unlinkat(dirfd, RING_FILE ".bad", 0);
	unlinkat(dirfd, "output.state", 0);
	unlinkat(dirfd, "output.state.bad", 0);
	return 0;
}
