/* The FIFO is the proof: it lies in a directory that is ours alone, under the number of the slot,
 * and only a child of ours was given it. For a child whose output is not captured it is the group
 * of its slot, below the group that our run directory's keeper signed. Its descendants have both,
 * too, so the oldest process that leads a session is the one that was started. */
#include "keeper/salvage.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "keeper/fifo.h"
#include "keeper/inner.h"
#include "keeper/linereader.h"
#include "keeper/proctable.h"

static bool any_in(int dirfd, enum direntry_kind kind)
{
	struct direntry_reader r;

	direntry_init(&r, dirfd);
	return direntry_next(&r, kind) != NULL;
}

static bool any_proof(const struct keeper *k)
{
	return any_in(LOW_FIFO, DIRENTRY_ALL) ||
	       (k->tree.cgroup.usable && any_in(LOW_CGROUP, DIRENTRY_DIRECTORIES));
}

/* The slot whose FIFO PID has open as FD; -1: none. The link's text says which it may be, the FIFO
 * itself whether it is. */
static int64_t slot_of_stream(pid_t pid, int fd)
{
	char path[48], target[PATH_MAX], *name, *end;
	struct stat theirs, ours;
	unsigned long slot;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return -1;
	target[n] = '\0';
	name = strrchr(target, '/');
	if (name == NULL)
		return -1;
	slot = strtoul(++name, &end, 10);
	if (end == name || *end != '.' || slot >= RECORDS_MAX_SLOTS ||
	    stat(path, &theirs) < 0 || !S_ISFIFO(theirs.st_mode) ||
	    fstatat(LOW_FIFO, name, &ours, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	return theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino ? (int64_t)slot : -1;
}

/* What the record's clock said when a process started TICKS after boot. */
static int64_t started_at(uint64_t ticks)
{
	struct timespec boot;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	return clock_mono_ns() - ((int64_t)boot.tv_sec * NS_PER_SEC + boot.tv_nsec -
				  (int64_t)ticks * (NS_PER_SEC / sysconf(_SC_CLK_TCK)));
}

static bool write_record(struct keeper *k, uint32_t slot, const struct proc *p, const char *name)
{
	struct record *r;

	if (records_grow(&k->records, slot + 1) < 0)
		return false;
	r = record_get(&k->records, slot);
	if (r->start_ticks != 0 && r->start_ticks <= p->start_ticks)
		return false;
	record_clear(r);
	r->slot = slot;
	r->spawn_id = (uint64_t)slot + 1;	/* of the past: the supervisor goes on above it */
	r->pid = p->pid;
	r->flags = PLAN_TREE;
	r->start_ticks = p->start_ticks;
	r->pidfd_ino = 0;
	r->session = 0;
	r->started_mono_ns = started_at(p->start_ticks);
	r->exited_mono_ns = 0;
	r->capture_of = 0;
	snprintf(r->name, sizeof(r->name), "%s", name);
	record_seal(r);
	atomic_store_explicit(&r->state, RECORD_RUNNING, memory_order_release);
	return true;
}

bool salvage_records(struct keeper *k)
{
	const struct proctable *t = &k->tree.procs;
	uint32_t found = 0;

	if (!any_proof(k) || proctable_look(&k->tree.procs) < 0)
		return false;
	for (uint32_t i = 0; i < t->n; i++) {
		const struct proc *p = &t->procs[i];
		char name[NAME_CAP];
		int64_t slot;

		if (p->dead || p->sid != p->pid || p->start_ticks == 0)
			continue;
		slot = slot_of_stream(p->pid, 1);
		if (slot < 0)
			slot = slot_of_stream(p->pid, 2);
		if (slot < 0 && k->tree.cgroup.usable)
			slot = cgroup_slot_of(&k->tree.cgroup, p->pid);
		/* What runs beside a main process writes to the same FIFO, and ends by itself. */
		if (slot >= 0 && slot < RECORDS_MAX_SLOTS && proc_marker(p->pid, name) &&
		    record_name_is_main(name))
			found += write_record(k, (uint32_t)slot, p, name);
	}
	k->records.header->damaged += found;
	return found > 0;
}
