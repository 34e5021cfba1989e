/* Taking a CPU profile: perf events in, a pprof file out. The client's side: rings are mapped into
 * the process that holds the session, and what was sampled is kept there, each stack once. One
 * thread. */
#ifndef PROFILE_CPU_SESSION_H
#define PROFILE_CPU_SESSION_H

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "base/strlist.h"

struct cpu_session;

struct cpu_session *cpu_session_new(unsigned hz);
void cpu_session_free(struct cpu_session *s);	/* NULL is fine; ends the sampling */

/* Sample these events, too: FDS as opened by cpu_open(), thread by thread and for each one per item
 * of CPUS. They are taken over, the array, too, whatever is returned. 0 or negative errno with *E
 * set. */
int cpu_session_attach(struct cpu_session *s, const int *cpus, size_t ncpus, int *fds, size_t nfds,
		       struct error *e);
/* PID is one of those that are attached: learn what is mapped where. */
void cpu_session_add_process(struct cpu_session *s, pid_t pid);

/* What to wait for with poll(2), for at most CPU_ROUND_MS: FDS has room for cpu_session_npoll() of
 * them; returns how many there are. */
#define CPU_ROUND_MS 250	/* the last heir's end wakes nobody */
size_t cpu_session_npoll(const struct cpu_session *s);
size_t cpu_session_poll(const struct cpu_session *s, struct pollfd *fds);
/* After the poll, with what it returned: take the records, notice who has ended. */
void cpu_session_polled(struct cpu_session *s, const struct pollfd *fds, size_t n);
/* Does any of the attached, or of what they made, live? */
bool cpu_session_lives(const struct cpu_session *s);

struct cpu_totals {
	uint64_t samples, lost;
	uint64_t without_callers;	/* samples whose stack is a single frame */
	uint64_t unknown;		/* frames that lie in no known file */
	uint32_t unreadable;		/* processes whose mappings may not be read */
	int64_t duration_ns;
};

/* Stop, and append the profile to OUT, with COMMENTS and what there is to say about losses. */
void cpu_session_finish(struct cpu_session *s, const struct strlist *comments, struct strbuf *out,
			struct cpu_totals *totals);

#endif
