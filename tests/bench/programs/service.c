/* What is supervised: notes its start on the board, then does what it is told.
 *
 *   service BOARD INDEX sleep             waits for a signal
 *   service BOARD INDEX crash             ends at once, with code 1
 *   service BOARD INDEX write BYTES BLOCK numbered lines of 100 bytes, BLOCK bytes per write; then waits
 *   service BOARD INDEX chat BLOCK        such lines without end
 */
#include <errno.h>
#include <string.h>

#include "board.h"

#define LINE_BYTES 100
#define BLOCK_MAX ((size_t)1 << 20)

static char block[BLOCK_MAX];

/* Each line begins with its number in the block's and is padded to LINE_BYTES. */
static void number_lines(size_t size, uint64_t first)
{
	for (size_t at = 0; at + LINE_BYTES <= size; at += LINE_BYTES, first++) {
		uint64_t n = first;

		for (int digit = 11; digit >= 0; digit--, n /= 10)
			block[at + (size_t)digit] = (char)('0' + n % 10);
	}
}

static void write_all(const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(STDOUT_FILENO, data, size);

		if (n < 0 && errno != EINTR)
			_exit(2);
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
}

static void write_lines(struct slot *s, uint64_t bytes, size_t size)
{
	uint64_t line = 0;

	size -= size % LINE_BYTES;
	if (size < LINE_BYTES || size > BLOCK_MAX)
		_exit(64);
	memset(block, 'x', size);
	for (size_t at = LINE_BYTES - 1; at < size; at += LINE_BYTES)
		block[at] = '\n';
	s->bytes = 0;
	for (uint64_t done = 0; done < bytes; done += size, line += size / LINE_BYTES) {
		if (size > bytes - done)
			size = (size_t)(bytes - done);
		number_lines(size, line);
		write_all(block, size);
		__atomic_store_n(&s->bytes, done + size, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&s->done_ns, now_ns(), __ATOMIC_RELEASE);
}

int main(int argc, char **argv)
{
	struct slot *s;

	if (argc < 4)
		return 64;
	s = board_slot(argv[1], strtoul(argv[2], NULL, 10) + 1);
	board_started(s);
	if (strcmp(argv[3], "crash") == 0)
		return 1;
	if (strcmp(argv[3], "write") == 0 && argc == 6)
		write_lines(s, strtoull(argv[4], NULL, 10) / LINE_BYTES * LINE_BYTES,
			    strtoul(argv[5], NULL, 10));
	if (strcmp(argv[3], "chat") == 0 && argc == 5)
		write_lines(s, UINT64_MAX, strtoul(argv[4], NULL, 10));
	for (;;)
		pause();
}
