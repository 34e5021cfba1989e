/* Between procd and its preload object. */
#ifndef PROFILE_HEAP_OBJECT_H
#define PROFILE_HEAP_OBJECT_H

#define HEAP_OBJECT_NAME "libprocd-heap.so"	/* in LIBEXECDIR/procd */
#define HEAP_VARIABLE "PROCD_HEAP_PROFILE"	/* OWNER:SIGNAL:FILE, FILE absolute */
#define HEAP_OWNER_DIGITS 10
#define HEAP_OWNER_NOBODY "0000000000"		/* the first process that loads it */

#endif
