/* inotify(7) on the socket's directory. A removed file is made again a moment later (who tidies up
 * a directory is not to meet it half way); as long as that fails it is tried now and then, because
 * then there is nothing left to watch. */
#include "command/socket_guard.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "command/supervisor.h"
#include "config/store.h"

#define MOMENT_NS (100 * NS_PER_MS)
#define RETRY_NS (2 * NS_PER_SEC)

struct socket_guard {
	struct supervisor *supervisor;
	int fd;				/* inotify; -1: this system has none to spare */
	int watch;			/* of the directory; -1: there is none */
	struct loop_io changes;
	struct loop_timer due;
	bool told;			/* that it cannot be made */
};

/* The file is as good as its path: a new directory under the old name has no watch. */
static void watch_again(struct socket_guard *g)
{
	auto_free(freep) char *dir = x_strdup(g->supervisor->socket);

	*strrchr(dir, '/') = '\0';
	if (g->fd < 0)
		return;
	g->watch = inotify_add_watch(g->fd, *dir ? dir : "/",
				     IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR);
	if (g->watch < 0)
		log_debug("%s: cannot be watched: %s", dir, strerror(errno));
}

static bool is_missing(const struct socket_guard *g)
{
	struct stat st;

	return lstat(g->supervisor->socket, &st) < 0 && errno == ENOENT;
}

static void on_due(struct loop_timer *t)
{
	struct socket_guard *g = container_of(t, struct socket_guard, due);
	const struct config *config = config_current();
	struct supervisor *s = g->supervisor;
	auto_free(error_fini) struct error e = ERROR_INIT;
	int fd;

	if (!is_missing(g))
		return;
	fd = control_listen(config, &e);
	if (fd < 0) {
		if (!g->told)
			log_error("%s; nobody can connect, trying again", e.message);
		g->told = true;
		loop_timer_set(&g->due, RETRY_NS);
		return;
	}
	log_warn("control socket %s was removed by somebody: made again", s->socket);
	g->told = false;
	free(s->socket);	/* where the configuration wants it now */
	s->socket = x_strdup(config->control.socket);
	keeper_hold(s->keeper, HOLD_CONTROL, fd);
	control_listen_on(s->control, fd);
	watch_again(g);
}

/* Whatever happened in the directory: the look at the file tells. */
static void on_changes(struct loop_io *io, int revents)
{
	struct socket_guard *g = container_of(io, struct socket_guard, changes);
	char events[4096];

	(void)revents;
	while (read(g->fd, events, sizeof(events)) > 0)
		;
	if (is_missing(g))
		loop_timer_set(&g->due, MOMENT_NS);
}

struct socket_guard *socket_guard_start(struct supervisor *s)
{
	struct socket_guard *g = x_calloc(1, sizeof(*g));

	g->supervisor = s;
	g->watch = -1;
	g->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	loop_io_init(&g->changes, s->loop, on_changes);
	loop_timer_init(&g->due, s->loop, on_due);
	if (g->fd >= 0)
		loop_io_set(&g->changes, g->fd, EV_READ);
	else
		log_warn("no inotify (%s): a control socket that somebody removes is not made again",
			 strerror(errno));
	watch_again(g);
	if (is_missing(g))
		loop_timer_set(&g->due, MOMENT_NS);
	return g;
}

void socket_guard_rest(struct socket_guard *g)
{
	if (g && g->watch >= 0)
		inotify_rm_watch(g->fd, g->watch);
	if (g)
		g->watch = -1;
}

void socket_guard_stop(struct socket_guard *g)
{
	if (!g)
		return;
	loop_io_set(&g->changes, -1, 0);
	loop_timer_set(&g->due, -1);
	closep(&g->fd);
	free(g);
}
