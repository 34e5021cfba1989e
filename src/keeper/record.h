/* The record table: one fixed-size record per child in a file mapping ("records" in the run
 * directory). The keeper writes it, the supervisor maps it read-only; it outlives both.
 *
 * A slot belongs to one subsystem (one instance) for as long as the supervisor knows it; the
 * supervisor assigns slots, the keeper fills them. Life of a record:
 *
 *   FREE --SPAWN--> RUNNING --exit reaped--> EXITED --tree empty--> GONE --RELEASE--> FREE
 *
 * EXITED is skipped when the tree is already empty. All fields but STATE are written before STATE
 * is stored with release order, so a reader that sees a state sees what belongs to it.
 *
 * Two checksums per record, because it is written in two goes and the keeper may be killed between
 * any two stores: SEAL covers who it is, END_SEAL how it ended. A keeper that finds the file of a
 * dead one believes no state that the seals contradict. */
#ifndef KEEPER_RECORD_H
#define KEEPER_RECORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/types.h>

#include "base/enumtext.h"

#define RECORDS_FILE "records"
#define RECORDS_MAGIC 0x3144524f43455250ull	/* "PRECORD1" */
#define RECORDS_VERSION 2
#define RECORDS_MAX_SLOTS (128u * 1024)

enum record_state { RECORD_FREE, RECORD_RUNNING, RECORD_EXITED, RECORD_GONE, RECORD_NSTATES };

/* What a keeper found out about the record of one that was killed. */
enum record_fate {
	RECORD_TAKEN_OVER = 1 << 0,	/* its keeper was killed; always set then */
	RECORD_LEFT_ALONE = 1 << 1,	/* somebody has its pid who is not proven to be it */
};

/* Whom a record is going to be about (record_follow), while it is being rewritten. */
struct record_next {
	uint64_t start_ticks, pidfd_ino;
	int32_t pid, session;
	_Atomic uint64_t seal;		/* 0: it is not */
};

struct record {
	_Atomic uint32_t state;		/* enum record_state */
	uint32_t slot;
	uint64_t spawn_id;		/* chosen by the supervisor, unique for ever */
	int32_t pid;			/* 0 until the child says it, just before RUNNING */
	uint32_t flags;			/* enum plan_flags of its plan; above RECORD_MISSING_SHIFT
					   bits of enum plan_cgroup_limit: not in force */
#define RECORD_MISSING_SHIFT 24
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
	_Atomic uint64_t end_seal, seal;	/* SEAL last: a cut record has none */
	uint32_t fate;			/* enum record_fate; in no seal: found out, not kept */
	uint32_t capture_of;		/* as in its plan; in no seal: a wrong one only costs output */
	int32_t session;		/* the process that was started, when PID is another one that
					   goes on for it; else 0 */
	int32_t next_pad;
	struct record_next next;	/* zero in files of before */
	char pad[256 - 4 * 8 - 8 * 8 - 4 * 2 - NAME_CAP - 8 * 2 - sizeof(struct record_next)];
};
_Static_assert(sizeof(struct record) == 256, "record layout is a file format");

