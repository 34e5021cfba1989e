/* The run directory, its lock, the pid file: what makes this keeper the only one of its instance.
 * Keeper only, at SETUP and at the end. */
#ifndef KEEPER_RUNDIR_H
#define KEEPER_RUNDIR_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "keeper/proto.h"

struct rundir {
	int fd;			/* LOW_RUN_DIR once open, else -1 */
	int lock_fd;		/* LOW_LOCK once held, else -1 */
	int pid_fd;		/* -1: no pid file */
	bool created;		/* by us: remove it when it is empty at the end */
	char path[PATH_MAX];
	char pid_file[PATH_MAX];
};

/* Make (with parents) and verify PATH, open it as LOW_RUN_DIR, lock it. On failure *ERRNUM says
 * why, and *HOLDER is the pid of whoever has the lock (SETUP_LOCKED; 0 unknown), or, at success,
 * had it until he was killed (0: nobody). */
enum setup_stage rundir_open(struct rundir *d, const char *path, int *errnum, pid_t *holder);
/* What tells this run directory from each other one of this boot. */
void rundir_identity(const struct rundir *d, char *out, size_t cap);
/* Under the lock. Refuses what is not a plain file of ours. */
enum setup_stage rundir_pid_file(struct rundir *d, const char *path, int *errnum);
/* Remove pid file (when it is still ours), lock, and the directory if we made it and it is
 * empty. */
void rundir_close(struct rundir *d);

#endif
