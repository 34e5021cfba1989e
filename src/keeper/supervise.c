/* Bringing up the supervisor, and bringing it back. Its death is not an event for any child: they
 * run on, the records collect what happens, and the next supervisor reads them.
 *
 * A supervisor that somebody killed is replaced at once. One that crashes by itself may do so
 * again, so it is replaced with growing delays, and rarely after five crashes in a minute (safe
 * mode). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "keeper/inner.h"
#include "keeper/supervise.h"

#define CRASH_WINDOW_NS (60 * NS_PER_SEC)
#define CRASH_FIRST_DELAY_NS (100 * NS_PER_MS)
#define SAFE_MODE_DELAY_NS (10 * NS_PER_SEC)
#define SHORT_LIFE_NS NS_PER_SEC
#define GIVE_UP_NS (5 * NS_PER_SEC)
#define RECEIVE_ALL INT32_MAX
#define LEAVE_GRACE_NS (5 * NS_PER_SEC)
#define SETUP_GRACE_NS (5 * NS_PER_SEC)
#define DYING_GRACE_NS NS_PER_SEC
#define SAFE_MODE_GRACE_NS (10 * NS_PER_SEC)
#define SIGNAL_BIT(signo) (UINT64_C(1) << ((signo) - 1))
#define ENDING_SIGNALS (SIGNAL_BIT(SIGTERM) | SIGNAL_BIT(SIGINT) | SIGNAL_BIT(SIGQUIT))

/* options->supervisor_argv with its two placeholders filled in; the strings live as long as we. */
static int argv_prepare(struct keeper *k)
{
	static char fd_text[12];
	static char no_run_dir[1];
	struct supervision *s = &k->supervisor;
	char *const *in = k->options->supervisor_argv;
	size_t n = 0;

	while (in[n] != NULL)
		n++;
	if (s->argv == NULL) {
		s->argv = mmap(NULL, (n + 1) * sizeof(*s->argv), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (s->argv == MAP_FAILED) {
			s->argv = NULL;
			return -errno;
		}
	}
	snprintf(fd_text, sizeof(fd_text), "%d", LOW_SUPERVISOR);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(in[i], "{FD}") == 0)
			s->argv[i] = fd_text;
		else if (strcmp(in[i], "{RUN_DIR}") == 0)
			s->argv[i] = s->welcomed_once ? k->rundir.path : no_run_dir;
		else
			s->argv[i] = in[i];
	}
	return 0;
}

int supervise_start(struct keeper *k)
{
	struct supervision *s = &k->supervisor;
	int ret = argv_prepare(k);
	pid_t pid;

	if (ret == 0)
		ret = link_open(k);
	if (ret < 0)
		return ret;
	pid = spawn_supervisor(k, s->argv, &s->pidfd);
	/* our copy of its end must go, or its death would not close the connection; the number
	 * stays taken, so that nothing else gets it */
	dup3(LOW_NULL, LOW_SUPERVISOR, O_CLOEXEC);
	if (pid < 0) {
		link_close(k);
		return pid;
	}
	s->pid = pid;
	s->state = SUPERVISOR_SETUP;
	s->began_ns = clock_mono_ns();
	s->kill_at_ns = INT64_MAX;
	s->rejected = s->ready = false;
	if (s->pidfd >= 0)
		keeper_watch(k, s->pidfd, EPOLLIN, event_key(EVENT_SUPERVISOR, 0));
	return 0;
}

void supervise_reject(struct keeper *k)
{
	struct supervision *s = &k->supervisor;

	link_close(k);
	/* a leaving one closes its socket first; it is given the time to end by itself */
	if (s->pid <= 0 || s->state == SUPERVISOR_LEAVING)
		return;
	s->rejected = true;
	signal_process(&k->signaller, s->pid, s->pidfd, SIGKILL);
}

void supervise_hung_up(struct keeper *k)
{
	int64_t by_ns = clock_mono_ns() + DYING_GRACE_NS;

	link_close(k);
	k->supervisor.kill_at_ns = MIN(k->supervisor.kill_at_ns, by_ns);
}

void supervise_left(struct keeper *k)
{
	k->supervisor.kill_at_ns = clock_mono_ns() + LEAVE_GRACE_NS;
}

void supervise_signal(struct keeper *k, int signo)
{
	struct supervision *s = &k->supervisor;
	int64_t by_ns = clock_mono_ns() + SETUP_GRACE_NS;

	k->signals |= SIGNAL_BIT(signo);
	k->signals_told &= ~SIGNAL_BIT(signo);
	/* one that hangs before it can be told must not hold up the end */
	if (s->state == SUPERVISOR_SETUP && SIGNAL_BIT(signo) & ENDING_SIGNALS)
		s->kill_at_ns = MIN(s->kill_at_ns, by_ns);
}

static int crashes_lately(const struct supervision *s, int64_t now_ns)
{
	int n = 0;

	for (uint32_t i = 0; i < DEATHS_KEPT; i++)
		if (s->crash_times_ns[i] != 0 && now_ns - s->crash_times_ns[i] < CRASH_WINDOW_NS)
			n++;
	return n;
}

