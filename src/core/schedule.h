/* When a subsystem with `schedule` or `every` runs next. Main thread.
 *
 * `every` is on the monotonic clock. `schedule` is on the time of day: what is planned for it is a
 * moment of that, in a heap of its own (core->calendar), so the kernel can wait for the moment
 * itself however the clock is slewed meanwhile. */
#ifndef CORE_SCHEDULE_H
#define CORE_SCHEDULE_H

#include "core/timer.h"

struct core;
struct memory_entry;
struct subsystem;
struct subsystem_options;

/* A subsystem's share. */
struct periodic {
	struct subsystem *owner;
	struct timer period;		/* `every`: of the next run */
	struct timer moment;		/* `schedule`: likewise, in core->calendar */
	bool planned;			/* NEXT and the timers are up to date */
	bool held;			/* a run was due during a run: plan again after its end */
	int64_t next_mono_ns;		/* `every`: when it is due; 0: none */
	int64_t next_real_ns;		/* `schedule`: likewise, time of day */
	int64_t base_real_ns;		/* `schedule`: the same without its random delay */
	int64_t last_real_ns;		/* `schedule`: the moment dealt with last; 0: none */
	int64_t start_mono_ns;		/* `every`: the last start of all; 0: none */
};

/* To read; nothing at all where none was ever planned. */
const struct periodic *periodic_of(const struct subsystem *s);
void schedule_fini(struct subsystem *s);
/* Plan, or take back what was planned, as goal and options want it now. Cheap when nothing is to be
 * done; to be called whenever settle has looked at S. */
void schedule_refresh(struct subsystem *s);
/* Do A and B run at the same times? */
bool schedule_is_same(const struct subsystem_options *a, const struct subsystem_options *b);
/* Its options have changed: plan anew. */
void schedule_renew(struct subsystem *s);
/* S is being started, by whoever ordered it. */
void schedule_started(struct subsystem *s);
void schedule_drop(struct subsystem *s);
/* Into and out of the saved state. */
void schedule_save(const struct subsystem *s, struct memory_entry *e);
void schedule_load(struct subsystem *s, const struct memory_entry *e);
/* What the supervisor before has planned is in S: keep it where it still holds, also what came due
 * while nobody was there. */
void schedule_resume(struct subsystem *s);

/* Is O started as soon as it is wanted, or does it wait for its time? */
bool schedule_starts_at_once(const struct subsystem_options *o);
/* S waits for its time and has not run before: who needs it does not wait with it. */
bool schedule_is_idle(const struct subsystem *s);

/* What is due by the time of day; sees also that the clock was set. */
void schedule_run(struct core *c);

#endif
