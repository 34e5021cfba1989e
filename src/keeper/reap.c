/* Reaping. A leader's exit is told by its pidfd, at a cost that does not grow with the number of
 * children. Signals merge, so SIGCHLD names only some of the orphans: one sweep, at most every half
 * second, finds the rest (and, on a kernel without pidfds, everything). */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/follow.h"
#include "keeper/inner.h"
#include "keeper/supervise.h"

#define SWEEP_EVERY_NS (500 * NS_PER_MS)
#define SWEEP_MAX 64

void reap_init(struct keeper *k)
{
	k->reaper.sweep_at_ns = INT64_MAX;
}

/* libc's waitid has no rusage. 1: reaped, 0: not ended, -errno. */
static int wait_for(idtype_t type, id_t id, siginfo_t *si, int options, struct rusage *ru)
{
	si->si_pid = 0;
	if (syscall(SYS_waitid, type, id, si, options | WEXITED | WNOHANG | __WALL, ru) < 0)
		return -errno;
	return si->si_pid != 0;
}

/* As waitpid(2) would have said it. */
static int32_t wait_status(const siginfo_t *si)
{
	if (si->si_code == CLD_EXITED)
		return (si->si_status & 0xff) << 8;
	return (si->si_status & 0x7f) | (si->si_code == CLD_DUMPED ? 0x80 : 0);
}

static uint64_t microseconds(const struct timeval *tv)
{
	return (uint64_t)tv->tv_sec * 1000000 + (uint64_t)tv->tv_usec;
}

/* SI NULL: somebody else took the status; never invent one. */
static void record_exit(struct record *r, const siginfo_t *si, const struct rusage *ru)
{
	r->wait_status = si != NULL ? wait_status(si) : WAIT_STATUS_UNKNOWN;
	r->exited_mono_ns = clock_mono_ns();
	r->user_us = microseconds(&ru->ru_utime);
	r->system_us = microseconds(&ru->ru_stime);
	r->max_rss_kib = (uint64_t)ru->ru_maxrss;
	record_seal_end(r);
}

void reap_finish(struct keeper *k, uint32_t slot)
{
	struct record *r = record_get(&k->records, slot);
	struct slot *own = slot_get(&k->slots, slot);

	if (own->pidfd > 0)
		close(own->pidfd);
	own->pidfd = 0;
	own->adopted = false;
	slots_remove_pid(&k->slots, &k->records, slot);
	atomic_store_explicit(&r->state, own->tree_left != 0 ? RECORD_EXITED : RECORD_GONE,
			      memory_order_release);
	slots_tell(&k->slots, slot, FACT_EXITED);
	if (own->tree_left != 0)
		tree_watch(k, slot);
}

void reap_slot(struct keeper *k, uint32_t slot)
{
	struct record *r = record_get(&k->records, slot);
	struct slot *own = slot_get(&k->slots, slot);
	struct rusage ru = { 0 };
	siginfo_t si = { 0 };
	bool by_session = r->flags & PLAN_TREE && !own->has_cgroup;
	int ret;

	if (atomic_load_explicit(&r->state, memory_order_relaxed) != RECORD_RUNNING)
		return;
	own->adopted = own->adopted && !follow_came_to_us(k, slot);
	if (own->adopted) {
		adopt_news(k, slot);
		return;
	}
	/* Waited for by number also where there is a pidfd: it is our unreaped child, so nobody
	 * else can have that number, and P_PIDFD is younger than pidfds. */
	ret = wait_for(P_PID, (id_t)r->pid, &si, by_session ? WNOWAIT : 0, &ru);
	if (ret == 0) {
		/* dead, but held by a debugger; SIGCHLD comes when that lets go */
		if (own->pidfd > 0)
			keeper_watch_hangup(k, own->pidfd, event_key(EVENT_CHILD, slot));
		return;
	}
	/* while the dead leader still has its number, nothing new can pass for its session */
	own->tree_left = r->flags & PLAN_TREE ? tree_rest(k, slot) : 0;
	if (ret > 0 && by_session)
		ret = wait_for(P_PID, (id_t)r->pid, &si, 0, &ru);
	record_exit(r, ret > 0 ? &si : NULL, &ru);
	reap_finish(k, slot);
}

/* The slot whose leader is our child PID; -1: none. The number of an adopted one may be
 * anybody's. */
static int64_t child_slot(const struct keeper *k, pid_t pid)
{
	int64_t slot = slots_find_pid(&k->slots, &k->records, pid);

	return slot >= 0 && (!slot_get(&k->slots, (uint32_t)slot)->adopted ||
			     follow_came_to_us(k, (uint32_t)slot)) ? slot : -1;
}

/* --- orphans ------------------------------------------------------------------------------- */

void reap_sweep_soon(struct keeper *k)
{
	if (k->reaper.sweep_at_ns == INT64_MAX)
		k->reaper.sweep_at_ns = k->reaper.swept_at_ns + SWEEP_EVERY_NS;
}

void reap_note(struct keeper *k, pid_t pid)
{
	siginfo_t si = { 0 };
	bool ours = pid == k->supervisor.pid || child_slot(k, pid) >= 0;

	if (!ours && pid > 1)
		wait_for(P_PID, (id_t)pid, &si, 0, NULL);
	if (k->signaller.have_pidfd && !k->reaper.unwatched)
		reap_sweep_soon(k);
	else
		k->reaper.sweep_at_ns = 0;	/* nothing else tells */
}

void reap_unwatched(struct keeper *k)
{
	k->reaper.unwatched = true;
	k->reaper.sweep_at_ns = 0;	/* it may have ended before */
}

/* The next dead child, whoever it is. Ours are handled at once and not passed over: as long as one
 * is not reaped, the kernel would name the same one again. False: none is left. */
static bool sweep_one(struct keeper *k)
{
	siginfo_t si = { 0 };
	int64_t slot;

	if (wait_for(P_ALL, 0, &si, WNOWAIT, NULL) <= 0)
		return false;
	slot = child_slot(k, si.si_pid);
	if (si.si_pid == k->supervisor.pid)
		supervise_exited(k);
	else if (slot >= 0)
		reap_slot(k, (uint32_t)slot);
	else
		wait_for(P_PID, (id_t)si.si_pid, &si, 0, NULL);
	return true;
}

int64_t reap_turn(struct keeper *k, int64_t now_ns)
{
	int n = 0;

	if (now_ns < k->reaper.sweep_at_ns)
		return k->reaper.sweep_at_ns;
	while (n < SWEEP_MAX && sweep_one(k))
		n++;
	k->reaper.swept_at_ns = now_ns;
	k->reaper.sweep_at_ns = n == SWEEP_MAX ? now_ns : INT64_MAX;
	return k->reaper.sweep_at_ns;
}