struct records_header {
	uint64_t magic;
	uint32_t version;
	uint32_t record_size;
	char boot_id[40];
	int32_t keeper_pid;
	_Atomic uint32_t nslots;	/* slots that the file has room for; only grows. The file's
					   size says it, too, and is what a successor believes */
	uint64_t keeper_start_ticks;
	int64_t keeper_started_mono_ns;
	char cgroup[32];		/* name of the keeper's group; "" without cgroup */
	uint64_t checksum;		/* of magic, version, record_size and boot_id */
	uint64_t cgroup_seal;		/* of cgroup */
	uint32_t damaged;		/* records that this keeper found with a wrong checksum */
	uint32_t cut;			/* the file that it found ended within a record */
	char pad[4096 - 8 - 4 * 2 - 40 - 4 * 2 - 8 * 2 - 32 - 8 * 2 - 4 * 2];
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
/* Keeper: map FD again after an exec. FD is taken over on success. 0 or -errno. */
int records_resume(struct records *r, int fd);
/* Supervisor: map FD read-only. Takes ownership of FD. 0 or -errno. */
int records_map(struct records *r, int fd);
/* Let go of the pages: what nobody looks at need not be mapped; a look brings it back.
 * madvise(2). */
void records_unmap_idle(const struct records *r);
void records_unmap(struct records *r);

/* --- checksums; the writer's side, and what they say to a successor --------------------------- */

/* All that is known before the child exists is written: slot, spawn id, flags, name. */
void record_seal_prepared(struct record *r);
/* ... and pid, proof of identity and time of the start. */
void record_seal(struct record *r);
/* How it ended is written; before the state says EXITED or GONE. */
void record_seal_end(struct record *r);
/* The slot is free again. */
void record_clear(struct record *r);
/* From now on R, sealed, is about the process PID of the same start, which runs: with this proof,
 * and no end. Whenever the keeper is killed in this, a successor finds the one process or the
 * other. */
void record_follow(struct record *r, pid_t pid, uint64_t start_ticks, uint64_t pidfd_ino);
/* Keeper, before record_judge(): what a dead one began in record_follow() is done. */
void record_finish_follow(struct record *r, uint32_t slot);

enum record_verdict {
	RECORD_EMPTY,		/* nobody */
	RECORD_ALIVE,		/* as far as its keeper knew, it ran */
	RECORD_ENDED,		/* ... it had ended; how is in the record */
	RECORD_DAMAGED,		/* state and seals contradict each other: nothing is believed */
};
/* What a dead keeper left in R, the record of SLOT. */
enum record_verdict record_judge(const struct record *r, uint32_t slot);

/* --- names ----------------------------------------------------------------------------------- */

/* A process beside a subsystem's main one (core/task.h) says in this variable what it is for, and
 * its record is named "NAME/WHAT": so neither is ever taken for the other. */
#define PROCD_TASK_VARIABLE "PROCD_TASK"
/* Append "/WHAT" to NAME; WHAT is TASK up to its first underscore. Nothing when TASK is empty, or
 * when there is no room (no record has such a name then). */
void record_name_add_task(char name[NAME_CAP], const char *task);
/* WHAT in NAME, or NULL. */
static inline const char *record_name_task(const char *name)
{
	const char *slash = strchr(name, '/');

	return slash != NULL ? slash + 1 : NULL;
}

/* While a new main process of a subsystem replaces the old one, both live (core/overlap.h): one of
 * them has this variable, and its record is named "NAME/2". */
#define PROCD_PLACE_VARIABLE "PROCD_PLACE"
#define RECORD_SECOND_PLACE "2"
static inline bool record_name_is_second(const char *name)
{
	const char *what = record_name_task(name);

	return what != NULL && strcmp(what, RECORD_SECOND_PLACE) == 0;
}
/* Is RECORD_NAME that of a process of the subsystem NAME, main or not? */
static inline bool record_name_is_of(const char *record_name, const char *name)
{
	size_t n = strcspn(record_name, "/");

	return strncmp(name, record_name, n) == 0 && name[n] == '\0';
}
static inline bool record_name_is_main(const char *name)
{
	return record_name_task(name) == NULL || record_name_is_second(name);
}

/* The session that the process which was started had made: its number. */
static inline pid_t record_session(const struct record *r)
{
	return r->session != 0 ? r->session : r->pid;
}

/* The name of the keeper's group, "" when it was damaged. */
void records_group_get(const struct records_header *h, char out[32]);
void records_group_set(struct records_header *h, const char *name);

static inline struct record *record_get(const struct records *r, uint32_t slot)
{
	return &r->slots[slot];	/* SLOT < header->nslots */
}

#endif
