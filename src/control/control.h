/* The door: JSON-RPC 2.0 over a Unix stream socket, served by the front thread.
 *
 * Read methods are answered from board, event ring and configuration under RCU and never touch the
 * main thread; acting methods become orders in its mailbox and wait for the answer. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "base/error.h"
#include "base/mailbox.h"
#include "core/core.h"
#include "event/tally.h"
#include "metrics/sampler.h"
#include "output/tail.h"

#define CONTROL_LINE_MAX (64u * 1024)
#define CONTROL_DEPTH_MAX 32
#define CONTROL_CONNECTIONS_MAX 128
#define CONTROL_CONNECTIONS_PER_UID 16
#define CONTROL_IDLE_MS 60000

/* An order for the main thread. REQUEST (or KIND for those that are not the core's) says what; the
 * main thread fills in the result and sends it back with control_answer(). */
enum control_kind {
	CONTROL_CORE,		/* give REQUEST to core_request() */
	CONTROL_SCALE,		/* core_scale_wanted(), load, core_scale() */
	CONTROL_PLAN, CONTROL_RELOAD,	/* load the configuration; show / apply the difference */
	CONTROL_REOPEN_LOGS, CONTROL_LOG_LEVEL, CONTROL_UPGRADE,
	CONTROL_MEMORY,		/* nobody waits: core_memory_used() with MEMORY */
	CONTROL_PROFILE,
};
struct control_order {
	struct mail mail;
	enum control_kind kind;
	struct core_request request;	/* CONTROL_CORE, CONTROL_SCALE */
	uint64_t generation;		/* CONTROL_SCALE: in force when the load was ordered */
	bool allow_empty;		/* CONTROL_RELOAD */
	enum log_level level;		/* CONTROL_LOG_LEVEL */
	char *binary;			/* CONTROL_UPGRADE: absolute; NULL: the default */
	struct sampler_news memory;	/* CONTROL_MEMORY */
	bool keeper_too;
	int64_t handover;		/* not 0: only asks what became of that upgrade */
	unsigned hz;			/* CONTROL_PROFILE, of REQUEST's names (none: procd itself) */
	bool kernel;			/* likewise: what the kernel does, too */
	int *fds;			/* go to the client with the result; owned */
	size_t nfds;
	/* result of those without REQUEST (there it is in that) */
	struct error error;
	json_t *result;
	struct control *control;	/* who asked; the front thread's own bookkeeping follows */
	uint64_t connection;
	json_t *id;
};

struct control;

struct control_setup {
	int listen_fd;			/* bound and listening; taken over */
	struct board *board;
	struct chan *chan;
	struct output *output;
	struct tally *tally;		/* NULL: nothing is counted */
	const struct records *records;	/* of the keeper; NULL in unit tests */
	struct mailbox *orders;		/* main thread's: receives struct control_order */
	struct ev_loop *main_loop;
};

/* Start the front thread. Main thread. NULL with *E on failure. */
struct control *control_start(const struct control_setup *setup, struct error *e);
/* Main thread: the order is done; goes back to the front thread, which replies and frees it. */
void control_answer(struct control_order *order);
/* Another configuration was published. Main thread. */
void control_reconfigured(struct control *c);
/* Orders under way, whose clients wait. Main thread. */
unsigned control_orders(const struct control *c);
/* Serve new clients on FD (bound and listening; taken over) from now on. Main thread. */
void control_listen_on(struct control *c, int fd);
/* As control_stop(), for a successor that is waiting: who does not read at once is cut off, and may
 * come again. */
void control_hand_over(struct control *c);
/* Flush what is queued to clients (at most 500 ms), close all, join. Unanswered orders have been
 * answered before. Main thread. */
void control_stop(struct control *c);

/* Create, bind and listen: PATH's mode and group as configured, set before anyone can connect. A
 * stale socket is replaced, a live one is -EADDRINUSE, anything else at PATH is -EEXIST. Returns
 * the descriptor, the caller's, or negative errno with *E set. Main thread or before threads. */
int control_listen(const struct config *config, struct error *e);
/* Where control_listen() made FD, whoever called it: the configuration may name another place by
 * now. The caller frees it; NULL: it cannot be told. */
char *control_listen_path(int fd);

#endif
