/* The record table: one fixed-size record per child in a file mapping ("records" in the run
 * directory). The keeper writes it, the supervisor maps it read-only; it outlives both.
 *
 * A slot belongs to one subsystem (one instance) for as long as the supervisor knows it; the
 * supervisor assigns slots, the keeper fills them. Life of a record:
 *
 *   FREE --SPAWN--> RUNNING --exit reaped--> EXITED --tree empty--> GONE --RELEASE--> FREE
 *
 * EXITED is skipped when the tree is already empty. All fields but STATE are written before STATE
 * is stored with release order, so a reader that sees a state sees what belongs to it. */
#ifndef KEEPER_RECORD_H
#define KEEPER_RECORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/enumtext.h"

#define RECORDS_FILE "records"
#define RECORDS_MAGIC 0x3144524f43455250ull	/* "PRECORD1" */
#define RECORDS_VERSION 1
#define RECORDS_MAX_SLOTS (128u * 1024)

enum record_state { RECORD_FREE, RECORD_RUNNING, RECORD_EXITED, RECORD_GONE, RECORD_NSTATES };
extern const struct enumtext record_state_text;

struct record {
	_Atomic uint32_t state;		/* enum record_state */
	uint32_t slot;
	uint64_t spawn_id;		/* chosen by the supervisor, unique for ever */
	int32_t pid;
	uint32_t flags;			/* enum plan_flags of its plan */
	uint64_t start_ticks;		/* /proc/PID/stat field 22; 0 unknown */
	uint64_t pidfd_ino;		/* pidfs inode; 0 where the kernel has none */
	int64_t started_mono_ns;
	int64_t exited_mono_ns;
	int32_t wait_status;		/* as from waitpid(2); valid from EXITED on, or the next */
#define WAIT_STATUS_UNKNOWN (-1)	/* it ended, nobody can tell how */
	int32_t killed;			/* the keeper sent SIGKILL on request */
	uint64_t user_us, system_us;	/* rusage of the main process */
	uint64_t max_rss_kib;
	char name[NAME_CAP];
	char pad[256 - 4 * 4 - 8 * 8 - 4 * 2 - NAME_CAP];
};
_Static_assert(sizeof(struct record) == 256, "record layout is a file format");

struct records_header {
	uint64_t magic;
	uint32_t version;
	uint32_t record_size;
	char boot_id[40];
	int32_t keeper_pid;
	_Atomic uint32_t nslots;	/* slots that the file has room for; only grows */
	uint64_t keeper_start_ticks;
	int64_t keeper_started_mono_ns;
	char cgroup[32];		/* name of the keeper's group; "" without cgroup */
	char pad[4096 - 8 - 4 * 2 - 40 - 4 * 2 - 8 * 2 - 32];
};
_Static_assert(sizeof(struct records_header) == 4096, "records begin on a page");

/* A view of the file. The address range for RECORDS_MAX_SLOTS is reserved at once, so pointers
 * stay valid while the file grows. */
struct records {
	struct records_header *header;
	struct record *slots;
	int fd;
	bool writable;
};

/* Keeper: create (or, when it is of this boot and version, keep) the file in RUN_DIRFD, for NSLOTS.
 * A foreign, torn or older file is renamed to "records.bad" and *SET_ASIDE set. 0 or -errno. */
int records_create(struct records *r, int run_dirfd, uint32_t nslots, bool *set_aside);
/* Keeper: make room for at least NSLOTS. 0 or -errno. No heap. */
int records_grow(struct records *r, uint32_t nslots);
/* Supervisor: map FD read-only. Takes ownership of FD. 0 or -errno. */
int records_map(struct records *r, int fd);
void records_unmap(struct records *r);

static inline struct record *record_get(const struct records *r, uint32_t slot)
{
	return &r->slots[slot];	/* SLOT < header->nslots */
}

#endif
