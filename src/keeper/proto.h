/* What keeper and supervisor say to each other: fixed-size messages on a SOCK_SEQPACKET pair, one
 * per packet, a plan or a path behind the fixed part. Same machine, same executable: native layout.
 *
 * Order of a conversation: supervisor sends SETUP; keeper answers WELCOME (descriptors: run
 * directory, records file, then the held ones in the order of held_keys), and HELD with those of
 * slots, as often as it takes; after that both talk freely. A later supervisor (after a crash)
 * sends SETUP, too: the keeper compares the run directory with the one it has and answers with
 * recovering = 1. */
#ifndef KEEPER_PROTO_H
#define KEEPER_PROTO_H

#include <limits.h>

#include "keeper/plan.h"
#include "keeper/record.h"

#define KEEPER_PROTO_VERSION 14
#define HOLD_MAX 64
#define HOLD_KEY_CAP 32
#define HELD_PER_PACKET 64

enum keeper_msg_type {
	/* supervisor to keeper */
	KM_SETUP = 1,	/* struct km_setup */
	KM_SPAWN,	/* struct km_slot + plan; the slot must be FREE */
	KM_SIGNAL,	/* struct km_signal */
	KM_RELEASE,	/* struct km_slot: the exit was noted, the record may be reused */
	KM_HOLD,	/* struct km_hold + 1 descriptor: keep it for the next supervisor */
	KM_LEAVE,	/* struct km_leave: ordered end; the supervisor exits next */
	KM_TAKEN,	/* struct km_forward, back: the signal was noted, tell nobody else */
	KM_READY,	/* struct km_header: it serves; until then a new executable is on trial */
	KM_UPGRADE,	/* struct km_upgrade + the new executable; the supervisor exits next */
	KM_SETTLED,	/* struct km_header: all is started, there will be little to do */
	KM_HEARD,	/* struct km_header: the news were heard, there is nothing else to say */
	KM_HOLD_SLOT,	/* struct km_slot + 1 descriptor: the same for a slot, which keeps one */
	KM_FOLLOW,	/* struct km_main: let PID be the main process; KM_MAIN is the answer */
	KM_FETCH,	/* struct km_fetch: copies of the sockets that a process was given; KM_FETCHED
			   is the answer */
	/* keeper to supervisor */
	KM_WELCOME = 64,	/* struct km_welcome + descriptors */
	KM_STARTED,	/* struct km_started: exec succeeded, or {stage, errnum} */
	KM_EXITED,	/* struct km_exited: main process reaped */
	KM_GONE,	/* struct km_slot: the tree of an exited one is empty now */
	KM_FORWARD,	/* struct km_forward: a signal that the keeper received; told again to the
			   next supervisor unless KM_TAKEN comes back */
	KM_HELD,	/* struct km_held + N descriptors that slots keep; right behind WELCOME */
	KM_MAIN,	/* struct km_main: this is the main process now, or still */
	KM_FETCHED,	/* struct km_fetched + N descriptors; none when it took too long */
};

struct km_header {
	uint32_t type;
	uint32_t size;	/* of the whole packet */
};

struct km_setup {
	struct km_header h;
	uint32_t version;
	uint32_t slots;		/* expected number of subsystems; a hint */
	char name[NAME_CAP];
	char run_dir[PATH_MAX];	/* absolute */
	char pid_file[PATH_MAX];	/* absolute or "" */
};

/* What the keeper could not do at SETUP; the supervisor words it and exits with exit_code. */
enum setup_stage {
	SETUP_OK, SETUP_VERSION, SETUP_RUN_DIR, SETUP_RUN_DIR_UNSAFE, SETUP_LOCK, SETUP_LOCKED,
	SETUP_RECORDS, SETUP_PID_FILE, SETUP_MOVED,
};

/* How the latest KM_UPGRADE ended, and if it failed, in which way. */
enum upgrade_outcome {
	UPGRADE_NONE,		/* there was none; ID > 0: this supervisor is on trial */
	UPGRADE_DONE,		/* this supervisor is the new one, or descends from it */
	UPGRADE_NO_EXEC,	/* DETAIL: errno */
	UPGRADE_DIED,		/* before it was ready; DETAIL: wait status */
	UPGRADE_NONSENSE,	/* it spoke nonsense, or left at once */
	UPGRADE_LATE,		/* it was not ready in time */
	UPGRADE_DIED_SOON,	/* it was ready, then crashed; DETAIL: wait status */
	UPGRADE_NO_HANDOVER,	/* --keeper: what it hands over could not be passed; errno */
	UPGRADE_REFUSED,	/* --keeper: the new keeper could not read it */
	UPGRADE_OUTCOMES
};

