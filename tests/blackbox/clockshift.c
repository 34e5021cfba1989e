/* Preloaded into procd: the time of day is off by as many seconds as the file named by
 * CLOCKSHIFT_FILE says (one 64-bit number, read anew each time). The other clocks are left alone:
 * that is what somebody who sets the clock does to a process. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t shift(void)
{
	static _Atomic(volatile int64_t *) mapped;
	volatile int64_t *at = mapped;

	if (at == NULL) {
		const char *path = getenv("CLOCKSHIFT_FILE");
		int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

		if (fd < 0)
			return 0;
		at = mmap(NULL, sizeof(*at), PROT_READ, MAP_SHARED, fd, 0);
		close(fd);
		if (at == MAP_FAILED)
			return 0;
		mapped = at;
	}
	return *at;
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	static int (*real)(clockid_t, struct timespec *);
	int r;

	if (real == NULL)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	r = real(clock, ts);
	if (r == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		ts->tv_sec += shift();
	return r;
}

time_t time(time_t *out)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}
