/* Which file lies where in which process: executable mappings only, from /proc/PID/maps at first
 * and from the kernel's records afterwards. The client's side. One thread. */
#ifndef PROFILE_CPU_MAPS_H
#define PROFILE_CPU_MAPS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/map.h"

/* A file that code was seen in. Lives as long as the maps. */
struct cpu_file {
	char *path;		/* as the process names it; "[vdso]", "[kernel.kallsyms]" */
	uint64_t inode;		/* 0: unknown */
	int fd;			/* -1: not opened, or not to be had */
	bool tried;		/* to open it */
};

/* One place of one file; the same in several processes is the same region. */
struct cpu_region {
	struct cpu_file *file;
	uint64_t start, limit, offset;
	uint64_t number;	/* of the mapping in the profile; 0: nothing was sampled there */
};

struct cpu_span {
	uint64_t start, limit;
	struct cpu_region *region;
};

struct cpu_process_map {
	pid_t pid;
	struct cpu_span *spans;	/* in no order, without overlap */
	size_t n, cap;
	bool unreadable;	/* /proc/PID/maps was refused */
};

struct cpu_maps {
	struct map processes;	/* "PID" -> struct cpu_process_map */
	struct map files;	/* "INODE PATH" -> struct cpu_file */
	struct map regions;	/* "START LIMIT OFFSET FILE" -> struct cpu_region */
};
#define CPU_MAPS_INIT { 0 }
void cpu_maps_fini(struct cpu_maps *m);

/* Never NULL: made when needed. */
struct cpu_process_map *cpu_maps_process(struct cpu_maps *m, pid_t pid);
/* Read /proc/PID/maps. 0 or negative errno. */
int cpu_maps_read(struct cpu_maps *m, pid_t pid);
/* TEXT of such a file. Pure. */
void cpu_maps_parse(struct cpu_maps *m, struct cpu_process_map *p, const char *text);
void cpu_maps_add(struct cpu_maps *m, struct cpu_process_map *p, uint64_t start, uint64_t limit,
		  uint64_t offset, uint64_t inode, const char *path);
/* CHILD begins as its PARENT is now. */
void cpu_maps_fork(struct cpu_maps *m, pid_t parent, pid_t child);
void cpu_maps_clear(struct cpu_process_map *p);
/* NULL: nothing is known there. */
struct cpu_region *cpu_maps_find(const struct cpu_process_map *p, uint64_t address);
/* See that FILE is open, if it can be, by way of PID, while that lives. */
void cpu_file_open(struct cpu_file *file, pid_t pid);

#endif