static void restart_plan(struct supervision *s, int status, int64_t now_ns)
{
	bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && !s->rejected;
	int crashes;

	s->state = SUPERVISOR_NONE;
	s->safe_mode = false;
	if (killed) {
		s->restart_at_ns = now_ns - s->began_ns < SHORT_LIFE_NS
			? now_ns + CRASH_FIRST_DELAY_NS : now_ns;
		return;
	}
	s->crash_times_ns[s->crashes++ % DEATHS_KEPT] = now_ns;
	crashes = crashes_lately(s, now_ns);
	s->safe_mode = crashes >= DEATHS_KEPT;
	if (s->safe_mode)
		s->restart_at_ns = now_ns + SAFE_MODE_DELAY_NS;
	else
		s->restart_at_ns = crashes > 1
			? now_ns + (CRASH_FIRST_DELAY_NS << (crashes - 2)) : now_ns;
}

/* Before it was ever welcomed there is nothing to keep: its exit code says what is wrong. */
static void first_failed(struct keeper *k, int status)
{
	k->done = true;
	k->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_OS;
	if (WIFSIGNALED(status))
		dprintf(STDERR_FILENO, "procd: the supervisor was ended by signal %d before it was "
			"ready\n", WTERMSIG(status));
}

void supervise_exited(struct keeper *k)
{
	struct supervision *s = &k->supervisor;
	int64_t now_ns = clock_mono_ns();
	int status = 0;

	if (s->pid <= 0)
		return;
	if (waitpid(s->pid, &status, WNOHANG | __WALL) == 0) {
		/* held by a debugger; SIGCHLD comes when that lets go */
		if (s->pidfd >= 0)
			keeper_watch_hangup(k, s->pidfd, event_key(EVENT_SUPERVISOR, 0));
		return;
	}
	link_receive(k, RECEIVE_ALL);	/* its last words: LEAVE */
	link_close(k);
	if (s->pidfd >= 0)
		close(s->pidfd);
	s->pidfd = -1;
	s->pid = 0;
	heartbeat_init(&k->heartbeat);
	if (s->state == SUPERVISOR_LEAVING) {
		supervise_end_all(k, s->leave_code, 0);
	} else if (s->state == SUPERVISOR_YIELDING) {
		s->state = SUPERVISOR_NONE;
		s->restart_at_ns = now_ns;
		upgrade_begin(k);
	} else if (!s->welcomed_once) {
		first_failed(k, status);
	} else if (!upgrade_died(k, status)) {
		restart_plan(s, status, now_ns);
		s->deaths++;
	}
}

/* One that ought to have acted by now: ended, so that the next one or the end can come. */
static int64_t impatient_turn(struct keeper *k, int64_t now_ns)
{
	struct supervision *s = &k->supervisor;

	if (s->state == SUPERVISOR_SERVING && k->link.fd >= 0)
		s->kill_at_ns = INT64_MAX;
	if (now_ns < s->kill_at_ns)
		return s->kill_at_ns;
	s->kill_at_ns = INT64_MAX;
	s->rejected = true;
	signal_process(&k->signaller, s->pid, s->pidfd, SIGKILL);
	return INT64_MAX;
}

int64_t supervise_turn(struct keeper *k, int64_t now_ns)
{
	struct supervision *s = &k->supervisor;

	if (k->ending.on)
		return INT64_MAX;
	if (s->state != SUPERVISOR_NONE)
		return impatient_turn(k, now_ns);
	if (s->safe_mode && k->signals & ENDING_SIGNALS) {
		supervise_end_all(k, EXIT_FAILED,
				  k->signals & SIGNAL_BIT(SIGQUIT) ? 0 : SAFE_MODE_GRACE_NS);
		return INT64_MAX;
	}
	if (now_ns >= s->restart_at_ns && supervise_start(k) < 0)
		s->restart_at_ns = now_ns + NS_PER_SEC;
	return s->state == SUPERVISOR_NONE ? s->restart_at_ns : INT64_MAX;
}

/* --- without a supervisor ------------------------------------------------------------------- */

/* Signal every tree that is left; returns how many there are. */
static uint32_t signal_all(struct keeper *k, int signo)
{
	uint32_t n = 0;

	if (k->records.header == NULL)
		return 0;
	for (uint32_t slot = 0; slot < k->records.header->nslots; slot++) {
		const struct record *r = record_get(&k->records, slot);
		uint32_t state = atomic_load_explicit(&r->state, memory_order_relaxed);

		if (state != RECORD_RUNNING && state != RECORD_EXITED)
			continue;
		n++;
		if (signo == 0)
			continue;
		if (r->flags & PLAN_TREE)
			tree_signal(k, slot, signo, true);
		else
			tree_signal_leader(k, slot, signo, true);
	}
	return n;
}

bool supervise_anything_left(struct keeper *k)
{
	return signal_all(k, 0) > 0;
}

void supervise_end_all(struct keeper *k, int code, int64_t grace_ns)
{
	int64_t now_ns = clock_mono_ns();

	if (k->ending.on)
		return;
	k->ending = (struct ending){
		.on = true,
		.code = code,
		.kill_at_ns = now_ns + grace_ns,
		.give_up_at_ns = now_ns + grace_ns + GIVE_UP_NS,
	};
	if (signal_all(k, grace_ns > 0 ? SIGTERM : 0) == 0) {
		k->done = true;
		k->exit_code = code;
	}
}

int64_t supervise_ending_turn(struct keeper *k, int64_t now_ns)
{
	struct ending *e = &k->ending;

	if (!e->on)
		return INT64_MAX;
	if (signal_all(k, 0) == 0 || now_ns >= e->give_up_at_ns) {
		k->done = true;
		k->exit_code = e->code;
		return INT64_MAX;
	}
	if (!e->killed && now_ns >= e->kill_at_ns) {
		e->killed = true;
		signal_all(k, SIGKILL);
	}
	return e->killed ? e->give_up_at_ns : e->kill_at_ns;
}
