/* How cpu_affinity, sched_policy and io_class are written. Pure; any thread. */
#ifndef CONFIG_PLACEMENT_H
#define CONFIG_PLACEMENT_H

#include <stdbool.h>

#include "base/strbuf.h"

#define CPU_LIST_MAX 8192	/* processors */
#define CPU_LIST_WORDS (CPU_LIST_MAX / 64)

/* "0-1,3" into a mask of bits. -EINVAL: not such a list; -ERANGE: a number is too high. An empty
 * list is -EINVAL. MASK is only added to. */
int cpu_list_parse(const char *text, uint64_t mask[CPU_LIST_WORDS]);
/* The shortest such text, numbers rising. */
void cpu_list_format(const uint64_t mask[CPU_LIST_WORDS], struct strbuf *out);
/* Words up to the last one that is not zero. */
size_t cpu_list_words(const uint64_t mask[CPU_LIST_WORDS]);

/* "batch", "fifo:10": policy and priority for sched_setscheduler(2). */
bool sched_policy_parse(const char *text, int *policy, int *priority);
/* "idle", "best-effort:7", "realtime" (the middle, 4): the value for ioprio_set(2). */
bool io_class_parse(const char *text, int *priority);

#endif
