/* libev behind a small face.
 *
 * The loop is never libev's default one: that reaps every child of the process and so would take
 * exit statuses away from the keeper's code. The environment (LIBEV_FLAGS) has no say. Watchers
 * are embedded in our structs, and the callbacks find them by container_of. */
#include "base/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

/* Not among them, though libev may have them: linuxaio and io_uring. Its io_uring keeps a closed
 * descriptor's file open until a later turn and loses notices under load (4.33: the tests of events
 * and of lifecycle fail on it now and then), and linuxaio is not in any distribution's build. */
static const struct backend {
	const char *name;
	unsigned int flag;
} backends[] = {
	{ "epoll", EVBACKEND_EPOLL },
	{ "poll", EVBACKEND_POLL },
	{ "select", EVBACKEND_SELECT },
};

/* What "auto" is; the first of the list unless the configuration says otherwise. */
static _Atomic(const struct backend *) chosen = &backends[0];

/* Called when libev has told the kernel what to watch and is about to sleep. Nothing can be pending
 * then, but the notice that watching a descriptor was refused (for want of memory, or of the user's
 * share of watches). libev would sleep on it, deaf on that ear: perhaps for ever. A supervisor that
 * does not hear is worse than none, and the keeper brings a new one. The reason may be overwritten:
 * what libev asked the kernel after it, and overcame, has one, too. */
static void before_poll(struct ev_loop *loop) EV_NOEXCEPT
{
	int errnum = errno;

	if (ev_pending_count(loop) == 0)
		return;
	dprintf(STDERR_FILENO, "procd: cannot watch a descriptor: memory, or the user's share of watches, is used "
		"up (latest error: %s)\n", strerror(errnum));
	abort();
}

static void after_poll(struct ev_loop *loop) EV_NOEXCEPT
{
	(void)loop;
}

static const struct backend *backend_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(backends); i++)
		if (strcmp(backends[i].name, name) == 0)
			return &backends[i];
	return strcmp(name, "auto") == 0 ? atomic_load(&chosen) : NULL;
}

/* libev may have been built with what this kernel, or this container, does not allow. */
static struct ev_loop *try_backend(const struct backend *b)
{
	return (ev_supported_backends() & b->flag) != 0 ? ev_loop_new(b->flag | EVFLAG_NOENV) : NULL;
}

struct ev_loop *loop_new(const char *backend)
{
	const struct backend *b = backend_find(backend);
	struct ev_loop *loop = b != NULL ? try_backend(b) : NULL;

	if (loop != NULL)
		ev_set_loop_release_cb(loop, before_poll, after_poll);
	return loop;
}

void loop_choose(const char *backend)
{
	const struct backend *b = backend_find(backend);

	if (b != NULL)
		atomic_store(&chosen, b);
}

const char *loop_backend_name(struct ev_loop *loop)
{
	for (size_t i = 0; i < ARRAY_LEN(backends); i++)
		if (ev_backend(loop) == backends[i].flag)
			return backends[i].name;
	return "?";
}

bool loop_backend_works(const char *backend)
{
	const struct backend *b = backend_find(backend);
	struct ev_loop *loop = b != NULL ? try_backend(b) : NULL;

	if (loop != NULL)
		ev_loop_destroy(loop);
	return loop != NULL;
}

void loop_backends_supported(struct strbuf *out)
{
	const char *separator = "";

	for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
		if (!loop_backend_works(backends[i].name))
			continue;
		strbuf_addf(out, "%s%s", separator, backends[i].name);
		separator = ", ";
	}
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct loop_io *io = container_of(w, struct loop_io, w);

	(void)loop;
	io->cb(io, revents);
}

void loop_io_init(struct loop_io *io, struct ev_loop *loop, void (*cb)(struct loop_io *, int))
{
	ev_io_init(&io->w, on_io, -1, 0);
	io->w.data = loop;
	io->cb = cb;
}

void loop_io_set(struct loop_io *io, int fd, int events)
{
	bool active = ev_is_active(&io->w);

	if (fd < 0 || events == 0) {
		ev_io_stop(io->w.data, &io->w);
		return;
	}
	if (active && io->w.fd == fd && (io->w.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(io->w.data, &io->w);
	ev_io_set(&io->w, fd, events);
	ev_io_start(io->w.data, &io->w);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct loop_timer *timer = container_of(w, struct loop_timer, w);

	(void)loop;
	(void)revents;
	timer->cb(timer);
}

void loop_timer_init(struct loop_timer *t, struct ev_loop *loop, void (*cb)(struct loop_timer *))
{
	ev_timer_init(&t->w, on_timer, 0., 0.);
	t->loop = loop;
	t->cb = cb;
}

/* libev counts from the time it read at the start of the turn: after a long callback that would
 * be too early, so it looks at the clock again. */
void loop_timer_set(struct loop_timer *t, int64_t after_ns)
{
	ev_timer_stop(t->loop, &t->w);
	if (after_ns < 0)
		return;
	ev_now_update(t->loop);
	ev_timer_set(&t->w, (double)after_ns / (double)NS_PER_SEC, 0.);
	ev_timer_start(t->loop, &t->w);
}

static void on_prepare(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct loop_prepare *p = container_of(w, struct loop_prepare, w);

	(void)loop;
	(void)revents;
	p->cb(p);
}

void loop_prepare_start(struct loop_prepare *p, struct ev_loop *loop,
			void (*cb)(struct loop_prepare *))
{
	p->cb = cb;
	ev_prepare_init(&p->w, on_prepare);
	ev_prepare_start(loop, &p->w);
}

static void on_check(struct ev_loop *loop, ev_check *w, int revents)
{
	struct loop_check *c = container_of(w, struct loop_check, w);

	(void)loop;
	(void)revents;
	c->cb(c);
}

void loop_check_start(struct loop_check *c, struct ev_loop *loop, void (*cb)(struct loop_check *))
{
	c->loop = loop;
	c->cb = cb;
	ev_check_init(&c->w, on_check);
	ev_set_priority(&c->w, EV_MAXPRI);
	ev_check_start(loop, &c->w);
}

void loop_check_stop(struct loop_check *c)
{
	ev_check_stop(c->loop, &c->w);
}

static void on_async(struct ev_loop *loop, ev_async *w, int revents)
{
	struct loop_async *a = container_of(w, struct loop_async, w);

	(void)loop;
	(void)revents;
	a->cb(a);
}

void loop_async_start(struct loop_async *a, struct ev_loop *loop, void (*cb)(struct loop_async *))
{
	a->loop = loop;
	a->cb = cb;
	ev_async_init(&a->w, on_async);
	/* What another thread ordered before something became readable is done before it is
	 * read. */
	ev_set_priority(&a->w, EV_MAXPRI);
	ev_async_start(loop, &a->w);
}

void loop_async_send(struct loop_async *a)
{
	ev_async_send(a->loop, &a->w);
}

void loop_async_stop(struct loop_async *a)
{
	ev_async_stop(a->loop, &a->w);
}
