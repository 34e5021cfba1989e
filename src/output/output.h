/* The log thread: captured output, procd's own log, the event sink.
 *
 * Captured bytes are read from the slot's FIFO straight into that slot's ring (64 KiB in a file of
 * the run directory) and from there written, whole lines only, to the subsystem's file or to
 * procd's own log. The ring's header says how far each step got, so a killed supervisor's successor
 * goes on where it stopped: no line lost, none written twice to a file. The ring also is the tail
 * that `procd logs` shows. A log that fails (full or missing disk) or a reader of it that takes
 * nothing for a second stops the writing, not the reading: the oldest lines are dropped, counted
 * and told in the log ("... N lines lost"). A slow one is waited for, as a pipe would. While the
 * disk keeps a write from returning, this thread waits and children have the pipe and nothing more;
 * no other thread ever waits.
 *
 * Functions: main thread, unless said otherwise. */
#ifndef OUTPUT_OUTPUT_H
#define OUTPUT_OUTPUT_H

#include "base/error.h"
#include "base/mailbox.h"
#include "config/options.h"
#include "event/channel.h"

#define OUTPUT_LINE_MAX (16u * 1024)	/* longer lines are cut; each piece but the last ends with
					 * " \" (declared limit; JSON: "partial":true) */
#define OUTPUT_TAIL_BYTES (64u * 1024)
#define OUTPUT_END_BYTES 800u
#define OUTPUT_END_LINES 10u

struct output;

/* The answer to output_drain(), or to output_watch(); the receiver frees it with free(). */
struct output_drained {
	struct mail mail;
	bool matched;			/* to the latter: the line came; no TAIL */
	uint32_t slot;
	uint64_t spawn_id;
	char *tail;		/* the last lines of its stderr, at most OUTPUT_END_BYTES; owned by
				 * the receiver; NULL: there were none, or they cannot be had now */
};

/* Start the thread. RUN_DIRFD stays the caller's. Takes over as log sink (base/log.h). Reads the
 * published configuration (config/store.h) for [logging] and [events]. CHAN: where the event sink
 * reads; the last seq it wrote is kept in the run directory, so that a successor continues. */
struct output *output_start(int run_dirfd, struct chan *chan, struct mailbox *drained,
			    struct error *e);
/* Capture SLOT by OPTIONS (a reference is taken); again = change of live keys. The FIFO is opened
 * here, non-blocking, when the keeper made it or before: opening creates it, too. */
void output_attach(struct output *o, uint32_t slot, struct subsystem_options *options);
/* The pid that lines of SLOT belong to from now on (text and JSON lines show it). 0: a process is
 * being started; what it writes stays in the FIFO until its pid is told. -1: none was started. */
void output_set_pid(struct output *o, uint32_t slot, int pid);
/* The first line that SLOT's present process writes, or wrote already, and that log:REGEX of
 * OPTIONS (a reference is taken) matches is told by a struct output_drained, before any drain that
 * follows. Once per call; the next call forgets the one before. */
void output_watch(struct output *o, uint32_t slot, struct subsystem_options *options,
		  uint64_t spawn_id);
void output_detach(struct output *o, uint32_t slot);
/* Read what SLOT's FIFOs hold now (bounded), then post a struct output_drained. Answers within
 * 50 ms unless the disk gets stuck just then; while the thread is stalled in a write, this call
 * itself answers, at once, also what was asked before. */
void output_drain(struct output *o, uint32_t slot, uint64_t spawn_id);
/* Any thread, of a slot in whose FIFOs nothing waits (by then or a moment before): its latest
 * process printed nothing. False where that is not sure, as with an order on its way. */
bool output_silent(struct output *o, uint32_t slot);
void output_reopen(struct output *o);		/* USR1, reopen-logs */
void output_reconfigure(struct output *o);	/* after a publish: [logging], [events] changed */
/* Write what is pending (bounded by 1 s), stop and join; the log sink is stderr again. */
void output_stop(struct output *o);

/* Losses and trouble for status: newline-separated text or "". Any thread. */
void output_degraded(struct output *o, struct strbuf *out);
/* The same of the streams of SLOT alone, a newline behind each. */
void output_degraded_slot(struct output *o, uint32_t slot, struct strbuf *out);

#endif
