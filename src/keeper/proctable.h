/* One look at all processes: the base for trees where there is no cgroup. Storage is one mapping,
 * made once, its pages given back after a big look. */
#ifndef KEEPER_PROCTABLE_H
#define KEEPER_PROCTABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/util.h"

#define PROCTABLE_MAX (512u * 1024)

struct proc {
	pid_t pid, ppid, pgrp, sid;
	bool dead;		/* a zombie without threads */
	uint64_t start_ticks;
	uint64_t marker;	/* whoever looks may note something here, see on_read */
};

struct proctable {
	struct proc *procs;	/* ascending by pid */
	uint32_t n;
	int64_t looked_at_ns;	/* when the look began; 0 never */
	/* Called for each process right after it was read, and again when it is read once more:
	 * what else is asked about one that may end at any time has to be asked now. May be
	 * NULL. */
	void (*on_read)(void *ctx, struct proc *p);
	void *ctx;
};

int proctable_init(struct proctable *t);	/* 0 or -errno */
/* Look now. 0, or -errno when /proc cannot be read (the table is empty then). */
int proctable_look(struct proctable *t);
void proctable_drop(struct proctable *t);	/* give the pages back */
const struct proc *proctable_find(const struct proctable *t, pid_t pid);	/* NULL: none */

/* The name that the record of PID's tree has ("web", "web@0", "web/stop", "web/2"), by the
 * environment it was started with. False: none, or it cannot be read. */
bool proc_marker(pid_t pid, char name[NAME_CAP]);
/* Has PID, which was no zombie a moment ago, neither environment nor arguments just now? So it is
 * in the middle of an exec, or of its end, or has ended. */
bool proc_between_programs(pid_t pid);
/* Is that NAME? */
bool proc_has_marker(pid_t pid, const char *name);

#endif
