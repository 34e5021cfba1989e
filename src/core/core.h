/* The core's public face: the only room that decides. Main thread only, unless said otherwise.
 *
 * Facts come in through core_keeper_*(), core_signal(), core_request() and core_apply(); each of
 * them only notes the fact. core_settle() then decides until nothing is dirty: the caller runs it
 * once per loop turn. Wishes go out through the ops. The core does no I/O of its own but writing
 * its mapped memory file; it can be run with a fake clock, a fake keeper and no loop. */
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include "base/error.h"
#include "config/config.h"
#include "config/start_files.h"
#include "event/board.h"
#include "event/channel.h"
#include "event/tally.h"
#include "keeper/proto.h"

struct core;

enum shutdown_mode { SHUTDOWN_GRACEFUL, SHUTDOWN_FORCE, SHUTDOWN_KILL };
extern const struct enumtext shutdown_mode_text;	/* "graceful", "force", "kill" */

enum probe_result {
	PROBE_PASSED, PROBE_FAILED,
	PROBE_NOT_MADE,		/* procd had not the means to ask: nothing is known */
};

/* What the core wishes for. All are called from core_settle() or from the function that the caller
 * called; none may call back into the core at once. */
struct core_ops {
	/* the keeper; see keeper/client.h */
	int (*spawn)(void *ctx, uint32_t slot, uint64_t spawn_id, const void *plan, size_t size);
	/* read what the start SPAWN_ID needs (config/start_files.h), then call core_files_read();
	 * -errno: nobody can. May be NULL where no options ask for it */
	int (*read_files)(void *ctx, struct subsystem_options *options, uint32_t slot,
			  uint64_t spawn_id);
	void (*signal)(void *ctx, uint32_t slot, uint64_t spawn_id, int signo,
		       enum signal_scope scope, bool then_cont);
	/* let PID be the main process; core_keeper_main() is the answer. May be NULL */
	void (*follow)(void *ctx, uint32_t slot, uint64_t spawn_id, int pid);
	void (*release)(void *ctx, uint32_t slot, uint64_t spawn_id);
	/* output: SLOT's streams are to be captured by these options (again with others after a
	 * reload); no longer; and: read what is left, then call core_drained() */
	void (*output_attach)(void *ctx, uint32_t slot, struct subsystem_options *options);
	void (*output_detach)(void *ctx, uint32_t slot);
	void (*output_drain)(void *ctx, uint32_t slot, uint64_t spawn_id);
	/* SLOT's latest process printed nothing, given that nothing waits in its FIFOs; false where
	 * that is not sure. May be NULL */
	bool (*output_silent)(void *ctx, uint32_t slot);
	/* the lines of SLOT come from this process from now on; 0: a start is under way, whose
	 * lines wait until the next call; -1: it came to nothing. Only for captured ones; may be
	 * NULL */
	void (*output_pid)(void *ctx, uint32_t slot, int pid);
	/* call core_line_matched() for the first line of SLOT's process, from its start on, that
	 * log:REGEX of OPTIONS matches. May be NULL where no options ask for it */
	void (*output_watch)(void *ctx, uint32_t slot, struct subsystem_options *options,
			     uint64_t spawn_id);
	/* look at what O (tcp, unix, http; not kept) names for at most TIMEOUT_NS, then call
	 * core_probed() with ID. Returns a handle, until then; and: forget it, no call follows. May
	 * be NULL where no options ask for it */
	void *(*probe)(void *ctx, uint64_t id, const struct probe_option *o, int64_t timeout_ns);
	void (*probe_cancel)(void *ctx, void *handle);
	/* SLOT's next process is to be able to speak to procd: its socket, made where it is
	 * missing, for UID to write to; what was said before is thrown away when FRESH. *PATH is
	 * its name, valid until it is closed. 0 or -errno. NULL in unit tests that have no use for
	 * it */
	int (*notify_open)(void *ctx, uint32_t slot, uid_t uid, bool fresh, const char **path);
	void (*notify_close)(void *ctx, uint32_t slot);	/* harmless when there is none */
	/* bind ADDRESS (config/listen.h; any port where it says 0) with the owner and umask that O
	 * says, and let the keeper hold it for SLOT, which is free otherwise; 0 or -errno. And: let
	 * go of it everywhere. May be NULL where no options ask for it. -EINPROGRESS: core_bound()
	 * says how it went, unless it was let go of before */
	int (*listen)(void *ctx, uint32_t slot, const char *address,
		      const struct subsystem_options *o);
	void (*unlisten)(void *ctx, uint32_t slot);
	/* look among the first N descriptors that SPAWN_ID of SLOT was passed for listening
	 * sockets: core_socket_found() for each, then core_sockets_found(). May be NULL as
	 * LISTEN */
	void (*fetch)(void *ctx, uint32_t slot, uint64_t spawn_id, size_t n);
	/* call core_connection() once when somebody connects, or a datagram waits; and: not any
	 * more */
	void (*await)(void *ctx, uint32_t slot, bool on);
	/* find out whether any of these sockets has a connection, then call core_looked() with SLOT
	 * and ID; false: nobody can, and no call follows */
	bool (*look)(void *ctx, const uint32_t *sockets, size_t n, uint32_t slot, uint64_t id);
	/* watch the files of O->watch (not kept) for this subsystem instead of what it had; NULL:
	 * for nothing. KNOWN: as core_files_changed() told. May be NULL */
	void (*watch_files)(void *ctx, uint32_t slot, uint64_t id,
			    const struct subsystem_options *o, uint32_t known);
	/* [signals] actions that are not the core's */
	void (*reload)(void *ctx);
	/* a configuration is going to be published as GENERATION, after this call; may be NULL */
	void (*publishing)(void *ctx, uint64_t generation);
	void (*reopen_logs)(void *ctx);
	void (*dump)(void *ctx);
	/* the instance entered this state, or its one-line status TEXT changed (at most once per
	 * second); for the service manager. BOOTED: each start that came with procd is ready, has
	 * failed for good, or has used up its time */
	void (*daemon_state)(void *ctx, enum daemon_state state, bool booted, const char *text);
	/* procd begins to end, or goes on with it: what ends from now on is not started again.
	 * Before the first signal of that; may be NULL */
	void (*ending)(void *ctx);
	/* everything is down: leave with this code (interface 1) */
	void (*finished)(void *ctx, int exit_code);
};

