/* What one subsystem's processes use right now, from /proc and its cgroup.
 *
 * Counted are: with a cgroup of its own, the members of it; else its main process and what descends
 * from that now. At most RESOURCES_PROCESSES of them. Any thread; blocks no longer than the kernel
 * takes to print. */
#ifndef METRICS_RESOURCES_H
#define METRICS_RESOURCES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "keeper/record.h"

#define RESOURCES_PROCESSES 256

struct resources {
	uint64_t start_ticks;	/* of the main process */
	uint64_t cpu_us;	/* of those that live, and of the children they have waited for */
	uint64_t rss_bytes;	/* the sum; what they share counts for each */
	uint32_t processes, threads, fds;
	bool fds_known;		/* of all of them */
};

/* What is told to metrics only. */
enum pressure { PRESSURE_CPU, PRESSURE_MEMORY, PRESSURE_IO, PRESSURE_COUNT };
extern const struct enumtext pressure_text;	/* "cpu", "memory", "io" */
struct resources_more {
	/* of the main process; its threads' but the first one's switches are not told */
	bool switches_known, io_known;
	uint64_t voluntary_switches, involuntary_switches;
	uint64_t read_bytes, written_bytes;	/* from and to storage */
	/* of the cgroup */
	bool memory_known;
	uint64_t memory_bytes;
	bool some_known[PRESSURE_COUNT], full_known[PRESSURE_COUNT];
	uint64_t some_us[PRESSURE_COUNT], full_us[PRESSURE_COUNT];	/* stalled so long */
};

/* Who is meant: no other that has the number by now. */
struct resource_target {
	pid_t pid;		/* its main process */
	uint64_t start_ticks;	/* when that was started; 0: it is a child of PARENT */
	pid_t parent;
	uint32_t slot;		/* of its record, and of its cgroup */
	int cgroup_fd;		/* resources_cgroup_open(); -1: none */
};

/* False: that process is no more, or /proc does not tell. */
bool resources_read(const struct resource_target *t, struct resources *out);

/* After resources_read() for the same. What cannot be found out is not known. */
void resources_read_more(const struct resource_target *t, struct resources_more *out);

/* The keeper's cgroup, in which each slot has one, as a descriptor of the caller's; -1: there is
 * none, or it is out of sight. */
int resources_cgroup_open(const struct records_header *h);

#endif
