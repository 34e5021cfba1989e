/* A process can put anything in the place of a socket, and for some files it takes another
 * program's word to look at them or to close them (FUSE). So a helper does it, which is waited for
 * as long as that takes with sockets, and then killed. It sends what it found itself: descriptors
 * that come from elsewhere never are the keeper's. */
#include "keeper/fetch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/features.h"
#include "keeper/inner.h"
#include "keeper/packet.h"

#define FIRST_FD 3	/* SD_LISTEN_FDS_START */

static bool is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* What is no socket stays open until the helper ends. */
static void collect(int pidfd, uint32_t count, struct km_fetched *m, int fds[PLAN_MAX_LISTEN])
{
	for (uint32_t i = 0; i < count; i++) {
		int fd = pidfd_get_fd(pidfd, FIRST_FD + (int)i);

		if (fd < 0 && fd != -EBADF) {
			m->errnum = -fd;
			return;
		}
		if (fd < 0 || !is_socket(fd))
			continue;
		m->at[m->n] = (uint8_t)i;
		fds[m->n++] = fd;
	}
}

static void send_found(int link, const struct km_fetched *m, const int *fds)
{
	const struct outgoing o = { .head = m, .head_size = sizeof(*m), .fds = fds, .nfds = m->n };
	struct pollfd p = { .fd = link, .events = POLLOUT };

	while (packet_send(link, &o) == -EAGAIN)
		poll(&p, 1, FETCH_MAX_MS);
}

/* Without descriptors; where the socket has no room, nobody is told. */
static void send_none(struct keeper *k, struct km_fetched *m, int errnum)
{
	const struct outgoing o = { .head = m, .head_size = sizeof(*m) };

	m->errnum = errnum;
	packet_send(k->link.fd, &o);
}

/* Nobody may wait for a keeper that is gone because this one still has its end of the socket. */
static bool die_with_keeper(pid_t keeper)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == keeper;
}

static _Noreturn void help(int link, int pidfd, uint32_t count, struct km_fetched *found,
			   pid_t keeper)
{
	int fds[PLAN_MAX_LISTEN];

	if (die_with_keeper(keeper)) {
		collect(pidfd, count, found, fds);
		send_found(link, found, fds);
	}
	_exit(0);
}

/* It has ended: 1; 0: it is slow; -errno. */
static int wait_for(pid_t helper)
{
	struct pollfd p = { .fd = pidfd_open_process(helper), .events = POLLIN };
	int ret;

	if (p.fd < 0)
		return p.fd;
	do
		ret = poll(&p, 1, FETCH_MAX_MS) < 0 ? -errno : p.revents != 0;
	while (ret == -EINTR);
	close(p.fd);
	return ret;
}

/* 0, or -errno: there will be no answer. (SIGCHLD tells the end of one that was slow.) */
static int helped(pid_t helper)
{
	int status, ret = wait_for(helper);

	kill(helper, SIGKILL);	/* not reaped yet, so the number is its own */
	if (waitpid(helper, &status, WNOHANG) == helper && WIFEXITED(status))
		return 0;
	return ret < 0 ? ret : -ETIMEDOUT;
}

void fetch_sockets(struct keeper *k, const struct km_fetch *m)
{
	struct km_fetched found = { .h = { KM_FETCHED, sizeof(found) }, .slot = m->slot,
				    .spawn_id = m->spawn_id };
	int pidfd = slot_get(&k->slots, m->slot)->pidfd;
	pid_t keeper = getpid(), helper;
	int ret;

	if (pidfd <= 0 || kernel_feature_refused(FEATURE_PIDFD_GETFD)) {
		send_none(k, &found, ENOSYS);
		return;
	}
	helper = fork();
	if (helper == 0)
		help(k->link.fd, pidfd, m->count, &found, keeper);
	ret = helper < 0 ? -errno : helped(helper);
	if (ret < 0)
		send_none(k, &found, -ret);
}
