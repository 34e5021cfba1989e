/* The board: a file of slots that all programs of a run map, and that the runner reads. Each program
 * notes there when it was started, on the clock that all share, so that no supervisor needs to be
 * believed about itself. Slot 0 is the supervisor's, slot 1 + I belongs to service I. */
#ifndef BENCH_BOARD_H
#define BENCH_BOARD_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* One cache line each. The runner reads it as "<QqqQq"; bench/board.py. */
struct slot {
	uint64_t starts;	/* written last: the rest of a start is there when it is seen */
	int64_t started_ns;	/* CLOCK_MONOTONIC */
	int64_t pid;
	uint64_t bytes;		/* written to standard output so far */
	int64_t done_ns;	/* when all of them were */
	uint64_t unused[3];
};

static inline int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* The slot in the board at PATH; ends the program when there is none. */
static inline struct slot *board_slot(const char *path, size_t index)
{
	size_t at = index * sizeof(struct slot), page = at & ~(size_t)4095;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	char *map = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
					       (off_t)page);

	if (map == MAP_FAILED) {
		perror(path);
		exit(127);
	}
	close(fd);
	return (struct slot *)(void *)(map + (at - page));
}

static inline void board_started(struct slot *s)
{
	s->pid = getpid();
	s->started_ns = now_ns();
	__atomic_fetch_add(&s->starts, 1, __ATOMIC_RELEASE);
}

#endif
