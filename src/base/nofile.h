/* The limit on open files of procd's own processes. */
#ifndef BASE_NOFILE_H
#define BASE_NOFILE_H

#include <stdint.h>
#include <sys/types.h>

/* See that PID (0: this process) may have NEED files open: raise its soft limit as far as its hard
 * one, and that one, too, where we may. Never lowers anything. Returns what it may have open now,
 * UINT64_MAX when that is not known. */
uint64_t nofile_claim(pid_t pid, uint64_t need);

#endif
