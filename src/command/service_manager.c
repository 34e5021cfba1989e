/* The notify side of procd itself. One datagram per change; the watchdog timer exists only when the
 * manager asked for it, so an idle procd stays asleep otherwise. */
#include "command/service_manager.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "command/privileges.h"

struct service_manager {
	int fd;
	pid_t main_pid;
	struct sockaddr_un address;
	socklen_t address_len;
	enum daemon_state state;
	bool told_ready;
	int64_t watchdog_ns;
	struct loop_timer watchdog;
};

static bool address_set(struct service_manager *m, const char *path)
{
	size_t n = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || n < 2 || n >= sizeof(m->address.sun_path))
		return false;
	m->address.sun_family = AF_UNIX;
	memcpy(m->address.sun_path, path, n);
	if (path[0] == '@')
		m->address.sun_path[0] = '\0';	/* abstract name */
	m->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	return true;
}

/* One datagram. With AS_MAIN the kernel is asked to name the keeper as the sender, which it
 * grants to root only. */
static int message_send(struct service_manager *m, const struct strbuf *text, bool as_main)
{
	struct iovec iov = { .iov_base = text->buf, .iov_len = text->len };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control = { 0 };
	struct msghdr msg = {
		.msg_name = &m->address,
		.msg_namelen = m->address_len,
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};

	if (as_main) {
		struct ucred cred = { .pid = m->main_pid, .uid = getuid(), .gid = getgid() };
		struct cmsghdr *c;

		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_CREDENTIALS;
		c->cmsg_len = CMSG_LEN(sizeof(cred));
		memcpy(CMSG_DATA(c), &cred, sizeof(cred));
	}
	return sendmsg(m->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static void message(struct service_manager *m, const struct strbuf *text)
{
	bool allowed = privileges_speak_for_keeper(true);
	int rc = message_send(m, text, true);

	if (allowed)
		privileges_speak_for_keeper(false);
	if (rc == -EPERM || rc == -ESRCH)
		rc = message_send(m, text, false);
	if (rc < 0)
		log_warn("cannot tell the service manager (NOTIFY_SOCKET %s): %s",
			 m->address.sun_path, strerror(-rc));
}

static void on_watchdog(struct loop_timer *t)
{
	struct service_manager *m = container_of(t, struct service_manager, watchdog);
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	strbuf_addstr(&text, "WATCHDOG=1");
	message(m, &text);
	loop_timer_set(t, m->watchdog_ns);
}

static void watchdog_start(struct service_manager *m)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	long long n = usec ? atoll(usec) : 0;

	if (n <= 0 || (pid && atoll(pid) != m->main_pid))
		return;
	m->watchdog_ns = n * 1000 / 2;	/* half the period, as sd_watchdog_enabled(3) advises */
	on_watchdog(&m->watchdog);
}

struct service_manager *service_manager_new(struct ev_loop *loop, pid_t main_pid)
{
	struct service_manager *m = x_calloc(1, sizeof(*m));
	const char *path = getenv("NOTIFY_SOCKET");

	m->fd = -1;
	m->main_pid = main_pid;
	loop_timer_init(&m->watchdog, loop, on_watchdog);
	if (!path || !*path)
		return m;
	if (!address_set(m, path)) {
		log_warn("NOTIFY_SOCKET=%s is not a usable socket name; ignored", path);
		return m;
	}
	m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (m->fd < 0)
		log_warn("no socket for NOTIFY_SOCKET: %s", strerror(errno));
	else
		watchdog_start(m);
	return m;
}

void service_manager_free(struct service_manager *m)
{
	if (!m)
		return;
	loop_timer_set(&m->watchdog, -1);
	if (m->fd >= 0)
		close(m->fd);
	free(m);
}

void service_manager_state(struct service_manager *m, enum daemon_state state, bool booted,
			   const char *text)
{
	auto_free(strbuf_fini) struct strbuf s = STRBUF_INIT;

	if (m->fd < 0 || (state == DAEMON_RELOADING && m->state == DAEMON_RELOADING))
		return;
	if (state == DAEMON_RELOADING && m->state != DAEMON_RELOADING) {
		strbuf_addf(&s, "RELOADING=1\nMONOTONIC_USEC=%lld\n",
			    (long long)(clock_mono_ns() / 1000));
		m->told_ready = false;
	} else if (state == DAEMON_STOPPING && m->state != DAEMON_STOPPING) {
		strbuf_addstr(&s, "STOPPING=1\n");
	} else if (booted && state == DAEMON_RUNNING && !m->told_ready) {
		strbuf_addstr(&s, "READY=1\n");
		m->told_ready = true;
	}
	m->state = state;
	strbuf_addf(&s, "STATUS=%s", text);
	message(m, &s);
}
