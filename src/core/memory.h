/* Saved run-time state: what the next supervisor must know and the keeper's records do not say.
 *
 * A mapped file. Every entry exists twice, and the older copy is overwritten: whoever dies in the
 * middle of a write leaves the one before it. Each copy carries a checksum; an entry of which both
 * are bad is dropped and counted. The head says how many entries there are, so a cut is noticed.
 * What is damaged is reported, and kept as "memory.bad". Main thread. */
#ifndef CORE_MEMORY_H
#define CORE_MEMORY_H

#include <stdbool.h>

#include "base/util.h"

#define MEMORY_FILE "memory"
#define MEMORY_VERSION 2

/* A bit each, by their order, which is the file's: a new one comes last. */
#define MEMORY_FLAGS(FLAG) \
	FLAG(USED) FLAG(CONFIG_UP) FLAG(REMOVED) FLAG(KICK) FLAG(BOUNCE) FLAG(GAVE_UP) \
	FLAG(END_KNOWN) FLAG(CORE_DUMPED) FLAG(KILLED) FLAG(STATUS_LOST) \
	FLAG(SPARE)		/* set in files of before; free to be taken when those are gone */ \
	FLAG(BOOT_PENDING) FLAG(TREE_EMPTY) FLAG(PULLED) FLAG(SUCCEEDED) FLAG(ENDED_BADLY) \
	FLAG(HEALTHY) FLAG(UNHEALTHY)	/* neither: unknown */ \
	FLAG(ILL)		/* stopped for that */ \
	FLAG(POST_STOPPED)	/* post_stop ran for spawn_id */ \
	FLAG(COMMANDED)		/* stop_command ran in the stop under way */ \
	FLAG(OBEYED)		/* with success */ \
	FLAG(STOP_KEPT)		/* removed: run_ns is its stop_timeout in ns, or less than 0 for \
				 * none; run_delay_ms its stop signal */ \
	FLAG(OVER)		/* of the soft limit, and told */ \
	FLAG(CALENDAR)		/* the next run is a moment of the time of day */ \
	FLAG(SECOND)		/* it is beside another one of its name, in the slot RUN_DELAY_MS */ \
	FLAG(NOTED)		/* there is a note of it (core/notes.h) */

enum memory_flag_place {
#define MEMORY_FLAG_PLACE(name) MEMORY_##name##_PLACE,
	MEMORY_FLAGS(MEMORY_FLAG_PLACE)
	MEMORY_NFLAGS
};
enum memory_flags {
#define MEMORY_FLAG_BIT(name) MEMORY_##name = 1 << MEMORY_##name##_PLACE,
	MEMORY_FLAGS(MEMORY_FLAG_BIT)
};
_Static_assert(MEMORY_NFLAGS < 32 && MEMORY_NOTED == 1 << 26, "memory flags are a file format");

enum memory_hook_flags {
	MEMORY_HOOK_KIND_MASK = 0xf,
	MEMORY_HOOK_STARTED = 1 << 4, MEMORY_HOOK_TIMED_OUT = 1 << 5,
	MEMORY_HOOK_STATUS_KNOWN = 1 << 6,
};
#define MEMORY_HOOK_BITS(OP) \
	(MEMORY_HOOK_KIND_MASK OP MEMORY_HOOK_STARTED OP MEMORY_HOOK_TIMED_OUT OP \
	 MEMORY_HOOK_STATUS_KNOWN)
_Static_assert(MEMORY_HOOK_BITS(+) == MEMORY_HOOK_BITS(|), "no bit has two meanings");
_Static_assert(MEMORY_HOOK_BITS(|) <= UINT8_MAX, "memory_entry.hook has room");

/* Zero in files of before there was anything but exec; two bits each for an enum expiry. */
enum memory_readiness {
	MEMORY_READY_TOLD = 1 << 0, MEMORY_READY_EXTENDED = 1 << 1, MEMORY_READY_STOPPING = 1 << 2,
	MEMORY_READY_RELOADING = 1 << 3, MEMORY_EXPIRY_SHIFT = 4, MEMORY_END_EXPIRY_SHIFT = 6,
	MEMORY_EXPIRY_MASK = 3,
	MEMORY_PROFILER_SHIFT = 8, MEMORY_PROFILER_MASK = 0xf,	/* enum preload_verdict */
};
#define MEMORY_READINESS_BITS(OP) \
	(MEMORY_READY_TOLD OP MEMORY_READY_EXTENDED OP MEMORY_READY_STOPPING OP \
	 MEMORY_READY_RELOADING OP (MEMORY_EXPIRY_MASK << MEMORY_EXPIRY_SHIFT) OP \
	 (MEMORY_EXPIRY_MASK << MEMORY_END_EXPIRY_SHIFT) OP \
	 (MEMORY_PROFILER_MASK << MEMORY_PROFILER_SHIFT))
