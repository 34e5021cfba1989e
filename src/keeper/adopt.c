/* Adoption. We are not the parent of these processes, so their end is seen through a pidfd: it is
 * readable when they have ended and hangs up when their real parent (init) has reaped them, and
 * only from then on a new enough kernel tells the status. An init that does not reap is waited for
 * a moment, then the status counts as unknown. Without pidfds they are looked at once a second.
 *
 * A number alone proves nothing: pids are reused. The identity of the pidfd is proof; else the
 * start time; and for a child whose keeper was killed before it could note either, that it is not
 * younger than its record and carries the subsystem's name; for a record that was damaged, that it
 * leads a session of that number or is in the slot's cgroup, and carries the name. What is not
 * proven is left alone, and said.
 *
 * A child that was to die with its keeper (on_supervisor_death = "stop") is taken over like any
 * other: the supervisor sees in the record what it is, and ends it. */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/adopt.h"
#include "keeper/features.h"
#include "keeper/inner.h"
#include "keeper/salvage.h"

#define LAZY_PARENT_NS (3 * NS_PER_SEC)
#define LOOK_EVERY_NS NS_PER_SEC
#define AGE_SLACK_NS (2 * NS_PER_SEC)

/* --- proof ------------------------------------------------------------------------------------ */

/* Did the process that started TICKS after boot start clearly later than R was written? Then it got
 * the number after our child. (Ticks count suspended time, the record's clock does not: only an old
 * process can seem younger to neither.) */
static bool younger(const struct record *r, uint64_t ticks)
{
	int64_t hz = sysconf(_SC_CLK_TCK);
	struct timespec boot;
	int64_t age_ns;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	age_ns = (int64_t)boot.tv_sec * NS_PER_SEC + boot.tv_nsec -
		 (int64_t)ticks * (NS_PER_SEC / hz);
	return age_ns + AGE_SLACK_NS < clock_mono_ns() - r->started_mono_ns;
}

/* No more than "it is there" can be said of PID, for want of memory or descriptors. */
static bool unreadable(pid_t pid, uint64_t ticks)
{
	return ticks == 0 && (kill(pid, 0) == 0 || errno != ESRCH);
}

/* PIDFD (< 0: none) was opened before: while we look, the number belongs to the process behind
 * it. */
static bool identical(const struct keeper *k, const struct record *r, bool damaged, int pidfd)
{
	uint64_t ticks;

	if (damaged)
		return (getsid(r->pid) == r->pid || cgroup_has(&k->tree.cgroup, r->slot, r->pid)) &&
		       r->name[0] != '\0' && proc_has_marker(r->pid, r->name);
	if (r->pidfd_ino != 0 && pidfd >= 0 && k->signaller.have_inode) {
		uint64_t inode = pidfd_inode(pidfd);

		if (inode != 0)		/* else it could not be read */
			return inode == r->pidfd_ino;
	}
	ticks = process_start_time(r->pid);
	if (ticks == 0)
		return false;
	if (r->start_ticks != 0)
		return ticks == r->start_ticks;
	return !younger(r, ticks) && proc_has_marker(r->pid, r->name);
}

/* Is the very process that R is about still there? Then *PIDFD gets a descriptor (-1 without). When
 * somebody else has its number, or it cannot be told who, the record says so. */
static bool proven(const struct keeper *k, struct record *r, bool damaged, int *pidfd)
{
	*pidfd = -1;
	if (r->pid <= 1)
		return false;
	if (k->signaller.have_pidfd) {
		*pidfd = pidfd_open_process(r->pid);
		if (*pidfd == -ESRCH)
			return false;
	}
	if (identical(k, r, damaged, *pidfd))
		return true;
	if (*pidfd >= 0 || process_start_time(r->pid) != 0)
		r->fate |= RECORD_LEFT_ALONE;
	closep(pidfd);
	return false;
}

/* --- taking over ------------------------------------------------------------------------------ */

static void look_by(struct keeper *k, int64_t at_ns)
{
	k->adoption.look_at_ns = MIN(k->adoption.look_at_ns, at_ns);
}

