/* Preloaded into procd: the time of day is off by as many seconds as the file named by
 * CLOCKSHIFT_FILE says (one 64-bit number, read anew each time). The other clocks are left alone:
 * that is what somebody who sets the clock does to a process.
 *
 * CLOCKSHIFT_SLOW_US: who asks the monotonic clock is slow to get to know what it said, as one who
 * lost his processor.
 *
 * A timer on the time of day (timerfd_create(2)) becomes an epoll instance with the real timer and an
 * inotify on that file in it: who writes the file has set the clock, and the next read() says
 * ECANCELED. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/timerfd.h>
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

static void lose_processor(void)
{
	static _Atomic long slow_us = -1;

	if (slow_us < 0)
		slow_us = getenv("CLOCKSHIFT_SLOW_US") ? atol(getenv("CLOCKSHIFT_SLOW_US")) : 0;
	if (slow_us > 0)
		nanosleep(&(struct timespec){ .tv_nsec = slow_us * 1000 }, NULL);
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
	if (clock == CLOCK_MONOTONIC)
		lose_processor();
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

/* One is enough. */
static struct { int epoll, timer, changes; } alarm_clock = { -1, -1, -1 };

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int timerfd_create(int clock, int flags)
{
	struct epoll_event e = { .events = EPOLLIN };
	const char *path = getenv("CLOCKSHIFT_FILE");

	if (clock != CLOCK_REALTIME || path == NULL)
		return NEXT(timerfd_create)(clock, flags);
	if (alarm_clock.timer >= 0) {	/* the last one was closed */
		close(alarm_clock.timer);
		close(alarm_clock.changes);
	}
	alarm_clock.timer = NEXT(timerfd_create)(clock, flags);
	alarm_clock.changes = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	alarm_clock.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (inotify_add_watch(alarm_clock.changes, path, IN_MODIFY) < 0)
		return -1;
	epoll_ctl(alarm_clock.epoll, EPOLL_CTL_ADD, alarm_clock.timer, &e);
	epoll_ctl(alarm_clock.epoll, EPOLL_CTL_ADD, alarm_clock.changes, &e);
	return alarm_clock.epoll;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
{
	struct itimerspec when = *new;

	if (fd != alarm_clock.epoll)
		return NEXT(timerfd_settime)(fd, flags, new, old);
	when.it_value.tv_sec -= shift();
	if (when.it_value.tv_sec < 0)
		when.it_value.tv_sec = 0, when.it_value.tv_nsec = 1;
	return NEXT(timerfd_settime)(alarm_clock.timer, flags, &when, old);
}

ssize_t read(int fd, void *buf, size_t n)
{
	static ssize_t (*real)(int, void *, size_t);
	char events[4096];

	if (real == NULL)
		real = NEXT(read);
	if (fd < 0 || fd != alarm_clock.epoll)
		return real(fd, buf, n);
	if (real(alarm_clock.changes, events, sizeof(events)) <= 0)
		return real(alarm_clock.timer, buf, n);
	while (real(alarm_clock.changes, events, sizeof(events)) > 0)
		;
	errno = ECANCELED;
	return -1;
}
