/* The keeper's own state, for its own files. Nothing above this room includes it. */
#ifndef KEEPER_INNER_H
#define KEEPER_INNER_H

#include "base/clock.h"
#include "keeper/adopt.h"
#include "keeper/heartbeat.h"
#include "keeper/hold.h"
#include "keeper/keeper.h"
#include "keeper/link.h"
#include "keeper/pidfd.h"
#include "keeper/proto.h"
#include "keeper/reap.h"
#include "keeper/rundir.h"
#include "keeper/slot.h"
#include "keeper/spawn.h"
#include "keeper/tree.h"
#include "keeper/upgrade.h"

enum supervisor_state {
	SUPERVISOR_NONE,	/* dead; restart_at_ns says when the next comes */
	SUPERVISOR_SETUP,	/* runs, has no WELCOME yet */
	SUPERVISOR_SERVING,
	SUPERVISOR_LEAVING,	/* said LEAVE */
	SUPERVISOR_YIELDING,	/* said UPGRADE; may still be closing its rooms */
};

#define DEATHS_KEPT 5

struct supervision {
	enum supervisor_state state;
	pid_t pid;
	int pidfd;			/* -1: none */
	bool welcomed_once;
	uint32_t deaths;
	uint32_t crashes;		/* deaths of its own doing */
	int64_t crash_times_ns[DEATHS_KEPT];	/* ring by CRASHES */
	bool ready;			/* it serves */
	bool rejected;			/* we killed it, because it spoke nonsense */
	char **argv;			/* as executed; "{FD}" and "{RUN_DIR}" filled in */
	int64_t began_ns;
	int64_t restart_at_ns;
	bool safe_mode;
	int leave_code;
	int64_t kill_at_ns;		/* it ought to have acted by then; INT64_MAX */
};

/* The keeper ends everything itself: no supervisor is there to do it. */
struct ending {
	bool on;
	int code;
	int64_t kill_at_ns;	/* then SIGKILL */
	int64_t give_up_at_ns;	/* then leave whatever cannot be killed */
	bool killed;
};

struct keeper {
	const struct keeper_options *options;
	int epfd, sigfd;
	int64_t started_ns;
	unsigned unmapped_starts;	/* spawner.starts when the records were let go of last */
	int64_t turn_ns;		/* when the events of this turn had been collected */
	struct signaller signaller;
	struct spawner spawner;
	struct rundir rundir;
	struct records records;
	struct slots slots;
	struct hold hold;
	struct tree_watch tree;
	struct reaper reaper;
	struct adoption adoption;
	struct link link;
	struct supervision supervisor;
	struct heartbeat heartbeat;
	struct upgrade upgrade;
	struct ending ending;
	char name[NAME_CAP];		/* of the instance */
	uint64_t signals;		/* received, not taken yet; bit N - 1 */
	uint64_t signals_told;		/* those of them that this supervisor was told */
	bool done;
	int exit_code;
};

/* What an epoll event is about: kind in the upper half, slot in the lower. */
enum event_kind { EVENT_SIGNAL, EVENT_LINK, EVENT_SUPERVISOR, EVENT_CHILD };
static inline uint64_t event_key(enum event_kind kind, uint32_t slot)
{
	return (uint64_t)kind << 32 | slot;
}
int keeper_watch(struct keeper *k, int fd, uint32_t events, uint64_t key);	/* 0 or -errno */
/* From now on only the hang-up of FD: what is readable cannot be dealt with yet. */
void keeper_watch_hangup(struct keeper *k, int fd, uint64_t key);


/* The supervisor sent SETUP: make the run directory ours and say how it went. */
void keeper_setup(struct keeper *k, const struct km_setup *setup, struct km_welcome *welcome);

#endif