static bool group_is_there(const struct keeper *k, uint32_t slot)
{
	int fd = k->tree.cgroup.usable ? cgroup_open(LOW_CGROUP, slot) : -1;

	closep(&fd);
	slot_get(&k->slots, slot)->cgroup_worn = fd >= 0;	/* who knows */
	return fd >= 0;
}

/* The leader is gone, or nobody knows; is there more of its tree? */
static void adopt_rest(struct keeper *k, uint32_t slot)
{
	struct record *r = record_get(&k->records, slot);
	struct slot *own = slot_get(&k->slots, slot);
	bool left;

	/* first of all: its number is nobody's that we know */
	atomic_store_explicit(&r->state, RECORD_EXITED, memory_order_release);
	own->has_cgroup = r->flags & PLAN_TREE && group_is_there(k, slot);
	left = r->flags & PLAN_TREE && tree_members(k, slot) > 0;
	own->tree_left = left;
	if (left)
		tree_watch(k, slot);
	else
		atomic_store_explicit(&r->state, RECORD_GONE, memory_order_release);
}

static void adopt_leader(struct keeper *k, uint32_t slot, int pidfd)
{
	struct record *r = record_get(&k->records, slot);
	struct slot *own = slot_get(&k->slots, slot);

	own->adopted = true;
	own->has_cgroup = r->flags & PLAN_TREE && group_is_there(k, slot) &&
			  cgroup_has(&k->tree.cgroup, slot, r->pid);
	if (r->start_ticks == 0)
		r->start_ticks = process_start_time(r->pid);
	record_seal(r);
	atomic_store_explicit(&r->state, RECORD_RUNNING, memory_order_release);
	slots_add_pid(&k->slots, &k->records, slot);
	/* once: a dead one whose parent sleeps would stay readable */
	if (pidfd >= 0 &&
	    keeper_watch(k, pidfd, EPOLLIN | EPOLLONESHOT, event_key(EVENT_CHILD, slot)) == 0) {
		own->pidfd = pidfd;
		return;
	}
	closep(&pidfd);
	look_by(k, clock_mono_ns());
}

/* It ended while no keeper was there, or nobody can say what became of it. */
static void note_unknown_end(struct record *r)
{
	r->wait_status = WAIT_STATUS_UNKNOWN;
	r->exited_mono_ns = clock_mono_ns();
	record_seal(r);
	record_seal_end(r);
}

/* Of a damaged record only what can be seen from outside is of use. */
static void repair(struct keeper *k, struct record *r, uint32_t slot)
{
	k->records.header->damaged++;
	r->slot = slot;
	r->flags = PLAN_TREE;
	r->name[sizeof(r->name) - 1] = '\0';
	r->pidfd_ino = r->start_ticks = 0;
	r->session = 0;
	r->started_mono_ns = MIN(r->started_mono_ns, clock_mono_ns());
	r->exited_mono_ns = 0;
	r->capture_of = 0;
	atomic_store_explicit(&r->end_seal, 0, memory_order_relaxed);
}

/* The FIFOs that it writes to: its slot's, or another's. */
static void hold_output(struct keeper *k, const struct record *r)
{
	uint32_t slot = r->capture_of != 0 ? r->capture_of - 1 : r->slot;
	struct slot *own;

	if (slot >= k->records.header->nslots)
		return;
	own = slot_get(&k->slots, slot);
	for (int stream = 1; stream <= 2; stream++)
		if (own->fifo[stream - 1] == 0)
			fifo_hold_existing(slot, own, stream);
}

/* False: the slot was nobody's. */
static bool adopt_one(struct keeper *k, uint32_t slot)
{
	struct record *r = record_get(&k->records, slot);
	enum record_verdict verdict;
	int pidfd;

	record_finish_follow(r, slot);
	verdict = record_judge(r, slot);
	if (verdict == RECORD_DAMAGED)
		repair(k, r, slot);
	if (verdict == RECORD_EMPTY || r->name[0] == '\0') {
		r->slot = slot;
		record_clear(r);
		return false;
	}
	r->fate = RECORD_TAKEN_OVER;
	hold_output(k, r);
	if (verdict != RECORD_ENDED && proven(k, r, verdict == RECORD_DAMAGED, &pidfd)) {
		adopt_leader(k, slot, pidfd);
		return true;
	}
	if (verdict != RECORD_ENDED)
		note_unknown_end(r);
	adopt_rest(k, slot);
	return true;
}