struct km_upgraded {
	uint32_t id;		/* counts KM_UPGRADE since the keeper was started */
	uint32_t outcome;	/* enum upgrade_outcome */
	int32_t detail;
	uint32_t keeper;	/* the keeper, too */
	uint32_t news;		/* no supervisor was told before */
};

struct km_welcome {
	struct km_header h;
	uint32_t stage;		/* enum setup_stage */
	int32_t errnum;
	int32_t holder_pid;	/* SETUP_LOCKED: who holds the lock, 0 unknown */
	int32_t keeper_pid;
	uint32_t recovering;	/* 1: an earlier supervisor of this keeper died */
	uint32_t deaths;	/* of supervisors so far */
	uint32_t records_set_aside;
	uint32_t have_cgroup;	/* cgroup v2 in use for trees */
	int64_t keeper_started_mono_ns;
	uint32_t handover;	/* keeper_handover_layout() of this keeper; 0: it cannot */
	struct km_upgraded upgraded;	/* what became of the latest upgrade */
	char exe[PATH_MAX];		/* where the executable of this supervisor was found */
	uint32_t nheld_slots;		/* in the KM_HELD that follow */
	uint32_t nheld;
	char held_keys[HOLD_MAX][HOLD_KEY_CAP];
};

struct km_held {
	struct km_header h;
	uint32_t n;
	uint32_t slots[HELD_PER_PACKET];	/* whose descriptors these are, ascending */
};

struct km_slot {
	struct km_header h;
	uint32_t slot;
	uint32_t pad;
	uint64_t spawn_id;
};

enum signal_scope { SCOPE_MAIN, SCOPE_TREE };

enum signal_flag {
	SIGNAL_THEN_CONT = 1 << 0,	/* follow with SIGCONT, so that a stopped process can act */
	/* procd ends: what the slot was needed for is not started again. A keeper that is older
	 * than this flag takes it for the one above, which does no harm. */
	SIGNAL_LAST = 1 << 1,
};

struct km_signal {
	struct km_header h;
	uint32_t slot;
	int32_t signo;
	uint64_t spawn_id;
	uint32_t scope;		/* enum signal_scope */
	uint32_t flags;		/* enum signal_flag */
	/* SCOPE_TREE with SIGKILL: the keeper repeats it until the tree is empty. */
};

struct km_started {
	struct km_header h;
	uint32_t slot;
	int32_t pid;
	uint64_t spawn_id;
	int64_t at_mono_ns;
	uint32_t stage;		/* enum spawn_stage; STAGE_NONE = it runs */
	int32_t errnum;
	uint32_t missing;	/* bits of enum plan_cgroup_limit: asked for and not in force */
	uint32_t pad;
};

struct km_exited {
	struct km_header h;
	uint32_t slot;
	int32_t pid;
	uint64_t spawn_id;
	int64_t at_mono_ns;
	int32_t wait_status;
	uint32_t tree_left;	/* members of its tree still live (PLAN_TREE); KM_GONE follows */
	uint32_t fifos_empty;	/* nothing waits to be read in the FIFOs that it wrote to */
	uint32_t pad;
};

struct km_main {
	struct km_header h;
	uint32_t slot;
	int32_t pid;
	uint64_t spawn_id;
};

struct km_fetch {
	struct km_header h;
	uint32_t slot;
	uint32_t count;		/* of descriptors to look at, from the first that is passed on */
	uint64_t spawn_id;
};

struct km_fetched {
	struct km_header h;
	uint32_t slot;
	uint32_t n;
	uint64_t spawn_id;
	int32_t errnum;		/* why there are none at all; 0: whatever it had of them is here */
	uint8_t at[PLAN_MAX_LISTEN];	/* which each was, counted from 0 */
};

struct km_forward {
	struct km_header h;
	int32_t signo;
	uint32_t pad;
};

struct km_hold {
	struct km_header h;
	char key[HOLD_KEY_CAP];	/* replaces what was held under it; no descriptor = forget it */
};

struct km_upgrade {
	struct km_header h;
	uint32_t keeper;	/* 1: the keeper executes it in its own place first */
	uint32_t pad;
	char exe[PATH_MAX];	/* where it was found; for messages and as the next default */
};

struct km_leave {
	struct km_header h;
	int32_t exit_code;
	uint32_t pad;
};

#endif
