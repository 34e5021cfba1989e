/* The keeper: the process that the user started, the parent of all children. It never dies first.
 *
 * Single thread, epoll and signalfd; everything is allocated before the first child (tables grow by
 * mapping more); no heap in steady state, no text parsing, no JSON, no configuration. */
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

#include <stdint.h>

struct keeper_options {
	/* argv for the supervisor role, NULL-terminated. The item "{FD}" is replaced by the number
	 * of its end of the socket pair, "{RUN_DIR}" by the run directory's path once there is one
	 * (so for every supervisor but the first), else by "". */
	char *const *supervisor_argv;
	/* argv for the keeper role in another executable, which goes on as this process; the item
	 * "{HANDOVER}" is replaced. NULL: not possible. */
	char *const *keeper_argv;
	const char *title;		/* "procd: keeper" until SETUP names the instance */
};

/* Call as the first act of main() for the role: blocks every signal, and each is at its default. */
void keeper_block_signals(void);

/* Start the supervisor, serve until it leaves, return the process's exit code. If the supervisor
 * exits before SETUP was answered well, its own exit code is returned. */
int keeper_run(const struct keeper_options *options);
/* The same for a process that was a keeper before it executed this program. HANDOVER: the text in
 * place of "{HANDOVER}". */
int keeper_resume(const struct keeper_options *options, const char *handover);
/* Names what keepers of this executable hand over to each other; another one understands it only
 * when it says the same. Never 0. */
uint32_t keeper_handover_layout(void);

#endif
