/* The wrappers are linked into the executable, or not: see the Makefile. */
#include "profile/heap_own.h"

#include <errno.h>
#include <sys/prctl.h>

#include "profile/heap_record.h"
#include "profile/preload/wrap.h"

/* No signal waits for the end of somebody's bookkeeping here. */
void heap_wrap_after(void)
{
}

int heap_own_start(void)
{
	extern bool heap_wrap_foremost(void) __attribute__((weak));
	int ret;

	if (heap_record_on())
		return -EALREADY;
	if (heap_wrap_foremost == NULL || !heap_wrap_foremost())
		return -ENOTSUP;
	ret = heap_record_start();
	/* where only parents may look into a process: whoever may at all, may here */
	if (ret == 0)
		prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	return ret;
}

void heap_own_stop(void)
{
	heap_record_stop();
	prctl(PR_SET_PTRACER, 0, 0, 0, 0);
}

bool heap_own_is_on(void)
{
	return heap_record_on();
}

uint64_t heap_own_address(void)
{
	return (uint64_t)(uintptr_t)&procd_heap_state;
}
