/* The steps between clone and exec. */
#ifndef KEEPER_CHILD_H
#define KEEPER_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "keeper/plan.h"
#include "keeper/record.h"

/* Descriptors of the keeper that a child needs sit below LOW_END; the child drops everything from
 * there on in one call, so a start costs the same with ten children and with ten thousand. Below
 * LOW_RUN_DIR is what procd itself was started with (for the supervisor: [events] output = "fd:N").
 * All of it is close-on-exec. */
enum low_fd {
	LOW_RUN_DIR = 40,
	LOW_NULL,	/* /dev/null, read and write */
	LOW_CGROUP,	/* directory of this keeper's cgroup */
	LOW_SUPERVISOR,	/* the supervisor's end of the socket pair, while one is started */
	LOW_EXE,	/* procd's own executable */
	LOW_FIFO,	/* directory of the capture FIFOs */
	LOW_LOCK,	/* the instance lock: a child that is just being made holds it, too */
	LOW_END,
};

#define ORIGINAL_CPUS 1024	/* bytes of an affinity mask */

/* How the keeper itself was started; what a child gets back where its plan says nothing. */
struct originals {
	pid_t keeper_pid;
	struct rlimit64 limits[PLAN_NLIMITS];
	int nice;
	int oom_score_adjust;
	bool oom_known;
	mode_t umask;
	int policy;
	int priority;			/* of a real-time POLICY */
	long affinity_size;		/* 0: unknown */
	unsigned long affinity[ORIGINAL_CPUS / sizeof(unsigned long)];
};

/* Filled by the parent before clone. The child writes the two results, the record's state and pid,
 * and its own number where ENVP asks for it. */
struct child_job {
	const struct plan *plan;
	const struct originals *original;
	char *const *exec_paths;	/* all vectors end with NULL */
	char *const *argv;
	char *const *envp;
	const char *cgroup_procs;	/* relative to LOW_CGROUP; NULL: nothing to do */
	struct record *record;		/* says RUNNING from right before exec on */
	const char *fifo[2];		/* relative to LOW_FIFO, where the plan says CAPTURE */
	int listen_fds[PLAN_MAX_LISTEN];	/* above LOW_END, as many as the plan says */
	bool unshare_fds;		/* the descriptor table is the parent's until unshared */
	bool short_slice;		/* inherited, to be undone */

	volatile uint32_t stage;	/* enum spawn_stage; STAGE_NONE when exec worked */
	volatile int errnum;
};

/* Entry point for clone(2) with a struct child_job; never returns to the caller's code. */
int child_run(void *job);

struct supervisor_job {
	char *const *argv;
	char *const *envp;
	const struct originals *original;
	int oom_score_adjust;		/* INT32_MIN: leave it */
	bool unshare_fds;
	bool exact;			/* LOW_EXE is on trial: nothing may stand in for it */
	uint64_t inherited;		/* bit N: descriptor N came with procd and is passed on */
	volatile int errnum;
};

/* The same for the supervisor: reset signals, keep LOW_SUPERVISOR open, exec LOW_EXE. */
int child_run_supervisor(void *job);

#endif
