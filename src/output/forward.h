/* Whole lines from a ring to its target. Log thread. */
#ifndef OUTPUT_FORWARD_H
#define OUTPUT_FORWARD_H

#include "output/capture.h"

struct target *forward_target(const struct stream *s);
/* Write all whole lines that S's ring holds. 0, or negative errno: the rest is pending. */
int forward_stream(struct captures *c, struct stream *s);
void forward_later(struct captures *c, struct stream *s);	/* note S as pending */

#endif
