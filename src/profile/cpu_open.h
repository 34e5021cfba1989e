/* The daemon's part of a CPU profile: find every thread of a process tree and open one perf event
 * per thread and processor (perf_event_open(2)). Children and threads that come later inherit them.
 *
 * The events are handed to the client, which maps, reads, and symbolizes; here nothing is kept.
 * Events begin switched off. May block for a moment: not on the main or the front thread. */
#ifndef PROFILE_CPU_OPEN_H
#define PROFILE_CPU_OPEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/util.h"

#define CPU_EVENTS_MAX 4096	/* descriptors for one profile */
#define CPU_HZ_MAX 10000

struct cpu_target {
	char name[NAME_CAP];
	pid_t pid;
	uint64_t start_ticks;	/* of PID; 0: unknown, then the number is trusted */
	bool alone;		/* only this process: what it makes are no parts of it */
};

struct cpu_request {
	const struct cpu_target *targets;
	size_t n;
	pid_t keeper;		/* the parent of orphans */
	unsigned hz;
	bool kernel;		/* also what the kernel does for them, where that is allowed */
};

struct cpu_process {
	pid_t pid;
	uint32_t target;
};

struct cpu_events {
	int *fds;		/* thread by thread, for each one per item of CPUS */
	size_t n;
	int *cpus;
	size_t ncpus;
	struct cpu_process *processes;
	size_t nprocesses;
	uint32_t threads, left_out;	/* left out: more than CPU_EVENTS_MAX would hold */
	bool kernel;
};
#define CPU_EVENTS_INIT { 0 }
void cpu_events_fini(struct cpu_events *e);	/* closes the descriptors */

/* 0: *OUT is filled. -ESRCH: nothing of it lives. Other negative errno with *E set, which names
 * what refuses: the paranoid level, a capability, a limit. */
int cpu_open(const struct cpu_request *request, struct cpu_events *out, struct error *e);

/* Why perf_event_open(2) failed with ERRNUM, for a person. PARANOID as in
 * /proc/sys/kernel/perf_event_paranoid, "" when unknown. Pure. */
void cpu_refusal(int errnum, const char *paranoid, struct error *e);

#endif
