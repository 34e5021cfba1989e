/* Threads of the supervisor: all signals blocked, registered with RCU, named. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

#include "base/util.h"

/* Start FN(ARG) as thread NAME (at most 15 characters, shown by ps -L). 256 KiB stack.
 * Returns 0 or a negative errno. Main thread. */
int thread_start(pthread_t *out, const char *name, void *(*fn)(void *arg), void *arg);

/* From now on each further thread runs on one processor of those that the calling thread may use,
 * by turns. 0 or a negative errno. Main thread, which stays as it is. */
int thread_pin_each(void);

#endif
