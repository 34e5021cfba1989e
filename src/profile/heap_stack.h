/* Who called: return addresses, from the tables that compilers leave for exceptions (x86-64, glibc
 * 2.35 and later) or, where these say nothing, from frame pointers. Never allocates from the heap
 * once heap_stack_prepare() ran in the thread; any thread; not from signal handlers. */
#ifndef PROFILE_HEAP_STACK_H
#define PROFILE_HEAP_STACK_H

#include <stdint.h>

/* The calling thread's own, kept in TLS. May allocate. Cheap from the second time on. */
void heap_stack_prepare(void);

/* The return address PC of the function whose frame pointer is FRAME, then those of its callers: at
 * most MAX, MAX >= 1, into STACK, innermost first. Returns how many, at least one. */
unsigned heap_stack_walk(uintptr_t pc, const void *frame, uintptr_t *stack, unsigned max);

#endif
