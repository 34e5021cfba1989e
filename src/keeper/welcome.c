/* The first words between keeper and supervisor: SETUP in, WELCOME out, with everything that a new
 * supervisor needs to go on where the one before it stopped. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/inner.h"

/* The socket is empty and the message small: a failure is a reason to give up on this one. */
static bool send_welcome(struct keeper *k, const struct km_welcome *w)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * (2 + HOLD_MAX))];
	} control = { 0 };
	union { const struct km_welcome *in; void *out; } payload = { .in = w };
	struct iovec iov = { .iov_base = payload.out, .iov_len = sizeof(*w) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[2 + HOLD_MAX];
	size_t nfds = 0;
	int records_fd = -1;
	ssize_t n;

	if (w->stage == SETUP_OK) {
		records_fd = openat(k->rundir.fd, RECORDS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		fds[nfds++] = k->rundir.fd;
		fds[nfds++] = records_fd >= 0 ? records_fd : k->records.fd;
		for (uint32_t i = 0; i < k->hold.n; i++)
			fds[nfds++] = k->hold.fds[i];
		msg.msg_control = control.room;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(nfds * sizeof(int)),
						  .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), fds, nfds * sizeof(int));
	}
	do
		n = sendmsg(k->link.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		dprintf(STDERR_FILENO, "procd: cannot answer the supervisor: %s\n",
			strerror(errno));
	closep(&records_fd);
	return n >= 0;
}

bool welcome_take(struct keeper *k, const void *msg, size_t size)
{
	const struct km_setup *setup = msg;
	struct km_welcome w = { .h = { KM_WELCOME, sizeof(w) }, .keeper_pid = getpid() };

	if (size != sizeof(*setup) || k->supervisor.state != SUPERVISOR_SETUP ||
	    setup->name[NAME_CAP - 1] != '\0' || setup->run_dir[PATH_MAX - 1] != '\0' ||
	    setup->pid_file[PATH_MAX - 1] != '\0')
		return false;
	keeper_setup(k, setup, &w);
	w.recovering = k->supervisor.welcomed_once;
	w.deaths = k->supervisor.deaths;
	w.keeper_started_mono_ns = k->started_ns;
	w.have_cgroup = k->tree.cgroup.usable;
	w.handover = k->options->keeper_argv != NULL ? keeper_handover_layout() : 0;
	w.upgraded = k->upgrade.told;
	memcpy(w.exe, k->upgrade.path, sizeof(w.exe));
	w.nheld = k->hold.n;
	w.nheld_slots = w.stage == SETUP_OK ? link_tell_held(k) : 0;
	memcpy(w.held_keys, k->hold.keys, sizeof(w.held_keys));
	if (!send_welcome(k, &w))
		return false;
	if (w.stage == SETUP_OK) {
		slots_forget_told_by_records(&k->slots);
		k->supervisor.state = SUPERVISOR_SERVING;
		k->supervisor.welcomed_once = true;
	}
	return true;
}
