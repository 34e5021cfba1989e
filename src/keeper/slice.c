/* A supervisor that starts a thousand programs competes for the processor with those that it has
 * just started, each of which has a millisecond of loading before it. Whoever asks for short slices
 * runs sooner, for less long, and gets no more in total: the keeper needs a tenth of a millisecond
 * per start. */
#include "keeper/slice.h"

#include <sched.h>
#include <stdint.h>

#include "keeper/rawcall.h"

#define SHORT_SLICE_NS 100000U	/* the shortest that the kernel gives */

/* As the kernel first had it; linux/sched/types.h clashes with the C library's sched.h. */
struct attributes {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime;	/* the slice of the usual policy, in nanoseconds; 0: the usual one */
	uint64_t deadline;
	uint64_t period;
};

RAW_CODE static int attributes_get(struct attributes *a)
{
	return (int)raw_call(SYS_sched_getattr, 0, a, sizeof(*a), 0);
}

RAW_CODE static int runtime_set(struct attributes *a, uint64_t runtime)
{
	a->size = sizeof(*a);
	a->runtime = runtime;
	return (int)raw_call(SYS_sched_setattr, 0, a, 0);
}

bool slice_shorten(void)
{
	struct attributes a;

	return attributes_get(&a) == 0 && a.policy == SCHED_OTHER &&
	       runtime_set(&a, SHORT_SLICE_NS) == 0 && attributes_get(&a) == 0 &&
	       a.runtime == SHORT_SLICE_NS;
}

IN_CHILD int slice_reset(void)
{
	struct attributes a;
	int ret = attributes_get(&a);

	return ret < 0 ? ret : runtime_set(&a, 0);
}
