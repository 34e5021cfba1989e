/* libev behind a small face: the one place with its aliasing casts.
 *
 * Always ev_loop_new() (the default loop would reap our children), never LIBEV_FLAGS. A loop and
 * its watchers belong to one thread. */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <ev.h>
#include <stdbool.h>

#include "base/strbuf.h"

/* BACKEND: "auto", "epoll", "poll", "select". NULL: any other, or this machine cannot. The caller
 * ends it with ev_loop_destroy(). */
struct ev_loop *loop_new(const char *backend);
/* What "auto" is in this process from now on; at first it is epoll. Before other threads. */
void loop_choose(const char *backend);
const char *loop_backend_name(struct ev_loop *loop);
bool loop_backend_works(const char *backend);	/* here and now: tries */
void loop_backends_supported(struct strbuf *out);	/* those that work: "epoll, poll, select" */

struct loop_io {
	ev_io w;		/* its data is the loop */
	void (*cb)(struct loop_io *io, int revents);
};
void loop_io_init(struct loop_io *io, struct ev_loop *loop, void (*cb)(struct loop_io *, int));
/* Watch FD for EVENTS (EV_READ|EV_WRITE); 0 or FD < 0 stops. Cheap when nothing changes. Stop
 * before closing FD: a new file with the old number would look like nothing changed. */
void loop_io_set(struct loop_io *io, int fd, int events);

struct loop_timer {
	ev_timer w;
	struct ev_loop *loop;
	void (*cb)(struct loop_timer *timer);
};
void loop_timer_init(struct loop_timer *t, struct ev_loop *loop, void (*cb)(struct loop_timer *));
void loop_timer_set(struct loop_timer *t, int64_t after_ns);	/* one shot; < 0 stops */

struct loop_prepare {	/* runs once per turn, before the loop sleeps */
	ev_prepare w;
	void (*cb)(struct loop_prepare *p);
};
void loop_prepare_start(struct loop_prepare *p, struct ev_loop *loop,
			void (*cb)(struct loop_prepare *));

struct loop_check {	/* runs once per turn, after the loop slept and before what woke it */
	ev_check w;
	struct ev_loop *loop;
	void (*cb)(struct loop_check *c);
};
void loop_check_start(struct loop_check *c, struct ev_loop *loop, void (*cb)(struct loop_check *));
void loop_check_stop(struct loop_check *c);

struct loop_async {
	ev_async w;
	struct ev_loop *loop;
	void (*cb)(struct loop_async *a);
};
void loop_async_start(struct loop_async *a, struct ev_loop *loop, void (*cb)(struct loop_async *));
/* Any thread; coalesces. CB comes before the descriptors that became ready after the call. */
void loop_async_send(struct loop_async *a);
void loop_async_stop(struct loop_async *a);

#endif
