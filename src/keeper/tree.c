/* Trees: two ways to know the members behind the same four questions. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hash.h"
#include "keeper/inner.h"

#define WATCH_FIRST_NS (5 * NS_PER_MS)
#define WATCH_LAST_NS (200 * NS_PER_MS)
#define WATCH_PER_TURN 64
#define MEMBERS_AT_ONCE 8192
#define GENERATIONS_MAX 1024
/* A wish to signal a tree may use a look this old; what was born since is younger than the wish. A
 * kill is repeated with new looks until nothing is left. */
#define LOOK_FRESH_NS (50 * NS_PER_MS)
/* A process shows no environment in the middle of an exec; that takes less time than so many looks. */
#define LOOKS_AT_EXEC 4

/* --- members without cgroup ------------------------------------------------------------------- */

#define MARKER_NONE 0		/* or it may not be read */
#define MARKER_UNKNOWN 1	/* it had ended, or was between two programs, before it could be read */

static uint64_t marker_hash(const char *name)
{
	return MAX(hash_add(HASH_START, name, strlen(name)), MARKER_UNKNOWN + 1);
}

/* Whose is an orphan that came to us? It is asked as soon as one is seen: who forks and ends all
 * the time has ended when the look is over. What the keeper found as its children when it was
 * started may carry any name; whatever it starts is in another session than itself. */
static void note_marker(void *ctx, struct proc *p)
{
	const struct keeper *k = ctx;
	char name[NAME_CAP];

	if (p->dead || p->ppid != k->spawner.original.keeper_pid || p->pid == k->supervisor.pid ||
	    p->sid == getsid(0) || slots_find_pid(&k->slots, &k->records, p->pid) >= 0)
		return;
	if (proc_marker(p->pid, name))
		p->marker = marker_hash(name);
	else if (proc_between_programs(p->pid))
		p->marker = MARKER_UNKNOWN;
}

int tree_init(struct keeper *k)
{
	k->tree.interval_ns = WATCH_FIRST_NS;
	k->tree.next_ns = INT64_MAX;
	k->tree.procs.on_read = note_marker;
	k->tree.procs.ctx = k;
	return proctable_init(&k->tree.procs);
}

static bool leader_unreaped(const struct keeper *k, uint32_t slot)
{
	return atomic_load_explicit(&record_get(&k->records, slot)->state,
				    memory_order_relaxed) == RECORD_RUNNING;
}

/* The leader's number where it can only be the leader's: until we reap it, or, for an adopted one,
 * as long as its pidfd still answers after the look at /proc. 0: there is none. */
static pid_t leader_now(const struct keeper *k, uint32_t slot)
{
	const struct record *r = record_get(&k->records, slot);
	const struct slot *own = slot_get(&k->slots, slot);

	if (!leader_unreaped(k, slot))
		return 0;
	if (!own->adopted)
		return r->pid;
	if (own->pidfd > 0 && k->signaller.have_send)
		return pidfd_signal(own->pidfd, 0) == 0 ? r->pid : 0;
	return r->start_ticks != 0 && process_start_time(r->pid) == r->start_ticks ? r->pid : 0;
}

/* Walk up from P. True when LEADER is met; otherwise *TOP is the ancestor whose parent
 * is the keeper, NULL when the line ends elsewhere. */
static bool descends(const struct keeper *k, pid_t leader, const struct proc *p,
		     const struct proc **top)
{
	pid_t keeper = k->spawner.original.keeper_pid;

	*top = NULL;
	for (int i = 0; p != NULL && i < GENERATIONS_MAX; i++) {
		if (p->pid == leader)
			return true;
		if (p->ppid == keeper) {
			*top = p;
			return false;
		}
		p = proctable_find(&k->tree.procs, p->ppid);
	}
	return false;
}

/* An orphan of a tree whose keeper was killed is a child of init now. While it lives nobody else
 * can lead a session of that number, and who led one after the last of ours would not carry the
 * name. */
static bool left_behind(const struct record *r, const struct proc *p)
{
	return r->fate & RECORD_TAKEN_OVER && p->sid == record_session(r) && p->pid != r->pid &&
	       proc_has_marker(p->pid, r->name);
}

