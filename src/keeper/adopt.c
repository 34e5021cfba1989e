/* Adoption. We are not the parent of these processes, so their end is seen through a pidfd only: it
 * hangs up when their real parent (init) has reaped them, and from then on a new enough kernel tells
 * the status. A number alone proves nothing: pids are reused, so the start time must agree, and the
 * identity of the pidfd where there is one. What is not proven is left alone. */
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/adopt.h"
#include "keeper/inner.h"

/* A pidfd of the very process that R is about, or -1. */
static int proven(const struct record *r)
{
	int fd;

	if (r->pid <= 1 || r->start_ticks == 0)
		return -1;
	fd = pidfd_open_process(r->pid);
	if (fd < 0)
		return -1;
	/* looked at after the pidfd was opened: while we hold it, the number cannot move on */
	if (process_start_time(r->pid) == r->start_ticks &&
	    (r->pidfd_ino == 0 || pidfd_inode(fd) == r->pidfd_ino))
		return fd;
	close(fd);
	return -1;
}

static void lost(struct keeper *k, uint32_t slot)
{
	struct record *r = record_get(&k->records, slot);

	r->wait_status = WAIT_STATUS_UNKNOWN;
	r->exited_mono_ns = clock_mono_ns();
	atomic_store_explicit(&r->state, RECORD_GONE, memory_order_release);
}

static void adopt_one(struct keeper *k, uint32_t slot)
{
	struct record *r = record_get(&k->records, slot);
	struct slot *own = slot_get(&k->slots, slot);
	uint32_t state = atomic_load_explicit(&r->state, memory_order_relaxed);
	int fd;

	if (state == RECORD_EXITED)	/* its leader was reaped; the rest cannot be proven ours */
		atomic_store_explicit(&r->state, RECORD_GONE, memory_order_release);
	if (state != RECORD_RUNNING)
		return;
	fd = proven(r);
	if (fd < 0) {
		lost(k, slot);
		return;
	}
	own->pidfd = fd;
	own->adopted = true;
	slots_add_pid(&k->slots, &k->records, slot);
	for (int stream = 1; stream <= 2; stream++)
		fifo_hold_existing(k->rundir.fd, slot, own, stream);
	/* no event asked for: a hang-up always comes, and it comes after the reaping */
	if (keeper_watch(k, fd, 0, event_key(EVENT_CHILD, slot)) < 0)
		reap_sweep_soon(k);
}

void adopt_all(struct keeper *k)
{
	for (uint32_t slot = 0; slot < k->records.header->nslots; slot++)
		adopt_one(k, slot);
}
