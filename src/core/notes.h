/* Words beside the memory (core/memory.h): what few subsystems have, and what is too long for an
 * entry of fixed size. The file "notes" in the run directory is mapped; it has holes where nobody
 * has a note, and is not read where the memory does not say that there is one. Main thread. */
#ifndef CORE_NOTES_H
#define CORE_NOTES_H

#include "core/notify.h"
#include "core/memory.h"

#define NOTES_FILE "notes"

/* Of one subsystem. */
struct note {
	uint64_t checksum;		/* of the rest */
	uint64_t stamp;			/* the copy with the higher one is newer */
	uint64_t id;			/* of the subsystem, in case its slot has another one by now */
	uint32_t cause;			/* struct subsystem */
	int32_t errnum;			/* struct readiness: what it reported */
	char status[NOTIFY_STATUS_MAX + 1];	/* likewise */
	char pad[320 - 3 * 8 - 2 * 4 - (NOTIFY_STATUS_MAX + 1)];
};
_Static_assert(sizeof(struct note) == 320, "notes are a file format");

struct notes {
	unsigned char *base;		/* NULL: nothing is kept */
	int fd;
	bool full;			/* the file system refused room; said once */
};

/* Map FD (the caller's, kept open; -1: keep nothing). */
void notes_open(struct notes *n, int fd);
void notes_close(struct notes *n);

/* See that the file has room for SLOT; false: it has none. To be called before the first store. */
bool notes_room(struct notes *n, uint32_t slot);
/* Fill checksum and stamp, store: whoever is killed leaves the old one or this one. */
void notes_store(struct notes *n, uint32_t slot, struct note *note);
/* The newest whole copy, if it is of subsystem ID. */
bool notes_load(const struct notes *n, uint32_t slot, uint64_t id, struct note *out);

#endif