struct core_setup {
	struct chan *chan;
	struct board *board;
	struct tally *tally;			/* NULL: nothing is counted */
	const struct core_ops *ops;
	void *ops_ctx;
	const struct records *records;		/* NULL in unit tests without recovery */
	const struct km_welcome *welcome;
	int memory_fd;				/* "memory" in the run directory; -1: none */
	int notes_fd;				/* likewise "notes" */
	char *const *environment;		/* what children inherit */
	uint64_t random_seed;			/* for jitter; 0: from the kernel */
	/* `procd run -- CMD`: when this subsystem is down for good, everything ends with its exit
	 * code (128+N for a signal, 127 not found, 126 not executable). NULL: none */
	const char *main_name;
	/* Where a change was not finished: what processes that run were started with; used until
	 * core_start() returns. NULL: the published one */
	const struct config *before;
};

/* The configuration generation that an earlier supervisor of this boot had in force, 0: unknown;
 * for config_publish() before core_new(). */
uint64_t core_saved_generation(int memory_fd);

/* Build the core; the configuration is already published. Continues from memory and records when
 * welcome->recovering (or records of this boot are there): adopts what runs, notes what ended,
 * keeps backoff deadlines, operator stops, ids, counters and, under the same keeper, a shutdown
 * under way; under another one, what was stopped for its sake is started again. */
struct core *core_new(const struct core_setup *setup);
/* Orders that were not answered go back to their owners without DONE. */
void core_free(struct core *c);
/* Begin: puts every subsystem on the board, with its goal; core_settle() then starts them. Call
 * once, before anybody is answered. */
void core_start(struct core *c);

/* Before core_start(): the keeper holds a listening socket of an earlier supervisor for SLOT.
 * False: it is none of ours. */
bool core_socket_held(struct core *c, uint32_t slot, const char *address);

/* --- facts ----------------------------------------------------------------------------------- */
void core_keeper_started(struct core *c, const struct km_started *m);
void core_files_read(struct core *c, struct start_files *f);	/* takes F */
void core_keeper_exited(struct core *c, const struct km_exited *m);
void core_keeper_gone(struct core *c, uint32_t slot, uint64_t spawn_id);
void core_keeper_main(struct core *c, const struct km_main *m);
/* TAIL: the last lines of its stderr, or NULL. */
void core_drained(struct core *c, uint32_t slot, uint64_t spawn_id, const char *tail);
void core_line_matched(struct core *c, uint32_t slot, uint64_t spawn_id);
/* The answer to core_ops.probe; DETAIL: a few words for people. */
void core_probed(struct core *c, uint64_t id, enum probe_result result, const char *detail);
/* SLOT's process said this of itself; the sender is proven. */
struct notify_message;
void core_notify(struct core *c, uint32_t slot, const struct notify_message *m);
/* What SLOT's process says may make it ready: it has to be saved before it may be lost. */
bool core_awaits_notify(const struct core *c, uint32_t slot);
/* Of core_ops.watch_files: PRINT says what the files are now, CHANGED names one that has become
 * another since; NULL: none has. */
