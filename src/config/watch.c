/* Watching: the inotify instance, the delay, and the slow look for places without inotify. How
 * names are followed is in watch_arm.c.
 *
 * The delay counts from the first change, so that a constant writer cannot postpone it for ever.
 * Which file an event names does not matter, nor how many there were or whether the queue ran over:
 * all of them mean "look again". */
#include "config/watch.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#define POLL_NS (30 * NS_PER_SEC)
/* Time stamps of files are as coarse as the file system (2 s at worst): a file that is younger may
 * change once more without looking different. */
#define STAMP_NS (2 * NS_PER_SEC)

struct watch {
	void (*changed)(void *ctx);
	void *ctx;
	struct watch_set set;
	bool active;
	int fd;				/* inotify; -1: none */
	struct loop_io readable;
	struct loop_timer delay;
	bool delaying;
	struct loop_timer slow_look;
	bool polling;
	bool told;			/* the warning about inotify was given */
	struct watch_print known;	/* of what the owner has read */
	bool known_is_safe;		/* nothing in KNOWN was too young when it was taken */
};

void watch_set_fini(struct watch_set *s)
{
	strlist_fini(&s->files);
	strlist_fini(&s->globs);
}

static bool is_same_set(const struct watch_set *a, const struct watch_set *b)
{
	return strlist_equal(&a->files, &b->files) && strlist_equal(&a->globs, &b->globs);
}

/* --- arming --------------------------------------------------------------------------------- */

static void disarm(struct watch *w)
{
	loop_io_set(&w->readable, -1, 0);
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

static void tell_once(struct watch *w, const char *where, int error)
{
	if (w->told)
		return;
	w->told = true;
	log_warn("%s cannot be watched with inotify (%s): looking every 30 s instead", where,
		 strerror(error));
}

/* A new instance, armed by name, takes the place of the old one: watches on what the names used to
 * lead to are gone with it. At the limit of instances the old one has to go first. */
static void arm(struct watch *w)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	auto_free(freep) char *where = NULL;
	int err;

	if (fd < 0) {
		disarm(w);
		fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	}
	if (fd >= 0) {
		err = watch_arm(fd, &w->set, &where);
		disarm(w);
		w->fd = fd;
		loop_io_set(&w->readable, fd, EV_READ);
	} else {
		err = -errno;
	}
	if (err < 0)
		tell_once(w, where != NULL ? where : "the configuration", -err);
	w->polling = err < 0;
	loop_timer_set(&w->slow_look, w->polling ? POLL_NS : -1);
}

/* --- looking -------------------------------------------------------------------------------- */

static bool is_safe(const struct watch_print *p)
{
	return p->newest_real_ns < clock_real_ns() - STAMP_NS;
}

static void know(struct watch *w, const struct watch_print *p)
{
	w->known = *p;
	w->known_is_safe = is_safe(p);
}

/* Arm first, then look, then let the owner read. */
static void look(struct watch *w)
{
	struct watch_print p;
	bool same;

	w->delaying = false;
	loop_timer_set(&w->delay, -1);
	arm(w);
	p = watch_print_take(&w->set);
	same = w->known_is_safe && p.hash == w->known.hash;
	know(w, &p);
	if (!same)
		w->changed(w->ctx);
}

static void start_delay(struct watch *w)
{
	if (w->delaying)
		return;
	w->delaying = true;
	loop_timer_set(&w->delay, w->set.debounce_ms * NS_PER_MS);
}

static void on_readable(struct loop_io *io, int revents)
{
	struct watch *w = container_of(io, struct watch, readable);
	char events[4096];
	ssize_t n;

	(void)revents;
	n = read(w->fd, events, sizeof(events));
	if (n > 0)
		start_delay(w);
	/* More of a burst means the same, and the instance is replaced when the delay is over: do
	 * not wake up for it again. */
	if (w->delaying)
		loop_io_set(&w->readable, -1, 0);
}

static void on_delay(struct loop_timer *timer)
{
	look(container_of(timer, struct watch, delay));
}

static void on_slow_look(struct loop_timer *timer)
{
	look(container_of(timer, struct watch, slow_look));
}

/* --- the contract --------------------------------------------------------------------------- */

struct watch *watch_new(struct ev_loop *loop, void (*changed)(void *ctx), void *ctx)
{
	struct watch *w = x_calloc(1, sizeof(*w));

	w->changed = changed;
	w->ctx = ctx;
	w->fd = -1;
	loop_io_init(&w->readable, loop, on_readable);
	loop_timer_init(&w->delay, loop, on_delay);
	loop_timer_init(&w->slow_look, loop, on_slow_look);
	return w;
}

void watch_free(struct watch *w)
{
	if (w == NULL)
		return;
	watch_stop(w);
	free(w);
}

void watch_start(struct watch *w, struct watch_set *set, int64_t since_real_ns)
{
	struct watch_print p;

	if (w->active && is_same_set(&w->set, set)) {
		if (w->delaying && w->set.debounce_ms != set->debounce_ms)
			loop_timer_set(&w->delay, set->debounce_ms * NS_PER_MS);
		w->set.debounce_ms = set->debounce_ms;
		watch_set_fini(set);
		return;
	}
	watch_set_fini(&w->set);
	w->set = *set;
	*set = (struct watch_set){ 0 };
	w->active = true;
	arm(w);
	p = watch_print_take(&w->set);
	know(w, &p);
	if (p.missing || p.newest_real_ns >= since_real_ns - STAMP_NS) {
		w->known_is_safe = false;
		start_delay(w);
	}
}

void watch_stop(struct watch *w)
{
	disarm(w);
	loop_timer_set(&w->delay, -1);
	loop_timer_set(&w->slow_look, -1);
	watch_set_fini(&w->set);
	w->active = w->delaying = w->polling = w->known_is_safe = false;
}

void watch_note_read(struct watch *w)
{
	struct watch_print p;

	if (!w->active)
		return;
	p = watch_print_take(&w->set);
	know(w, &p);
}

bool watch_is_polling(const struct watch *w)
{
	return w->polling;
}
