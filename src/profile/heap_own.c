/* The wrappers are linked into the executable, or not: see the Makefile. */
#include "profile/heap_own.h"

#include <errno.h>

#include "profile/heap_record.h"
#include "profile/preload/wrap.h"

/* No signal waits for the end of somebody's bookkeeping here. */
void heap_wrap_after(void)
{
}

int heap_own_start(void)
{
	extern bool heap_wrap_foremost(void) __attribute__((weak));

	if (heap_wrap_foremost == NULL || !heap_wrap_foremost())
		return -ENOTSUP;
	return heap_record_start();
}

void heap_own_stop(void)
{
	heap_record_stop();
}

uint64_t heap_own_address(void)
{
	return (uint64_t)(uintptr_t)&procd_heap_state;
}
