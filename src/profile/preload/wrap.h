/* What the wrappers of malloc(3) share with whoever links them. */
#ifndef PROFILE_PRELOAD_WRAP_H
#define PROFILE_PRELOAD_WRAP_H

#include <stdbool.h>

/* Is the calling thread in the middle of its bookkeeping? Async-signal-safe. */
bool heap_wrap_busy(void);
/* Begin and end to be so. Async-signal-safe, not nested. */
void heap_wrap_enter(void);
void heap_wrap_leave(void);
/* Do calls of malloc(3) come here? Not when the program itself holds one. */
bool heap_wrap_foremost(void);
/* Called by a thread that has just finished it. Provided by the one who links the wrappers. */
void heap_wrap_after(void);

#endif
