/* The latest sample of what each subsystem uses. Front thread only.
 *
 * Nobody asks: nothing is looked at and nothing wakes up. A question is answered from samples that
 * are not older than monitoring.metrics_interval, taken on the spot where there are none; for some
 * seconds after it they are refreshed at that interval, in portions between which others have
 * their turn, so that the next question has an answer that means something. A sample belongs to one
 * process, known by pid and start time; another process begins anew. */
#ifndef METRICS_SAMPLER_H
#define METRICS_SAMPLER_H

#include "base/loop.h"
#include "event/board.h"
#include "metrics/resources.h"

#define SAMPLER_AFTER_MS 3000	/* samples are refreshed so long after the last question */

struct sampler;

struct sample {
	uint64_t id, spawn_id;		/* the subsystem's, its process's */
	pid_t pid;
	int64_t at_mono_ns;		/* when it was taken; 0: not yet */
	int64_t asked_mono_ns;		/* when somebody wanted it; 0: never */
	struct resources now;
	uint64_t cpu_us;		/* as NOW.cpu_us, but never less than before */
	double cpu_percent;		/* of one processor, between the last two; < 0: only one yet */
	bool more_wanted;		/* by a scrape */
	struct resources_more *more;	/* NULL: not looked at */
};

/* A process went over its memory_soft_limit, or below 90 % of it again. */
struct sampler_news {
	uint32_t slot;
	uint64_t spawn_id;
	bool over;
	uint64_t value, limit;		/* bytes */
};

struct sampler_setup {
	struct ev_loop *loop;
	const struct board *board;
	const struct records *records;	/* NULL in tests: then nothing is ever known */
	/* Called from the loop. What was told before may come again when the sampler is new. */
	void (*tell)(void *ctx, const struct sampler_news *news);
	void *ctx;
};

struct sampler *sampler_new(const struct sampler_setup *setup);
void sampler_free(struct sampler *s);		/* NULL is fine */

/* Somebody asks about SLOTS: see that there are samples. Not in a read section. What does not fit
 * into about 20 ms follows in the background. */
void sampler_ask(struct sampler *s, const uint32_t *slots, size_t n);
/* The same for a scrape: all subsystems, and what is told to metrics only, as far as there is time.
 * Who scrapes regularly finds samples that were taken shortly before he comes. */
void sampler_scrape(struct sampler *s);
/* What is known of R's process; NULL: nothing (it does not run, it cannot be found out, or
 * monitoring.track_resources is off). Valid until the loop is entered again. */
const struct sample *sampler_get(const struct sampler *s, const struct board_record *r);
/* Another configuration was published: from now on it is that whose limits are watched. While there
 * is a memory_soft_limit, the timer runs. */
void sampler_reconfigure(struct sampler *s);
/* How many samples were taken so far. */
uint64_t sampler_taken(const struct sampler *s);

#endif