void core_files_changed(struct core *c, uint32_t slot, uint64_t id, uint32_t print,
			const char *changed);
/* The process SPAWN_ID of SLOT has more memory than its soft limit (OVER), or less than 90 % of it
 * again; VALUE and LIMIT in bytes. */
void core_memory_used(struct core *c, uint32_t slot, uint64_t spawn_id, bool over, uint64_t value,
		      uint64_t limit);
void core_bound(struct core *c, uint32_t slot, int errnum);	/* 0: it is, as core_ops.listen asked */
void core_connection(struct core *c, uint32_t slot);	/* as core_ops.await asked */
/* As core_ops.look asked: there is a connection, or it cannot be found out. */
void core_looked(struct core *c, uint32_t slot, uint64_t id, bool connected);
/* Of core_ops.fetch: what was passed as number I listens on ADDRESS. True: it is wanted, and to be
 * held for *SLOT. */
bool core_socket_found(struct core *c, uint32_t of, uint64_t spawn_id, size_t i,
		       const char *address, uint32_t *slot);
/* That was all; ERRNUM: why there is none. */
void core_sockets_found(struct core *c, uint32_t of, uint64_t spawn_id, int errnum);
void core_signal(struct core *c, int signo);	/* the keeper received it; [signals] decides */

/* Apply NEW: diff against the published one, publish (takes NEW), add, remove, mark to restart.
 * Sends config_reloaded. *SUMMARY (may be NULL) receives config_diff_json(). -EALREADY: equal, NEW
 * freed, nothing done. -ENOENT: NEW has no subsystems and !ALLOW_EMPTY; NEW freed. -ESHUTDOWN: a
 * shutdown is under way; NEW freed. */
int core_apply(struct core *c, struct config *new, bool allow_empty, json_t **summary);
/* The service manager hears that a reload began, and with the next settle that it is over. */
void core_tell_reload(struct core *c);
/* A load failed: sends config_rejected with every error. */
void core_reject(struct core *c, const struct config_diag *diag);

/* --- requests --------------------------------------------------------------------------------- */

enum core_verb {
	CORE_START, CORE_STOP, CORE_RESTART, CORE_SIGNAL, CORE_RELOAD_SUBSYSTEM, CORE_RESET,
	CORE_SHUTDOWN,
	CORE_SCALE			/* core/scale.h, which makes such requests */
};

/* An order from outside. The core owns it until DONE was called; DONE is called exactly once, from
 * core_settle() or core_request(), and takes it back. */
struct core_request {
	enum core_verb verb;
	struct strlist names;		/* as board_match() takes them */
	int signo;			/* CORE_SIGNAL */
	uint32_t instances;		/* CORE_SCALE */
	enum shutdown_mode mode;	/* CORE_SHUTDOWN */
	bool rolling;			/* CORE_RESTART: one after the other (core/roll.h) */
	bool overlap;			/* ... each new process before the end of the old one, too
					 * (core/overlap.h) */
	bool no_wait;			/* done as soon as it is accepted */
	bool cancelled;			/* the client left: the action goes on, DONE is called when
					 * it ends, as ever */
	void (*done)(struct core_request *r);
	/* result */
	struct error error;		/* set: the first failure, names its subsystem */
	json_t *failures;		/* [{"name","error":{...}}] of all that failed, or NULL */
	json_t *notes;			/* ["web: needed SIGKILL"], or NULL */
	struct strlist affected;	/* names the action was meant for */
	/* the core's own bookkeeping */
	struct core_request_state *state;
};
void core_request(struct core *c, struct core_request *r);

/* --- time ------------------------------------------------------------------------------------- */

/* Decide until nothing is dirty; runs due timers first (base/clock.h). */
void core_settle(struct core *c);
/* Let go of the pages of saved state and records, which a start of thousands touches once. */
void core_unmap_idle(const struct core *c);
/* Monotonic time of the next timer, INT64_MAX when there is none: when to call core_settle(). */
int64_t core_next_deadline(const struct core *c);
/* The same for what is planned by the time of day: a moment of clock_real_ns(). While there is one,
 * core_settle() is also to be called when somebody has set the clock, or the machine has slept. */
int64_t core_next_moment(const struct core *c);

/* --- views ------------------------------------------------------------------------------------ */

/* Why R is in its state, for people: {"name","state","goal","why":[lines]}; NULL: R is NULL. Built
 * from the records of BOARD; any thread inside an RCU read section. */
json_t *core_why(const struct board *board, const struct board_record *r, int64_t now_mono_ns);

#endif
