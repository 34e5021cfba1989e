/* A new executable checks what it is to take over, before anything is given up for it. */
#ifndef COMMAND_SELFCHECK_H
#define COMMAND_SELFCHECK_H

#include <sys/types.h>

#include "base/error.h"
#include "command/supervisor.h"

/* argv[1] of the role that a running procd starts the new executable in. */
#define CHECK_ROLE "@check"
/* What a procd that agrees prints on stdout, with its version behind it, before it exits with 0: an
 * exit code alone can be anybody's. */
#define CHECK_WORD "procd takes over: "

/* The role's main, in the new executable: can this procd continue from RUN_DIR as it is now? PROTO
 * and HANDOVER are the versions that the running keeper speaks, 0 where it does not matter. Changes
 * nothing. Prints why not. Returns the exit code. */
int selfcheck_run(const char *run_dir, uint32_t proto, uint32_t handover,
		  const struct run_options *options);

/* The other side: run the executable EXE in that role and read its verdict. Blocks for at most
 * LIMIT_MS, or until CANCEL_FD is readable. 0 with VERSION filled, or -1 with *E. Any thread. */
#define CHECK_VERSION_CAP 32
struct selfcheck {
	int exe;
	int cancel_fd;
	int limit_ms;
	char *const *argv;	/* of the role, complete */
	char version[CHECK_VERSION_CAP];
};
int selfcheck_start(struct selfcheck *c, struct error *e);

#endif
