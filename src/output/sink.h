/* The event sink: [events] output, one JSON object per line. Log thread. */
#ifndef OUTPUT_SINK_H
#define OUTPUT_SINK_H

#include "config/options.h"
#include "event/channel.h"
#include "output/state.h"

struct sink {
	struct chan *chan;
	struct state *state;
	struct target *target;		/* NULL: off */
	struct loop_async wake;
	struct strbuf text;		/* lines not yet written */
	uint64_t cursor;		/* last event in TEXT or written */
	bool fresh;			/* nothing was set up yet since the start */
};

void sink_init(struct sink *s, struct ev_loop *loop, struct chan *chan, struct state *state);
void sink_fini(struct sink *s);
/* Takes over the reference TARGET; NULL turns it off. At the start it goes on where its predecessor
 * stopped; turned on later it begins with the next event. */
void sink_set_target(struct sink *s, struct target *target);
/* Write what there is. True: nothing is left. */
bool sink_run(struct sink *s);

#endif
