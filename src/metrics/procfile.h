/* The text of the files below /proc and in a cgroup that tell what a process uses. Pure; any
 * thread. What is not as the kernel writes it (proc(5), the kernel's cgroup-v2 and PSI documents)
 * is refused or left out, never guessed. */
#ifndef METRICS_PROCFILE_H
#define METRICS_PROCFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* /proc/PID/stat */
struct proc_stat {
	char state;
	pid_t ppid;
	uint64_t cpu_ticks;	/* its own and of the children that it has waited for */
	uint64_t start_ticks;	/* since boot: who it is, together with the pid */
	uint64_t rss_pages;
	uint32_t threads;
};
/* TEXT is NUL-terminated at LEN. False: not such a file. */
bool proc_stat_parse(const char *text, size_t len, struct proc_stat *out);

/* The number behind "KEY" and blanks, colons or tabs at the start of a line: of /proc/PID/status,
 * /proc/PID/io, cpu.stat, memory.stat. False: no such line, or no number. */
bool keyed_number(const char *text, const char *key, uint64_t *out);

/* The "total=" of the line KIND ("some", "full") in a file of pressure, in microseconds. False:
 * there is no such line. */
bool pressure_total(const char *text, const char *kind, uint64_t *out);

/* The pids in TEXT, separated by blanks or newlines, into PIDS; returns how many, at most MAX.
 * Stops at what is no pid. */
size_t pid_list_parse(const char *text, pid_t *pids, size_t max);

#endif
