/* The supervisor's side of the keeper: send wishes, get facts. Main thread only.
 *
 * Sending never blocks: what the socket does not take at once is queued here and sent when it is
 * writable. Facts are delivered from the loop; a repeated fact (after a recovery) must be harmless
 * to the receiver, which compares spawn_id. */
#ifndef KEEPER_CLIENT_H
#define KEEPER_CLIENT_H

#include "base/error.h"
#include "base/loop.h"
#include "keeper/proto.h"

struct keeper_facts {	/* called from the loop; CTX as given */
	void (*started)(void *ctx, const struct km_started *m);
	void (*exited)(void *ctx, const struct km_exited *m);
	void (*gone)(void *ctx, uint32_t slot, uint64_t spawn_id);
	void (*main)(void *ctx, const struct km_main *m);
	void (*fetched)(void *ctx, const struct km_fetched *m, const int *fds);	/* takes them */
	void (*signal)(void *ctx, int signo);
	void (*lost)(void *ctx);	/* the keeper is gone: leave at once, touch no child */
};

struct keeper_client;

/* Take over FD (the end that the keeper handed to this process) and do the SETUP conversation,
 * blocking for at most 10 s. On success WELCOME is filled, RUN_DIRFD, RECORDS and HELD_FDS (in the
 * order of welcome->held_keys) are the caller's. On failure *E has the message and the return value
 * is the exit code to leave with (73, 75, 71, 77), and FD stays open, or not. 0 on success. */
int keeper_client_open(struct keeper_client **out, int fd, const struct km_setup *setup,
		       struct km_welcome *welcome, int *run_dirfd, struct records *records,
		       int held_fds[HOLD_MAX], struct error *e);
/* Start delivering facts on LOOP. */
void keeper_client_start(struct keeper_client *k, struct ev_loop *loop,
			 const struct keeper_facts *facts, void *ctx);
void keeper_client_free(struct keeper_client *k);

/* PLAN as made by plan_finish(); copied. -E2BIG (too big for a plan or for the socket) is the only
 * error. */
int keeper_spawn(struct keeper_client *k, uint32_t slot, uint64_t spawn_id, const void *plan,
		 size_t plan_size);
void keeper_signal(struct keeper_client *k, uint32_t slot, uint64_t spawn_id, int signo,
		   enum signal_scope scope, bool then_cont);
/* procd ends: who is told to end from now on is not started again. */
void keeper_ending(struct keeper_client *k);
/* PID, of the same tree, is to be the main process; facts->main is the answer. */
void keeper_follow(struct keeper_client *k, uint32_t slot, uint64_t spawn_id, pid_t pid);
/* Look for sockets among the first COUNT (at most PLAN_MAX_LISTEN) descriptors that the process was
 * passed; facts->fetched is the answer, which comes before the end of the process. */
void keeper_fetch(struct keeper_client *k, uint32_t slot, uint64_t spawn_id, uint32_t count);
/* Its record may be reused. Said with whatever is said next, at the latest at the end of the
 * turn. */
void keeper_release(struct keeper_client *k, uint32_t slot, uint64_t spawn_id);
/* The loop is about to sleep: say what was kept back, or that the news of this turn were heard. */
void keeper_turn_ends(struct keeper_client *k);
void keeper_hold(struct keeper_client *k, const char *key, int fd);	/* FD stays the caller's */
/* The same for SLOT, which keeps one; -1: none any more. */
void keeper_hold_slot(struct keeper_client *k, uint32_t slot, int fd);
/* What an earlier supervisor gave for a slot: each once, the caller's from then on. -1: no more. */
int keeper_take_held(struct keeper_client *k, uint32_t *slot);
/* This process serves. */
void keeper_ready(struct keeper_client *k);
/* All is started: what only a start needs may be let go of. */
void keeper_settled(struct keeper_client *k);
/* Flush everything queued (blocking, at most 2 s), then say LEAVE. The caller exits next. False: it
 * could not be said, so the keeper will start another supervisor, which needs the state files. */
bool keeper_leave(struct keeper_client *k, int exit_code);
/* The same with UPGRADE: the next supervisor is to be started from EXE, found at PATH; with
 * KEEPER_TOO the keeper executes it, too. EXE stays the caller's. */
void keeper_yield(struct keeper_client *k, int exe, const char *path, bool keeper_too);

#endif