static bool is_member(const struct keeper *k, uint32_t slot, pid_t leader, const struct proc *p)
{
	const struct record *r = record_get(&k->records, slot);
	const struct proc *top;

	if (p->dead || p->pid == k->supervisor.pid)
		return false;
	if (descends(k, leader, p, &top))
		return true;
	if (left_behind(r, p))
		return true;
	/* an orphan that came to us, or something below one; never what another slot leads */
	if (top == NULL || top->pid == k->supervisor.pid ||
	    slots_find_pid(&k->slots, &k->records, top->pid) >= 0)
		return false;
	if (p->sid == record_session(r) || top->sid == record_session(r))
		return true;
	return top->marker == marker_hash(r->name);
}

/* A look that began at or after NOT_BEFORE. 0 or -errno. */
static int look(struct keeper *k, int64_t not_before_ns)
{
	if (k->tree.procs.looked_at_ns >= not_before_ns && k->tree.procs.looked_at_ns != 0)
		return 0;
	return proctable_look(&k->tree.procs);
}

static uint32_t session_members(struct keeper *k, uint32_t slot)
{
	pid_t pid = record_get(&k->records, slot)->pid, leader;
	uint32_t n = 0;
	/* events of this turn had happened before it began: one look serves them all */
	int ret = look(k, k->turn_ns);

	if (ret < 0 && ret != -ENOENT)
		return 1;	/* no descriptor or memory to look with: not known to be empty */
	leader = leader_now(k, slot);
	for (uint32_t i = 0; i < k->tree.procs.n; i++) {
		const struct proc *p = &k->tree.procs.procs[i];

		if (p->pid != pid)
			n += is_member(k, slot, leader, p);
	}
	/* nobody knows whose it is, but it is somebody's */
	for (uint32_t i = 0; n == 0 && i < k->tree.procs.n; i++)
		n += k->tree.procs.procs[i].marker == MARKER_UNKNOWN;
	return n;
}

uint32_t tree_members(struct keeper *k, uint32_t slot)
{
	if (!slot_get(&k->slots, slot)->has_cgroup)
		return session_members(k, slot);
	return cgroup_populated(LOW_CGROUP, slot);
}

uint32_t tree_rest(struct keeper *k, uint32_t slot)
{
	struct slot *own = slot_get(&k->slots, slot);

	/* the kernel removes no group with members, or with groups below */
	if (own->last_run && own->has_cgroup && cgroup_remove(LOW_CGROUP, slot) == 0) {
		own->has_cgroup = false;
		return 0;
	}
	return tree_members(k, slot);
}

bool tree_has(struct keeper *k, uint32_t slot, pid_t pid, pid_t *parent)
{
	const struct proc *p;
	int looks = 0;

	do {
		if (look(k, clock_mono_ns()) < 0)
			return false;
		p = proctable_find(&k->tree.procs, pid);
		if (p == NULL || p->dead)
			return false;
	} while (p->marker == MARKER_UNKNOWN && ++looks < LOOKS_AT_EXEC);
	*parent = p->ppid;
	return slot_get(&k->slots, slot)->has_cgroup
		? cgroup_has(&k->tree.cgroup, slot, pid)
		: is_member(k, slot, leader_now(k, slot), p);
}

/* --- signals ---------------------------------------------------------------------------------- */

/* Is it still the process that was found? Asked after its pidfd was opened, so that the answer is
 * about the process behind the pidfd. */
static bool still_same(struct keeper *k, uint32_t slot, pid_t pid, uint64_t start_ticks)
{
	if (start_ticks != 0)
		return process_start_time(pid) == start_ticks;
	return cgroup_has(&k->tree.cgroup, slot, pid);
}

static void signal_member(struct keeper *k, uint32_t slot, pid_t pid, uint64_t start_ticks,
			  int signo, bool then_cont)
{
	int pidfd = k->signaller.have_pidfd ? pidfd_open_process(pid) : -1;

	if ((pidfd >= 0 || !k->signaller.have_pidfd) && still_same(k, slot, pid, start_ticks)) {
		signal_process(&k->signaller, pid, pidfd, signo);
		if (then_cont)
			signal_process(&k->signaller, pid, pidfd, SIGCONT);
	}
	closep(&pidfd);
}

/* Without /proc nobody's descent is known. The process group that the leader founded is still ours
 * for certain, as long as the leader is our unreaped child. True: the leader, too, was reached. */
static bool group_signal(struct keeper *k, uint32_t slot, int signo, bool then_cont)
{
	pid_t pid = record_get(&k->records, slot)->pid;

	if (pid <= 1 || record_get(&k->records, slot)->session != 0 || !leader_unreaped(k, slot) ||
	    slot_get(&k->slots, slot)->adopted || kill(-pid, signo) < 0)
		return false;
	if (then_cont)
		kill(-pid, SIGCONT);
	return true;
}

