/* What a keeper hands to the executable that takes its place: one sealed memory file. The process
 * stays the same, so its children stay its children; what would be lost with its memory is here,
 * and every descriptor it names is kept open over the exec. Keeper only, but for the checks. */
#ifndef KEEPER_HANDOVER_H
#define KEEPER_HANDOVER_H

#include "keeper/inner.h"

#define HANDOVER_MAGIC UINT64_C(0x3152444e41484b50)	/* "PKHANDR1" */
/* Raise it when a member changes its meaning; a change of size tells itself (handover_layout()). A
 * reader takes its own layout only, and everything else goes back to where it came from. */
#define HANDOVER_VERSION 3

struct handover {
	uint64_t checksum;	/* of everything behind it, the slots included */
	uint64_t magic;
	uint32_t version;
	uint32_t size;		/* of this struct */
	uint32_t slot_size;
	uint32_t nslots;	/* that follow */
	int32_t keeper_pid;
	int32_t records_fd;
	int64_t started_ns;
	uint64_t signals;	/* received, not taken */
	uint64_t inherited;
	int32_t supervisor_oom;
	uint32_t deaths, crashes;
	int64_t crash_times_ns[DEATHS_KEPT];
	struct originals original;
	struct rundir rundir;
	struct cgroup cgroup;
	struct hold hold;
	struct upgrade upgrade;
	char name[NAME_CAP];
};

struct handover_slot {
	uint32_t number;
	uint32_t pad;
	struct slot slot;	/* its chains are made anew */
};

/* Execute LOW_EXE in place of this keeper. Comes back only when that failed: -errno, and nothing
 * has changed. */
int handover_exec(struct keeper *k);
/* Is DATA of SIZE bytes a handover of this version, whole, and with sane numbers? Pure. */
bool handover_valid(const void *data, size_t size);
/* The text that options->keeper_argv got in place of "{HANDOVER}". On success *H is mapped and K
 * has taken everything but its slots; then handover_fini(). -errno: K is untouched, and so are the
 * descriptors. */
int handover_open(struct keeper *k, const char *text, const struct handover **h);
/* Slots, with their watches, when records and tables are open. */
void handover_slots(struct keeper *k, const struct handover *h);
void handover_fini(const struct handover *h, const char *text);
/* Of another layout, or damaged: the executable before us takes its place again. Comes
 * back only when even that failed. */
void handover_refuse(const struct keeper_options *options, const char *text);

#endif
