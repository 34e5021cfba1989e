/* What the files of the sampler share. Front thread only. */
#ifndef METRICS_SAMPLER_INNER_H
#define METRICS_SAMPLER_INNER_H

#include "config/options.h"
#include "metrics/sampler.h"

/* A subsystem with a memory_soft_limit. */
struct watch {
	char name[NAME_CAP];
	uint32_t slot;			/* where it was found last */
	uint64_t limit;
	uint64_t spawn_id;		/* of the process that LEVEL is about */
	enum { LEVEL_UNKNOWN, LEVEL_OVER, LEVEL_UNDER } level;
};

struct sampler {
	struct sampler_setup setup;
	struct loop_timer timer;
	struct sample **by_slot;
	uint32_t nslots;
	size_t watch_cursor;	/* where the next portion begins: first those with a limit, */
	uint32_t cursor;	/* then those that somebody asked about */
	bool running;		/* the timer is set */
	int cgroup_fd;
	bool cgroup_known;
	uint64_t taken;
	int64_t scraped_ns;	/* the last time; 0: never */
	struct loop_timer before_scrape;
	struct watch *watches;
	size_t nwatches;
};

/* --- sample.c --------------------------------------------------------------------------------- */

/* A process that can be looked at. */
struct subject {
	uint64_t id, spawn_id;
	struct resource_target target;
};

/* False: nobody is in SLOT who can be looked at. */
bool sample_subject(const struct sampler *s, uint32_t slot, struct subject *out);
/* Is P about the process of WHO? */
bool sample_is_of(const struct sample *p, const struct subject *who);
/* Where SLOT's sample is, or will be: NULL there if there is none. Valid until the next call. */
struct sample **sample_place(struct sampler *s, uint32_t slot);
/* Take a sample of SLOT now; with MORE, also what metrics tell. */
void sample_take(struct sampler *s, uint32_t slot, bool more);
void samples_forget(struct sampler *s);

/* --- watches.c -------------------------------------------------------------------------------- */

/* From now on the limits of CONFIG count. Inside a read section. What is known of one whose limit
 * stays is kept. */
void watches_read(struct sampler *s, const struct config *config);
/* Sample W's process, and tell if it is on the other side of its limit now. */
void watch_look(struct sampler *s, struct watch *w);

#endif