/* Who forks faster than we look is reached through its process group, all of it at once. Nobody but
 * ours is in there: the group is in a session that one of ours founded; and its number is taken as
 * long as an orphan of it, our child and maybe dead, is unreaped. */
static void kill_groups(struct keeper *k, uint32_t slot, pid_t leader)
{
	pid_t session = record_session(record_get(&k->records, slot)), last = 0;

	for (uint32_t i = 0; i < k->tree.procs.n; i++) {
		const struct proc *p = &k->tree.procs.procs[i];

		if (p->ppid != k->spawner.original.keeper_pid || p->pgrp <= 1 || p->pgrp == last ||
		    p->sid == getsid(0) ||
		    !(p->dead ? p->sid == session : is_member(k, slot, leader, p)))
			continue;
		last = p->pgrp;
		if (getpgid(p->pid) == last)
			kill(-last, SIGKILL);
	}
}

/* All but the leader, as a rule. True: the leader, too. */
static bool session_signal(struct keeper *k, uint32_t slot, int signo, bool then_cont,
			   int64_t fresh_ns)
{
	pid_t pid = record_get(&k->records, slot)->pid, leader;

	look(k, fresh_ns);
	if (k->tree.procs.n == 0)	/* with /proc at least this process is in there */
		return group_signal(k, slot, signo, then_cont);
	leader = leader_now(k, slot);
	for (uint32_t i = 0; i < k->tree.procs.n; i++) {
		const struct proc *p = &k->tree.procs.procs[i];

		if (p->pid != pid && is_member(k, slot, leader, p))
			signal_member(k, slot, p->pid, p->start_ticks, signo, then_cont);
	}
	if (signo != SIGKILL)
		return false;
	kill_groups(k, slot, leader);
	return group_signal(k, slot, SIGKILL, false);
}

/* Members of groups that a child made below its own are not listed in it. */
static void cgroup_signal_below(struct keeper *k, uint32_t slot, int signo, bool then_cont)
{
	proctable_look(&k->tree.procs);
	for (uint32_t i = 0; i < k->tree.procs.n; i++) {
		const struct proc *p = &k->tree.procs.procs[i];

		if (!p->dead && p->pid != record_get(&k->records, slot)->pid)
			signal_member(k, slot, p->pid, 0, signo, then_cont);
	}
}

static void cgroup_signal_each(struct keeper *k, uint32_t slot, int signo, bool then_cont)
{
	pid_t leader = leader_unreaped(k, slot) ? record_get(&k->records, slot)->pid : 0;
	pid_t pids[MEMBERS_AT_ONCE];
	int n;

	if (cgroup_has_groups_below(LOW_CGROUP, slot)) {
		cgroup_signal_below(k, slot, signo, then_cont);
		return;
	}
	n = cgroup_members(LOW_CGROUP, slot, pids, MEMBERS_AT_ONCE);
	for (int i = 0; i < MIN(n, MEMBERS_AT_ONCE); i++)
		if (pids[i] != leader)
			signal_member(k, slot, pids[i], 0, signo, then_cont);
}

static void cgroup_signal(struct keeper *k, uint32_t slot, int signo, bool then_cont)
{
	if (signo != SIGKILL) {
		cgroup_signal_each(k, slot, signo, then_cont);
		if (then_cont)	/* a frozen group acts on nothing */
			cgroup_write(LOW_CGROUP, slot, "cgroup.freeze", "0");
		return;
	}
	if (k->tree.cgroup.has_kill && cgroup_write(LOW_CGROUP, slot, "cgroup.kill", "1") == 0) {
		slot_get(&k->slots, slot)->cgroup_worn = true;
		return;
	}
	/* hold still whoever forks faster than we look */
	cgroup_write(LOW_CGROUP, slot, "cgroup.freeze", "1");
	cgroup_signal_each(k, slot, signo, false);
	cgroup_write(LOW_CGROUP, slot, "cgroup.freeze", "0");
}

void tree_signal_leader(struct keeper *k, uint32_t slot, int signo, bool then_cont)
{
	pid_t pid = record_get(&k->records, slot)->pid;
	int pidfd = slot_get(&k->slots, slot)->pidfd;

	/* without a pidfd only our own child's number is safe to use as it is */
	if (!leader_unreaped(k, slot) || (pidfd <= 0 && leader_now(k, slot) == 0))
		return;
	signal_process(&k->signaller, pid, pidfd, signo);
	if (then_cont)
		signal_process(&k->signaller, pid, pidfd, SIGCONT);
}

