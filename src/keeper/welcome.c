/* The first words between keeper and supervisor: SETUP in, WELCOME out, with everything that a new
 * supervisor needs to go on where the one before it stopped. */
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/inner.h"
#include "keeper/packet.h"

/* The socket is empty and the message small: a failure is a reason to give up on this one. */
static bool send_welcome(struct keeper *k, const struct km_welcome *w)
{
	int fds[PACKET_MAX_FDS];
	struct outgoing o = { .head = w, .head_size = sizeof(*w), .fds = fds };
	int records_fd = -1, ret;

	if (w->stage == SETUP_OK) {
		records_fd = openat(k->rundir.fd, RECORDS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		fds[o.nfds++] = k->rundir.fd;
		fds[o.nfds++] = records_fd >= 0 ? records_fd : k->records.fd;
		for (uint32_t i = 0; i < k->hold.n; i++)
			fds[o.nfds++] = k->hold.fds[i];
	}
	ret = packet_send(k->link.fd, &o);
	if (ret < 0)
		dprintf(STDERR_FILENO, "procd: cannot answer the supervisor: %s\n", strerror(-ret));
	closep(&records_fd);
	return ret == 0;
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
