/* The beginning of the conversation, for which the supervisor waits: without its answer there is
 * nothing to do. */
#include "keeper/setup.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "keeper/packet.h"

#define SETUP_TIMEOUT_NS (10 * NS_PER_SEC)

static int explain(const struct km_welcome *w, const struct km_setup *setup, struct error *e)
{
	switch ((enum setup_stage)w->stage) {
	case SETUP_OK:
		return 0;
	case SETUP_LOCKED:
		error_set(e, ERROR_RUNTIME_LOCK, 0,
			  "already running: run directory %s is held by pid %d; stop it with "
			  "`procd shutdown`, or give this instance another name or run_dir",
			  setup->run_dir, w->holder_pid);
		return EXIT_ALREADY_RUNNING;
	case SETUP_RUN_DIR_UNSAFE:
		error_set(e, ERROR_IO_PERMISSION, w->errnum,
			  "run directory %s cannot be trusted: it must be a directory (no symbolic "
			  "link) of your own that nobody else can write to", setup->run_dir);
		return EXIT_PERMISSION;
	case SETUP_PID_FILE:
		error_set(e, ERROR_IO, 0, "cannot write pid file %s: %s", setup->pid_file,
			  file_refusal(-w->errnum));
		return EXIT_CANNOT_CREATE;
	case SETUP_RUN_DIR:
	case SETUP_LOCK:
	case SETUP_RECORDS:
		error_set(e, ERROR_IO, w->errnum, "cannot create %s in run directory %s; choose "
			  "another with run_dir", w->stage == SETUP_LOCK ? "the lock" :
			  w->stage == SETUP_RECORDS ? "the records" : "or enter the place",
			  setup->run_dir);
		return w->errnum == EACCES || w->errnum == EPERM ? EXIT_PERMISSION
								 : EXIT_CANNOT_CREATE;
	case SETUP_MOVED:
		error_set(e, ERROR_CONFIG_INVALID, 0, "run_dir became %s while procd was running; "
			  "that needs a restart of procd", setup->run_dir);
		return EXIT_CONFIG;
	case SETUP_VERSION:
		break;
	}
	error_set(e, ERROR_PLATFORM, 0, "the keeper speaks another version of the protocol");
	return EXIT_OS;
}

static int answer_wait(int fd, struct error *e)
{
	int64_t until = clock_mono_ns() + SETUP_TIMEOUT_NS;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = until - clock_mono_ns();

		if (left > 0 && poll(&p, 1, (int)(left / NS_PER_MS) + 1) > 0)
			return 0;
		if (left <= 0) {
			error_set(e, ERROR_TIMEOUT, 0, "the keeper does not answer");
			return EXIT_OS;
		}
	}
}

/* Receive a message of SIZE with its descriptors; returns their number, or -errno. */
static int answer_receive(int fd, void *answer, size_t size, int fds[PACKET_MAX_FDS])
{
	int nfds;
	ssize_t got = packet_receive(fd, answer, size, 0, fds, &nfds);

	if (got < 0)
		return (int)got;
	return got == (ssize_t)size ? nfds : -EPROTO;
}

static int welcome_receive(int fd, struct km_welcome *w, int fds[PACKET_MAX_FDS])
{
	int n = answer_receive(fd, w, sizeof(*w), fds);

	if (n >= 0 && (w->h.type != KM_WELCOME || w->nheld > HOLD_MAX ||
		       w->nheld_slots > RECORDS_MAX_SLOTS))
		return -EPROTO;
	return n;
}

/* What the keeper holds for slots, behind WELCOME. 0, or the exit code with *E set. */
static int held_receive(int fd, uint32_t total, struct setup_answer *a, struct error *e)
{
	a->held = x_calloc(total + 1, sizeof(*a->held));
	while (a->nheld < total) {
		int fds[PACKET_MAX_FDS], n, rc = answer_wait(fd, e);
		struct km_held m;

		if (rc != 0)
			return rc;
		n = answer_receive(fd, &m, sizeof(m), fds);
		if (n <= 0 || m.h.type != KM_HELD || m.n != (uint32_t)n ||
		    m.n > total - a->nheld) {
			error_set(e, ERROR_RUNTIME_SPAWN, n < 0 ? -n : 0,
				  "cannot read what the keeper holds");
			return EXIT_OS;
		}
		for (uint32_t i = 0; i < m.n; i++)
			a->held[a->nheld++] = (struct held_slot){ m.slots[i], fds[i] };
	}
	return 0;
}

static int send_setup(int fd, const struct km_setup *setup, struct error *e)
{
	ssize_t sent;

	do
		sent = send(fd, setup, sizeof(*setup), MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent == (ssize_t)sizeof(*setup))
		return 0;
	error_set(e, ERROR_RUNTIME_SPAWN, errno, "cannot talk to the keeper");
	return EXIT_OS;
}

int setup_converse(int fd, const struct km_setup *setup, struct setup_answer *a, struct error *e)
{
	struct km_welcome *w = &a->welcome;
	int n, rc = send_setup(fd, setup, e);

	if (rc == 0)
		rc = answer_wait(fd, e);
	if (rc != 0)
		return rc;
	n = welcome_receive(fd, w, a->fds);
	if (n < 0 || (w->stage == SETUP_OK && n != (int)(2 + w->nheld))) {
		error_set(e, ERROR_RUNTIME_SPAWN, n < 0 ? -n : 0,
			  "cannot read the keeper's answer");
		return EXIT_OS;
	}
	rc = explain(w, setup, e);
	return rc != 0 ? rc : held_receive(fd, w->nheld_slots, a, e);
}
