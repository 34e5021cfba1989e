/* timerfd_create(2) on CLOCK_REALTIME with TFD_TIMER_CANCEL_ON_SET, which is what tells that the
 * clock was set: a timer of the loop would sleep for as long as it seemed right before. Where there
 * is no descriptor to be had, such a timer and a look every minute take its place. */
#include "base/alarm.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#define LOOK_NS (60 * NS_PER_SEC)

struct alarm {
	int fd;				/* -1: none now */
	int64_t at_ns;			/* that FD is set to; ALARM_NEVER: to be set */
	struct loop_io rung;
	struct loop_timer look;
	bool told;
};

/* The turn that it causes is all that is needed; ECANCELED means the same. */
static void on_rung(struct loop_io *io, int revents)
{
	struct alarm *a = container_of(io, struct alarm, rung);
	uint64_t times;

	(void)revents;
	(void)!read(a->fd, &times, sizeof(times));
	a->at_ns = ALARM_NEVER;
}

static void on_look(struct loop_timer *t)
{
	(void)t;
}

struct alarm *alarm_new(struct ev_loop *loop)
{
	struct alarm *a = x_calloc(1, sizeof(*a));

	a->fd = -1;
	a->at_ns = ALARM_NEVER;
	loop_io_init(&a->rung, loop, on_rung);
	loop_timer_init(&a->look, loop, on_look);
	return a;
}

static void drop(struct alarm *a)
{
	loop_io_set(&a->rung, -1, 0);
	loop_timer_set(&a->look, -1);
	closep(&a->fd);
	a->fd = -1;
	a->at_ns = ALARM_NEVER;
}

void alarm_free(struct alarm *a)
{
	if (a == NULL)
		return;
	drop(a);
	free(a);
}

/* The owner has read the clock before: whatever was done to it in between is seen in one more
 * turn. */
static bool set_fd(struct alarm *a, int64_t real_ns)
{
	int64_t at = MAX(real_ns, 1);	/* 0 would disarm it */
	struct itimerspec when = {
		.it_value = { .tv_sec = at / NS_PER_SEC, .tv_nsec = at % NS_PER_SEC },
	};
	bool look = a->fd < 0;

	if (a->fd < 0)
		a->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (a->fd < 0)
		return false;
	if (timerfd_settime(a->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL) < 0) {
		if (errno != ECANCELED)
			return false;
		look = true;	/* it is set all the same */
	}
	a->at_ns = real_ns;
	loop_io_set(&a->rung, a->fd, EV_READ);
	loop_timer_set(&a->look, look ? 0 : -1);
	return true;
}

void alarm_set(struct alarm *a, int64_t real_ns)
{
	int64_t left;
	int error;

	if (real_ns == ALARM_NEVER) {
		drop(a);
		return;
	}
	if (a->fd >= 0 && a->at_ns == real_ns)
		return;
	if (set_fd(a, real_ns))
		return;
	error = errno;
	drop(a);
	if (!a->told)
		log_warn("no timer for the time of day (%s): whether somebody has set the clock is "
			 "looked up every minute", strerror(error));
	a->told = true;
	left = real_ns - clock_real_ns();
	left = MAX(left, 0);
	loop_timer_set(&a->look, MIN(left, LOOK_NS));
}
