/* Each slot has a pair of copies at its own place in the file; a store goes to the older one. */
#include "core/notes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/log.h"
#include "keeper/record.h"

#define COPY sizeof(struct note)
#define PAIR (2 * COPY)
#define NOTES_MAX (PAIR * (size_t)RECORDS_MAX_SLOTS)

static uint64_t checksum_of(const struct note *note)
{
	const unsigned char *p = (const unsigned char *)note;

	return hash_fold(hash_add(HASH_START, p + sizeof(note->checksum),
				  COPY - sizeof(note->checksum)));
}

static unsigned char *copy_at(const struct notes *n, uint32_t slot, int which)
{
	return n->base + slot * PAIR + (size_t)which * COPY;
}

static bool copy_load(const struct notes *n, uint32_t slot, int which, struct note *out)
{
	memcpy(out, copy_at(n, slot, which), COPY);
	return out->stamp != 0 && out->stamp < UINT64_MAX && out->checksum == checksum_of(out) &&
	       memchr(out->status, '\0', sizeof(out->status)) != NULL;
}

/* The newest whole copy's number; -1: none. */
static int newest(const struct notes *n, uint32_t slot, struct note *out)
{
	struct note copies[2];
	bool whole[2];
	int best = -1;

	for (int i = 0; i < 2; i++) {
		whole[i] = copy_load(n, slot, i, &copies[i]);
		if (whole[i] && (best < 0 || copies[i].stamp > copies[best].stamp))
			best = i;
	}
	if (best >= 0)
		*out = copies[best];
	return best;
}

void notes_open(struct notes *n, int fd)
{
	void *p;

	*n = (struct notes){ .fd = fd };
	if (fd < 0)
		return;
	p = mmap(NULL, NOTES_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		log_warn("cannot keep what programs say of themselves: %s", strerror(errno));
	else
		n->base = p;
}

void notes_close(struct notes *n)
{
	if (n->base != NULL)
		munmap(n->base, NOTES_MAX);
	*n = (struct notes){ .fd = -1 };
}

bool notes_room(struct notes *n, uint32_t slot)
{
	int r;

	if (n->base == NULL || slot >= RECORDS_MAX_SLOTS)
		return false;
	r = posix_fallocate(n->fd, (off_t)(slot * PAIR), (off_t)PAIR);
	if (r != 0 && !n->full)
		log_warn("no room to keep what programs say of themselves: %s", strerror(r));
	n->full |= r != 0;
	return r == 0;
}

void notes_store(struct notes *n, uint32_t slot, struct note *note)
{
	struct note last = { .stamp = 0 };
	int which = newest(n, slot, &last) == 0 ? 1 : 0;

	note->stamp = last.stamp + 1;
	note->checksum = checksum_of(note);
	memcpy(copy_at(n, slot, which), note, COPY);
}

bool notes_load(const struct notes *n, uint32_t slot, uint64_t id, struct note *out)
{
	struct stat st;

	/* Behind the end of the file there is nothing to read, but a signal. */
	if (n->base == NULL || fstat(n->fd, &st) < 0 || slot >= RECORDS_MAX_SLOTS ||
	    (size_t)st.st_size < (slot + 1) * PAIR)
		return false;
	return newest(n, slot, out) >= 0 && out->id == id;
}
