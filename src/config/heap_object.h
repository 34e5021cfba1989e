/* Between procd and the heap profiler's preload object (profile/preload/object.c), which includes
 * nothing else of this room. */
#ifndef CONFIG_HEAP_OBJECT_H
#define CONFIG_HEAP_OBJECT_H

#define HEAP_OBJECT_NAME "libprocd-heap.so"
#define HEAP_VARIABLE "PROCD_HEAP_PROFILE"	/* OWNER:SIGNAL:FILE, FILE absolute */
#define HEAP_OWNER_DIGITS 10
#define HEAP_OWNER_NOBODY "0000000000"		/* the first process that loads it */

#endif
