/* The number of a process proves nothing, so its descriptor is opened first, and then it is looked
 * for in the tree: while we look the number belongs to the process behind the descriptor. Its
 * parent may be the first process still; until that has ended it is watched like an adopted one,
 * and when it comes to the keeper, the subreaper, it is a child like any other. What belongs to the
 * tree is told by the session of the first process, which the record keeps. */
#include "keeper/follow.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/inner.h"

#define WAIT_BY_PIDFD ((idtype_t)3)	/* P_PIDFD of newer libc; kernel 5.4 */

static bool can_wait(idtype_t type, id_t id)
{
	siginfo_t si;

	return syscall(SYS_waitid, type, id, &si, WEXITED | WNOHANG | WNOWAIT | __WALL, NULL) == 0;
}

bool follow_came_to_us(const struct keeper *k, uint32_t slot)
{
	const struct record *r = record_get(&k->records, slot);
	int pidfd = slot_get(&k->slots, slot)->pidfd;

	if (pidfd > 0 && can_wait(WAIT_BY_PIDFD, (id_t)pidfd))
		return true;
	if (pidfd > 0 && errno != EINVAL)
		return false;
	return r->start_ticks != 0 && can_wait(P_PID, (id_t)r->pid) &&
	       process_start_time(r->pid) == r->start_ticks;
}

/* A living member of the tree of SLOT that leads nothing else; *PIDFD is -1 without pidfds. */
static bool proven(struct keeper *k, uint32_t slot, pid_t pid, int *pidfd, bool *child)
{
	pid_t parent;

	*pidfd = -1;
	if (pid <= 1 || pid == getpid() || pid == k->supervisor.pid ||
	    slots_find_pid(&k->slots, &k->records, pid) >= 0)
		return false;
	if (k->signaller.have_pidfd) {
		*pidfd = pidfd_open_process(pid);
		if (*pidfd < 0)
			return false;
	}
	if (tree_has(k, slot, pid, &parent) &&
	    (*pidfd < 0 || !k->signaller.have_send || pidfd_signal(*pidfd, 0) == 0)) {
		*child = parent == k->spawner.original.keeper_pid;
		return true;
	}
	closep(pidfd);
	return false;
}

static void let_go(struct keeper *k, uint32_t slot)
{
	struct slot *own = slot_get(&k->slots, slot);

	if (atomic_load_explicit(&record_get(&k->records, slot)->state, memory_order_relaxed) ==
	    RECORD_RUNNING)
		slots_remove_pid(&k->slots, &k->records, slot);
	if (own->pidfd > 0)
		close(own->pidfd);
	own->pidfd = 0;
}

static void write_record(const struct keeper *k, struct record *r, pid_t pid, int pidfd)
{
	uint64_t inode = pidfd >= 0 && k->signaller.have_inode ? pidfd_inode(pidfd) : 0;

	record_follow(r, pid, inode == 0 ? process_start_time(pid) : 0, inode);
}

static void watch(struct keeper *k, uint32_t slot, int pidfd, bool child)
{
	struct slot *own = slot_get(&k->slots, slot);

	own->adopted = !child;
	own->tree_left = 0;
	own->untold &= (uint8_t)~(FACT_EXITED | FACT_GONE);
	slots_add_pid(&k->slots, &k->records, slot);
	if (pidfd >= 0 &&
	    keeper_watch(k, pidfd, child ? EPOLLIN : EPOLLIN | EPOLLONESHOT,
			 event_key(EVENT_CHILD, slot)) == 0) {
		own->pidfd = pidfd;
		return;
	}
	closep(&pidfd);
	if (!child)
		k->adoption.look_at_ns = 0;
	reap_sweep_soon(k);
}

void follow(struct keeper *k, uint32_t slot, pid_t pid)
{
	struct record *r = record_get(&k->records, slot);
	bool child = false;
	int pidfd;

	slots_tell(&k->slots, slot, FACT_MAIN);
	if (slot_get(&k->slots, slot)->kill_tree || !proven(k, slot, pid, &pidfd, &child))
		return;
	let_go(k, slot);
	write_record(k, r, pid, pidfd);
	watch(k, slot, pidfd, child);
}
