/* From the FIFOs into the rings and on to the logs. Log thread, except captures_ring() and
 * captures_silent(). */
#ifndef OUTPUT_CAPTURE_H
#define OUTPUT_CAPTURE_H

#include "base/list.h"
#include "base/loop.h"
#include "base/rcu.h"
#include "config/options.h"
#include "output/format.h"
#include "output/limit.h"
#include "output/match.h"
#include "output/output.h"
#include "output/ring.h"
#include "output/target.h"

#define CAPTURE_PAGE 1024u	/* slots per table page */
#define CAPTURE_PAGES 128u

struct captures;
struct slot;

/* LARGE: that was asked for. SMALL: it fills within a pause, and the kernel refuses a larger
 * one. */
enum pipe_size { PIPE_UNKNOWN, PIPE_USUAL, PIPE_LARGE, PIPE_LARGEST, PIPE_SMALL };

/* One FIFO. */
struct stream {
	struct loop_io readable;
	struct list paced;		/* in captures.paced: read by the timer for a while */
	struct list pending;		/* in captures.pending: its target did not take all */
	struct slot *slot;
	struct target *target;		/* NULL: procd's own log */
	struct ring *ring;		/* RCU; NULL before the first byte */
	int64_t read_ns;		/* when it was last read */
	int fd;				/* -1: nothing to capture */
	bool is_stderr;
	bool waiting;			/* ring full, not read */
	bool held;			/* not read: whose lines these are is not known yet */
	unsigned char pipe;		/* enum pipe_size */
};

struct slot {
	struct rcu_head rcu;
	struct captures *owner;
	struct subsystem_options *options;
	struct stream out;
	struct stream *err;		/* only where stderr is captured by itself */
	uint32_t number;
	int pid;
	struct limit limit;		/* log_rate_limit */
	struct match *match;		/* a line that is waited for; NULL: none */
};

/* Formatted lines, and up to where in the ring each one came from. A line that the rate limit
 * leaves out goes with the one before it. */
#define BATCH_LINES 512u
struct batch {
	size_t len;
	unsigned nlines, nwritten;
	struct { uint32_t out_end, raw_end, dropped; } line[BATCH_LINES];
	size_t skipped;			/* bytes left out before the first line, and its lines */
	uint32_t skipped_lines;
	char text[192 * 1024];
};

struct ownlog;
struct state;
struct captures {
	struct slot **pages[CAPTURE_PAGES];	/* RCU, both levels */
	uint32_t nslots;			/* highest ever in use + 1 */
	struct ev_loop *loop;
	struct targets *targets;
	struct ownlog *ownlog;
	struct state *state;
	int fifo_dirfd, ring_dirfd;
	struct list paced, pending;
	struct loop_timer pace;
	struct batch *batch;
	struct stamp stamp, syslog_stamp;
	bool news;			/* bytes were captured; whoever tells resets it */
	uint64_t in_memory;		/* rings that found no room in the run directory */
	/* a line came that capture_watch() was told to wait for */
	void (*on_match)(void *ctx, uint32_t number, uint64_t spawn_id);
	void *on_match_ctx;
};

/* Opens (makes) the two directories. 0 or negative errno. */
int captures_init(struct captures *c, int run_dirfd, struct ev_loop *loop, struct targets *targets,
		  struct ownlog *ownlog, struct state *state);
void captures_fini(struct captures *c);

void capture_attach(struct captures *c, uint32_t number, struct subsystem_options *options);
void capture_set_pid(struct captures *c, uint32_t number, int pid);
/* Call on_match for the first line of its present process that OPTIONS' log:REGEX matches. */
void capture_watch(struct captures *c, uint32_t number, const struct subsystem_options *options,
		   uint64_t spawn_id);
void capture_detach(struct captures *c, uint32_t number);
/* Read and forward what SLOT's FIFOs hold (bounded in time and bytes), ending an open line. */
void capture_drain(struct captures *c, uint32_t number);

/* Where SLOT's streams go, stdout first; NULL: procd's own log, or nowhere. */
void capture_targets(const struct captures *c, uint32_t number, const struct target *out[2]);

/* What SLOT's process wrote last to its stderr, whole lines; NULL: nothing. The caller frees it. */
char *capture_end(struct captures *c, uint32_t number);

/* Try again to forward what is pending. True: nothing is left. */
bool captures_retry(struct captures *c);
/* Read every FIFO once more (before the end). */
void captures_read_all(struct captures *c);
/* Any thread, inside rcu_enter()/rcu_leave(): the ring of a stream or NULL. */
struct ring *captures_ring(struct captures *c, uint32_t number, bool is_stderr);
/* The same: of its latest process nothing was read. False where SLOT is not known yet. */
bool captures_silent(struct captures *c, uint32_t number);

#endif
