/* A ping at fixed times would wake two processes for nothing, all day long. So the keeper waits for
 * an answer when it has told something, which is when one matters: an order, or that the news were
 * heard. Who says nothing for ten seconds has come to a halt. A supervisor that somebody stopped is
 * a halt of its own, told by SIGCHLD like an end.
 *
 * The clock does not run while the machine sleeps; and a keeper that was itself held up does not
 * blame others for it. What a debugger holds is left to the debugger. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "keeper/inner.h"
#include "keeper/linereader.h"

#define PATIENCE_NS (10 * NS_PER_SEC)
#define BEGINNER_PATIENCE_NS (60 * NS_PER_SEC)	/* it may have a lot to read before it serves */
#define HELD_UP_NS NS_PER_SEC	/* so late to our own appointment: we were not running either */

void heartbeat_init(struct heartbeat *h)
{
	*h = (struct heartbeat){ .patience_ns = INT64_MAX };
}

static void be_patient(struct keeper *k)
{
	struct heartbeat *h = &k->heartbeat;
	int64_t patience_ns = k->supervisor.ready || h->stopped ? PATIENCE_NS
							       : BEGINNER_PATIENCE_NS;

	if (!h->waits && !h->stopped)
		h->patience_ns = INT64_MAX;
	else if (h->patience_ns == INT64_MAX)
		h->patience_ns = clock_mono_ns() + patience_ns;
	else if (h->stopped)
		h->patience_ns = MIN(h->patience_ns, clock_mono_ns() + PATIENCE_NS);
}

void heartbeat_wait(struct keeper *k)
{
	k->heartbeat.waits = true;
	be_patient(k);
}

void heartbeat_heard(struct keeper *k)
{
	k->heartbeat.waits = false;
	be_patient(k);
}

void heartbeat_look(struct keeper *k)
{
	siginfo_t si = { 0 };

	if (k->supervisor.pid <= 0)
		return;
	k->heartbeat.stopped = waitid(P_PID, (id_t)k->supervisor.pid, &si,
				      WSTOPPED | WNOHANG | WNOWAIT) == 0 && si.si_pid != 0;
	be_patient(k);
}

static bool has_debugger(pid_t pid)
{
	struct linereader r;
	char path[48], line[64];
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (!linereader_open(&r, AT_FDCWD, path, line, sizeof(line)))
		return false;
	while (!found && linereader_next(&r))
		found = strncmp(line, "TracerPid:", 10) == 0 && strtol(line + 10, NULL, 10) != 0;
	linereader_close(&r);
	return found;
}

int64_t heartbeat_turn(struct keeper *k, int64_t now_ns)
{
	struct heartbeat *h = &k->heartbeat;

	if (now_ns < h->patience_ns)
		return h->patience_ns;
	if (h->stopped)
		heartbeat_look(k);
	if (!h->waits && !h->stopped)
		return INT64_MAX;
	if (now_ns - h->patience_ns > HELD_UP_NS || has_debugger(k->supervisor.pid)) {
		h->patience_ns = now_ns + PATIENCE_NS;
		return h->patience_ns;
	}
	heartbeat_init(h);
	k->supervisor.rejected = true;
	signal_process(&k->signaller, k->supervisor.pid, k->supervisor.pidfd, SIGKILL);
	return INT64_MAX;
}