static bool adopt_each(struct keeper *k)
{
	bool any = false;

	for (uint32_t slot = 0; slot < k->records.header->nslots; slot++)
		any |= adopt_one(k, slot);
	return any;
}

void adopt_all(struct keeper *k)
{
	if (!adopt_each(k) && salvage_records(k))
		adopt_each(k);
}

/* --- their end -------------------------------------------------------------------------------- */

static void adopted_ended(struct keeper *k, uint32_t slot, int status)
{
	struct record *r = record_get(&k->records, slot);
	struct slot *own = slot_get(&k->slots, slot);

	r->wait_status = status;
	if (r->exited_mono_ns == 0)
		r->exited_mono_ns = clock_mono_ns();
	record_seal_end(r);
	own->tree_left = r->flags & PLAN_TREE ? tree_rest(k, slot) : 0;
	reap_finish(k, slot);
}

/* Asked when the first one ends: it takes a fork to find out. */
static bool kernel_tells_status(struct keeper *k)
{
	struct adoption *a = &k->adoption;

	if (!a->asked)
		a->tells_status = k->signaller.have_pidfd &&
				  kernel_feature_usable(FEATURE_PIDFD_INFO_EXIT);
	a->asked = true;
	return a->tells_status;
}

/* True when it was told; otherwise it is dead, but nobody has reaped it. */
static bool tell_status(struct keeper *k, uint32_t slot)
{
	int status, ret = pidfd_exit_status(slot_get(&k->slots, slot)->pidfd, &status);

	if (ret != 0 && kernel_tells_status(k))
		return false;
	adopted_ended(k, slot, ret == 0 ? status : WAIT_STATUS_UNKNOWN);
	return true;
}

void adopt_news(struct keeper *k, uint32_t slot)
{
	struct record *r = record_get(&k->records, slot);
	struct slot *own = slot_get(&k->slots, slot);

	if (tell_status(k, slot))
		return;
	if (r->exited_mono_ns != 0) {	/* reaped, and still no word: there will be none */
		adopted_ended(k, slot, WAIT_STATUS_UNKNOWN);
		return;
	}
	r->exited_mono_ns = clock_mono_ns();
	keeper_watch_hangup(k, own->pidfd, event_key(EVENT_CHILD, slot));
	look_by(k, r->exited_mono_ns + LAZY_PARENT_NS);
}

/* When SLOT wants to be looked at again. */
static int64_t adopt_look(struct keeper *k, uint32_t slot, int64_t now_ns)
{
	struct record *r = record_get(&k->records, slot);
	struct slot *own = slot_get(&k->slots, slot);
	uint64_t ticks;

	if (own->pidfd > 0 && r->exited_mono_ns == 0)
		return INT64_MAX;
	if (own->pidfd > 0 && now_ns < r->exited_mono_ns + LAZY_PARENT_NS)
		return r->exited_mono_ns + LAZY_PARENT_NS;
	ticks = own->pidfd <= 0 && r->start_ticks != 0 ? process_start_time(r->pid) : 0;
	if (own->pidfd <= 0 && r->start_ticks != 0 &&
	    (ticks == r->start_ticks || unreadable(r->pid, ticks)))
		return now_ns + LOOK_EVERY_NS;
	adopted_ended(k, slot, WAIT_STATUS_UNKNOWN);
	return INT64_MAX;
}

int64_t adopt_turn(struct keeper *k, int64_t now_ns)
{
	int64_t next = INT64_MAX;

	if (now_ns < k->adoption.look_at_ns)
		return k->adoption.look_at_ns;
	for (uint32_t slot = 0; slot < k->records.header->nslots; slot++) {
		uint32_t state = atomic_load_explicit(&record_get(&k->records, slot)->state,
						      memory_order_relaxed);

		if (state == RECORD_RUNNING && slot_get(&k->slots, slot)->adopted) {
			int64_t at = adopt_look(k, slot, now_ns);

			next = MIN(next, at);
		}
	}
	k->adoption.look_at_ns = next;
	return next;
}
