/* What the kernel writes into a perf ring (perf_event_open(2)): mapping it, taking records out, and
 * cutting a record into its parts. The client's side. One thread. */
#ifndef PROFILE_CPU_RING_H
#define PROFILE_CPU_RING_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/strbuf.h"

#define CPU_RING_PAGES 32	/* of data; a power of two */

struct cpu_ring {
	int fd;			/* the event that owns it; not closed here */
	int cpu;
	void *base;
	size_t size;		/* of the data part */
};

/* 0 or negative errno. */
int cpu_ring_map(struct cpu_ring *r, int fd, int cpu);
void cpu_ring_unmap(struct cpu_ring *r);
/* Append all records that wait there to OUT, one after the other, and make room for new ones. */
void cpu_ring_take(struct cpu_ring *r, struct strbuf *out);

enum cpu_record_kind {
	CPU_RECORD_SAMPLE, CPU_RECORD_MAP, CPU_RECORD_FORK, CPU_RECORD_EXIT, CPU_RECORD_NAME,
	CPU_RECORD_LOST, CPU_RECORD_OTHER
};

/* One record. Pointers go into the text that it was cut from. */
struct cpu_record {
	enum cpu_record_kind kind;
	uint64_t time_ns;		/* monotonic; 0: it does not say */
	pid_t pid, tid;
	pid_t parent_pid, parent_tid;	/* FORK */
	const uint64_t *chain;		/* SAMPLE: leaf first, with the kernel's context marks */
	size_t nchain;
	uint64_t start, length, offset, inode;	/* MAP */
	const char *text;		/* MAP: the file; NAME: of the thread */
	bool exec;			/* NAME: by execve(2), so all mappings are new */
	uint64_t lost;			/* LOST: records */
};

/* Cut the record at BUF[0, N). Returns its length, 0 when there is no whole record. Pure; BUF must
 * be aligned to 8 bytes. */
size_t cpu_record_parse(const char *buf, size_t n, struct cpu_record *out);

#endif
