/* All metrics of this procd, as text. */
#ifndef METRICS_SCRAPE_H
#define METRICS_SCRAPE_H

#include "event/board.h"
#include "event/channel.h"
#include "event/tally.h"
#include "metrics/exposition.h"
#include "metrics/sampler.h"

struct scrape {
	const struct board *board;
	const struct chan *chan;
	const struct tally *tally;
	const struct sampler *sampler;
	unsigned connections;		/* of the control socket */
};

/* Append them to OUT; EMBEDDED: as in exposition_begin(). Front thread, not in a read section;
 * sampler_scrape() comes first. */
void scrape_format(const struct scrape *s, enum exposition_format format, bool embedded,
		   struct strbuf *out);

#endif
