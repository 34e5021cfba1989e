/* One FIFO of a slot: read into its ring and forwarded from there, by C's loop or its timer. Log
 * thread. */
#ifndef OUTPUT_STREAM_H
#define OUTPUT_STREAM_H

#include "output/capture.h"

/* S is zeroed. Nothing is open yet. */
void stream_init(struct captures *c, struct stream *s, struct slot *slot, bool is_stderr);
/* Its memory is about to go; the ring's file stays for a successor. No thread reads any more. */
void stream_fini(struct stream *s);

/* As the options of its slot say: begin, go on with another target, or end. */
void stream_attach(struct captures *c, struct stream *s);
/* Nobody writes any more: read and forward what is there, tell what is lost, forget the rest. */
void stream_close(struct captures *c, struct stream *s);

/* Its process is about to be started: what comes from here on is the next one's, and is not read
 * until it is released. */
void stream_hold(struct stream *s);
void stream_release(struct stream *s);

/* Read once more, a turn's worth. */
void stream_read(struct captures *c, struct stream *s);
/* Read and forward what the FIFO holds (bounded in time and bytes), ending an open line. */
void stream_drain(struct captures *c, struct stream *s);
/* Try again to forward, and to read when it was waiting. */
void stream_retry(struct captures *c, struct stream *s);
/* Compare what is in the ring with the line that is waited for. */
void stream_look(struct captures *c, struct stream *s);

/* Of captures.pace. */
void streams_on_pace(struct loop_timer *timer);

#endif
