/* One connection waits in the role's backlog or is served by it, always; when it ends, because the
 * role has, the next one is made at once. A role that does nothing but end them is given time. */
#include "control/web.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "config/http.h"
#include "config/store.h"
#include "control/address.h"

#define BRIEF_NS NS_PER_SEC
#define PAUSE_MS 250

/* NULL: none is wanted. */
static char *wanted_path(void)
{
	const struct config *config;
	char *path = NULL;

	rcu_enter();
	config = config_current();
	if (config->http.listen != NULL)
		path = http_socket_path(config);
	rcu_leave();
	return path;
}

static void on_pause(struct loop_timer *t)
{
	web_reach(container_of(t, struct control, web_pause));
}

void web_reach(struct control *s)
{
	/* procd's own connections are not counted with anybody's */
	struct peer nobody = { .uid = (uid_t)-1, .gid = GROUP_NONE };
	auto_free(freep) char *path = s->web == NULL && !s->stopping ? wanted_path() : NULL;
	int fd;

	if (path == NULL)
		return;
	if (s->web_pause.cb == NULL)
		loop_timer_init(&s->web_pause, s->loop, on_pause);
	fd = socket_connect(path, SOCK_NONBLOCK);
	if (fd == -ENOENT || fd == -ECONNREFUSED)
		return;
	if (fd < 0) {
		loop_timer_set(&s->web_pause, PAUSE_MS * NS_PER_MS);
		return;
	}
	loop_timer_set(&s->web_pause, -1);
	s->web = connection_new(s, fd, &nobody);
	s->web_since_ns = clock_mono_ns();
	connection_run(s->web);
}

void web_left(struct control *s)
{
	bool brief = clock_mono_ns() - s->web_since_ns < BRIEF_NS;

	s->web = NULL;
	if (!s->stopping)
		loop_timer_set(&s->web_pause, brief ? PAUSE_MS * NS_PER_MS : 0);
}

void web_stop(struct control *s)
{
	if (s->web_pause.cb != NULL)
		loop_timer_set(&s->web_pause, -1);
}
