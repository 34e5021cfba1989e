/* Each child costs the keeper two descriptors: the end of its FIFO, which keeps what it writes, and
 * a pidfd, which tells its end at a cost that does not grow. Under a limit that is too low for
 * both, the last children have no pidfd: waitid(2) over all children finds their ends. They are
 * proven by their start time then, which needs /proc. */
#include "keeper/thrift.h"

#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/inner.h"

#define ROOM_FOR_PIDFDS 48	/* numbers below the limit that no pidfd takes */
#define ROOM_FOR_MOMENTS 24	/* and that are left for what is open for a moment */

/* The limit is asked for anew near its end: the supervisor raises it for larger configurations. */
static bool within(struct keeper *k, int fd, int room)
{
	struct rlimit64 files;

	if ((uint64_t)fd + (uint64_t)room < k->reaper.files_max)
		return true;
	if (prlimit64(0, RLIMIT_NOFILE, NULL, &files) < 0)
		return true;
	k->reaper.files_max = files.rlim_cur;
	return (uint64_t)fd + (uint64_t)room < files.rlim_cur;
}

bool thrift_has_room(struct keeper *k, int fd)
{
	return within(k, fd, ROOM_FOR_PIDFDS);
}

static bool give_up(struct keeper *k, uint32_t slot)
{
	struct slot *own = slot_get(&k->slots, slot);
	struct record *r = record_get(&k->records, slot);

	if (own->pidfd <= 0 || own->adopted)
		return false;
	if (r->start_ticks == 0) {
		r->start_ticks = process_start_time(r->pid);
		record_seal(r);
	}
	close(own->pidfd);
	own->pidfd = 0;
	reap_unwatched(k);
	return true;
}

void thrift_make_room(struct keeper *k, int fd)
{
	uint32_t n = k->records.header->nslots;

	if (within(k, fd, ROOM_FOR_MOMENTS))
		return;
	for (uint32_t tried = 0; tried < n; tried++) {
		uint32_t slot = k->reaper.next_to_give++ % n;

		if (give_up(k, slot))
			return;
	}
}
