/* The keeper's private slot table. Chains by pid are short and fixed in number: a table that grew
 * with the pids of a long life would spread over ever more pages. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "keeper/child.h"
#include "keeper/slot.h"

static void *slots_map(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

int slots_init(struct slots *s)
{
	s->table = slots_map(RECORDS_MAX_SLOTS * sizeof(*s->table));
	s->by_pid = slots_map(SLOT_BUCKETS * sizeof(*s->by_pid));
	if (s->table == MAP_FAILED || s->by_pid == MAP_FAILED)
		return -errno;
	s->untold_head = s->untold_tail = s->watched_head = SLOT_LIST_END;
	return 0;
}

static uint32_t *slots_bucket(const struct slots *s, pid_t pid)
{
	return &s->by_pid[(uint32_t)pid % SLOT_BUCKETS];
}

void slots_add_pid(struct slots *s, const struct records *r, uint32_t slot)
{
	uint32_t *bucket = slots_bucket(s, record_get(r, slot)->pid);

	slot_get(s, slot)->by_pid_next = *bucket;
	*bucket = slot + 1;
	s->running++;
}

void slots_remove_pid(struct slots *s, const struct records *r, uint32_t slot)
{
	uint32_t *link = slots_bucket(s, record_get(r, slot)->pid);

	for (; *link != 0; link = &slot_get(s, *link - 1)->by_pid_next) {
		if (*link != slot + 1)
			continue;
		*link = slot_get(s, slot)->by_pid_next;
		s->running--;
		return;
	}
}

int64_t slots_find_pid(const struct slots *s, const struct records *r, pid_t pid)
{
	for (uint32_t at = *slots_bucket(s, pid); at != 0; at = slot_get(s, at - 1)->by_pid_next)
		if (record_get(r, at - 1)->pid == pid)
			return at - 1;
	return -1;
}

void slot_hold(struct slots *s, uint32_t slot, int fd)
{
	struct slot *own = slot_get(s, slot);

	if (own->held > 0)
		close(own->held);
	own->held = fd > 0 ? fd : 0;
	(void)slot_lift(own);
}

int slot_lift(struct slot *own)
{
	int high;

	if (own->held <= 0 || own->held >= LOW_END)
		return own->held > 0 ? 0 : -EBADF;
	high = fcntl(own->held, F_DUPFD_CLOEXEC, LOW_END);
	if (high < 0)
		return -errno;
	close(own->held);
	own->held = high;
	return 0;
}

void slots_tell(struct slots *s, uint32_t slot, enum slot_fact fact)
{
	struct slot *own = slot_get(s, slot);

	own->untold |= (uint8_t)fact;
	if (own->in_untold)
		return;
	own->in_untold = true;
	own->untold_next = SLOT_LIST_END;
	if (s->untold_head == SLOT_LIST_END)
		s->untold_head = slot;
	else
		slot_get(s, s->untold_tail)->untold_next = slot;
	s->untold_tail = slot;
}

int64_t slots_untold_pop(struct slots *s)
{
	uint32_t slot = s->untold_head;

	if (slot == SLOT_LIST_END)
		return -1;
	s->untold_head = slot_get(s, slot)->untold_next;
	slot_get(s, slot)->in_untold = false;
	return slot;
}

void slots_untold_push_front(struct slots *s, uint32_t slot)
{
	struct slot *own = slot_get(s, slot);

	own->in_untold = true;
	own->untold_next = s->untold_head;
	if (s->untold_head == SLOT_LIST_END)
		s->untold_tail = slot;
	s->untold_head = slot;
}

void slots_forget_told_by_records(struct slots *s)
{
	for (uint32_t at = s->untold_head; at != SLOT_LIST_END; at = slot_get(s, at)->untold_next)
		slot_get(s, at)->untold &= FACT_START_FAILED;
}