_Static_assert(MEMORY_READINESS_BITS(+) == MEMORY_READINESS_BITS(|), "no bit has two meanings");

/* One subsystem. Times are CLOCK_MONOTONIC, valid within one boot. */
struct memory_entry {
	uint64_t checksum;	/* of the rest */
	uint64_t stamp;		/* the copy with the higher one is newer */
	uint64_t id, spawn_id, event_seq, restart_count;
	int64_t since_mono_ns, started_mono_ns, wait_mono_ns, ladder_mono_ns;
	int64_t next_restart_ms;
	uint32_t flags;		/* enum memory_flags */
	uint32_t attempt;
	int32_t pid, end_pid, exit_code, signal, errnum;
	uint8_t state, prev, reason, order_reason, wish, ladder_step, stage, phase;
	char name[NAME_CAP];
	uint32_t readiness;		/* enum memory_readiness */
	int64_t ready_by_mono_ns;	/* deadline of the start; 0: none */
	int64_t watchdog_ns;
	/* The next run (0: none planned), with this random delay in it, and the last one.
	 * MEMORY_CALENDAR: time of day (core/schedule.h) */
	int64_t run_ns, last_run_ns;
	uint32_t run_delay_ms;
	uint32_t files_print;		/* of what `watch` names (core/watcher.h); 0: none */
	/* the hook that failed last; zero in files of before */
	uint16_t hook_errnum, hook_status;
	uint8_t hook;			/* 1 + enum task_kind, and enum memory_hook_flags; 0: none */
	uint8_t hook_stage;
	char pad[256 - 15 * 8 - 5 * 4 - 5 * 4 - 8 - NAME_CAP - 6];
};
_Static_assert(sizeof(struct memory_entry) == 256, "memory entries are a file format");

/* The instance. */
struct memory_head {
	uint64_t checksum;
	uint64_t stamp;
	uint64_t magic;
	uint32_t version, entry_size;
	uint64_t next_id, next_spawn_id, total_restarts;
	uint64_t generation;
	int64_t shutdown_mono_ns, shutdown_kill_mono_ns;
	uint32_t shutdown_phase, shutdown_total, shutdown_orders;
	uint8_t shutdown_error, shutdown_killed, daemon_state, started;
	char boot_id[37], boot_pad[3];
	uint32_t nslots;		/* that the file has room for */
	uint32_t keeper_pad;
	int64_t keeper_mono_ns;		/* when the keeper of whoever wrote this started */
	char pad[256 - 3 * 8 - 2 * 4 - 6 * 8 - 3 * 4 - 4 - 40 - 2 * 4 - 8];
};
_Static_assert(sizeof(struct memory_head) == 256, "the memory's head is a file format");

struct memory {
	unsigned char *base;	/* NULL: nothing is saved */
	int fd;
	uint32_t nslots;	/* that the file has room for */
	uint64_t stamp;
	/* found at open */
	uint32_t dropped;	/* entries of which both copies were bad */
	uint32_t older;		/* entries and heads of which one copy was bad: the other counts */
	bool cut;		/* the file was shorter than its head says */
	bool unusable;		/* there was something, and no head to believe in */
	bool head_valid;	/* the head is of this boot and this format */
	bool full;		/* the file system refused room; said once */
	char boot_id[37];
};

/* The head in FD without touching the file; false: none of this boot and format. */
bool memory_peek(int fd, struct memory_head *out);

/* Map FD (the caller's, kept open; -1: keep nothing). A file of another boot, version or with a bad
 * head has head_valid false; its entries are still readable where their checksums hold (the caller
 * decides), except those of another boot or version, which are wiped. */
void memory_open(struct memory *m, int fd);
/* Let go of its pages: they stay in the file, and come back when one is written. madvise(2). */
void memory_unmap_idle(const struct memory *m);
void memory_close(struct memory *m);
void memory_wipe(struct memory *m);		/* begin anew */

/* The newest valid copy; false: none, or the slot is unused. */
bool memory_load(const struct memory *m, uint32_t slot, struct memory_entry *out);
bool memory_load_head(const struct memory *m, struct memory_head *out);
/* Fill checksum and stamp, store. Silently nothing when there is no room for SLOT. */
void memory_store(struct memory *m, uint32_t slot, struct memory_entry *e);
void memory_store_head(struct memory *m, struct memory_head *h);
void memory_clear(struct memory *m, uint32_t slot);
/* Clear SLOT, whose last process was SPAWN_ID: all of it was told, whatever records may say
 * later. */
void memory_bury(struct memory *m, uint32_t slot, uint64_t spawn_id);
/* Was everything up to SPAWN_ID told of SLOT, which nobody has taken since? */
bool memory_buried(const struct memory *m, uint32_t slot, uint64_t spawn_id);

#endif