/* Members first: a leader that ends would scatter what descends from it. */
static void tree_send(struct keeper *k, uint32_t slot, int signo, bool then_cont, int64_t fresh_ns)
{
	if (slot_get(&k->slots, slot)->has_cgroup)
		cgroup_signal(k, slot, signo, then_cont);
	else if (record_get(&k->records, slot)->flags & PLAN_TREE &&
		 session_signal(k, slot, signo, then_cont, fresh_ns))
		return;
	tree_signal_leader(k, slot, signo, then_cont);
}

void tree_signal(struct keeper *k, uint32_t slot, int signo, bool then_cont)
{
	tree_send(k, slot, signo, then_cont, clock_mono_ns() - LOOK_FRESH_NS);
	if (signo != SIGKILL)
		return;
	slot_get(&k->slots, slot)->kill_tree = true;
	tree_watch(k, slot);
}

/* --- watching --------------------------------------------------------------------------------- */

void tree_watch(struct keeper *k, uint32_t slot)
{
	struct slot *own = slot_get(&k->slots, slot);

	k->tree.interval_ns = WATCH_FIRST_NS;
	k->tree.next_ns = MIN(k->tree.next_ns, clock_mono_ns() + WATCH_FIRST_NS);
	if (own->watched)
		return;
	own->watched = true;
	own->watched_next = k->slots.watched_head;
	k->slots.watched_head = slot;
}

/* Done with SLOT for now? Kills again where a kill is wished; a running leader is not looked at
 * otherwise, its exit comes by itself. */
static bool watch_one(struct keeper *k, uint32_t slot)
{
	struct slot *own = slot_get(&k->slots, slot);
	struct record *r = record_get(&k->records, slot);
	uint32_t state = atomic_load_explicit(&r->state, memory_order_relaxed);

	if (state == RECORD_EXITED && tree_rest(k, slot) == 0) {
		/* one look over /proc can miss who forks meanwhile: two must agree */
		if (own->kill_tree && !own->has_cgroup && !own->seen_empty) {
			own->seen_empty = true;
			return false;
		}
		atomic_store_explicit(&r->state, RECORD_GONE, memory_order_release);
		slots_tell(&k->slots, slot, FACT_GONE);
		return true;
	}
	if (state == RECORD_FREE || state == RECORD_GONE)
		return true;
	own->seen_empty = false;
	if (own->kill_tree)
		tree_send(k, slot, SIGKILL, false, k->turn_ns);
	return state == RECORD_RUNNING && !own->kill_tree;
}

int64_t tree_turn(struct keeper *k, int64_t now_ns)
{
	uint32_t at = k->slots.watched_head, kept = SLOT_LIST_END, *tail = &kept;
	int n = 0;

	if (at == SLOT_LIST_END)
		k->tree.next_ns = INT64_MAX;
	if (now_ns < k->tree.next_ns)
		return k->tree.next_ns;
	k->slots.watched_head = SLOT_LIST_END;
	for (; at != SLOT_LIST_END && n < WATCH_PER_TURN; n++) {
		struct slot *own = slot_get(&k->slots, at);
		uint32_t next = own->watched_next;

		if (watch_one(k, at)) {
			own->watched = false;
		} else {
			*tail = at;
			tail = &own->watched_next;
		}
		at = next;
	}
	/* what was not looked at comes first next time */
	*tail = SLOT_LIST_END;
	if (at == SLOT_LIST_END) {
		k->slots.watched_head = kept;
		k->tree.interval_ns = MIN(2 * k->tree.interval_ns, WATCH_LAST_NS);
		k->tree.next_ns = now_ns + k->tree.interval_ns;
	} else {
		uint32_t last = at;

		while (slot_get(&k->slots, last)->watched_next != SLOT_LIST_END)
			last = slot_get(&k->slots, last)->watched_next;
		slot_get(&k->slots, last)->watched_next = kept;
		k->slots.watched_head = at;
		k->tree.next_ns = now_ns + NS_PER_MS;
	}
	if (k->slots.watched_head == SLOT_LIST_END) {
		k->tree.next_ns = INT64_MAX;
		proctable_drop(&k->tree.procs);
	}
	return k->tree.next_ns;
}
