/* What happened how often, and how long it took: counters and cumulative histograms.
 *
 * They live in the file "tally" of the run directory, which outlives a supervisor: whoever is
 * killed leaves them as they were, and the next one goes on counting. Nothing is decided by them,
 * so what is read back is believed when version, sizes and boot are right. Adding is one relaxed
 * atomic addition, from any thread; reading is a glance from any thread. All functions take NULL
 * for "not counted". */
#ifndef EVENT_TALLY_H
#define EVENT_TALLY_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"
#include "event/event.h"

#define TALLY_FILE "tally"
#define TALLY_VERSION 1

/* --- histograms ------------------------------------------------------------------------------- */

enum tally_duration {
	TALLY_STOP,		/* a stop: asked until nothing of the tree is left */
	TALLY_SPAWN,		/* the keeper was asked until the program was executed */
	TALLY_HEALTH,		/* a health probe: asked until answered */
	TALLY_RELOAD,		/* the files are read until the configuration is in force */
	TALLY_FANOUT,		/* an event is sent until every subscriber's connection has it */
	TALLY_DURATIONS
};
/* Upper bounds in microseconds; one more bucket is for what is above. */
#define TALLY_BOUNDS 13
extern const uint32_t tally_bounds_us[TALLY_BOUNDS];
/* Of a subsystem's starts (starting until ready); coarser. */
#define TALLY_START_BOUNDS 9
extern const uint32_t tally_start_bounds_us[TALLY_START_BOUNDS];

struct tally_histogram {
	_Atomic uint64_t sum_us;
	_Atomic uint64_t buckets[TALLY_BOUNDS + 1];	/* not cumulative here */
};

/* --- counters --------------------------------------------------------------------------------- */

enum tally_counter {
	TALLY_HEALTH_PASSED, TALLY_HEALTH_FAILED, TALLY_HEALTH_NOT_MADE,
	TALLY_RELOAD_APPLIED, TALLY_RELOAD_UNCHANGED, TALLY_RELOAD_REJECTED,
	TALLY_EVENTS_DROPPED,	/* for some subscriber: it was too slow */
	TALLY_RESOURCE_ALERTS,
	TALLY_SCRAPES,
	TALLY_COUNTERS
};

/* --- per subsystem ---------------------------------------------------------------------------- */

/* Ways to end: below 256 an exit code, else 256 + signal. */
#define TALLY_SIGNAL 256
#define TALLY_WAYS 5		/* the rest is counted as "other" */
struct tally_way {
	_Atomic uint32_t how, count;	/* COUNT 0: free */
};

struct tally_entry {
	_Atomic uint64_t id;		/* the subsystem's; 0: nobody has the slot */
	_Atomic uint64_t start_sum_us;
	_Atomic uint32_t starts[TALLY_START_BOUNDS + 1];
	struct tally_way ways[TALLY_WAYS];
	_Atomic uint32_t other_ways, failed_starts;
};

struct tally;

/* Map FD (the run directory's file; the caller's, kept open; -1: memory of our own), for at most
 * MAX_SLOTS. What is in it goes on when it is of this boot and format. Main thread, before
 * others. */
struct tally *tally_open(int fd, uint32_t max_slots);
/* Let go of the pages, where they are those of a file. Any thread. madvise(2). */
void tally_unmap_idle(struct tally *t);
void tally_close(struct tally *t);	/* nobody may use it any more */
/* monitoring.enable_metrics: while off nothing is added. Any thread. */
void tally_enable(struct tally *t, bool on);

void tally_add(struct tally *t, enum tally_counter what, uint64_t n);
void tally_error(struct tally *t, enum error_category category);
void tally_took(struct tally *t, enum tally_duration what, int64_t ns);	/* any thread */
/* The subsystem ID in SLOT was ready NS after it began to start; did not start; has ended. Main
 * thread. */
void tally_started(struct tally *t, uint32_t slot, uint64_t id, int64_t ns);
void tally_start_failed(struct tally *t, uint32_t slot, uint64_t id);
/* EXIT_CODE -1: it was SIGNAL. */
void tally_ended(struct tally *t, uint32_t slot, uint64_t id, int exit_code, int signal);

uint64_t tally_count(const struct tally *t, enum tally_counter what);
uint64_t tally_errors(const struct tally *t, enum error_category category);
const struct tally_histogram *tally_duration_get(const struct tally *t, enum tally_duration what);
/* NULL: nothing was counted for the subsystem ID in SLOT. */
const struct tally_entry *tally_entry_get(const struct tally *t, uint32_t slot, uint64_t id);

#endif
