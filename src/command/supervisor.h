/* The supervisor role: every room, wired together. Only files of this folder see all floors. */
#ifndef COMMAND_SUPERVISOR_H
#define COMMAND_SUPERVISOR_H

#include "command/service_manager.h"
#include "config/loader.h"
#include "control/control.h"
#include "core/core.h"
#include "keeper/client.h"
#include "output/output.h"

/* Everything that lives as long as the process. Main thread. */
struct supervisor {
	struct ev_loop *loop;
	struct keeper_client *keeper;
	struct km_welcome welcome;
	struct records records;
	int run_dirfd;
	struct chan *chan;
	struct board *board;
	struct output *output;
	struct core *core;
	struct control *control;
	struct loader *loader;
	struct service_manager *manager;
	struct mailbox orders;		/* struct control_order, from the front thread */
	struct mailbox loads;		/* struct load_result, from the loader thread */
	struct mailbox drained;		/* struct output_drained, from the log thread */
	struct loop_prepare before_sleep;
	struct loop_timer deadline;
	bool finished;
	int exit_code;
};

/* What the command line asked for. Strings belong to the caller. */
struct run_options {
	const char *config_path;	/* NULL: the default places */
	const struct strlist *sets;
	bool no_file;			/* `run -- CMD`: SETS say it all */
	const char *main_name;		/* its subsystem, whose end is the end; else NULL */
};

/* The role's main: KEEPER_FD is our end of the socket pair, RUN_DIR the run directory of an
 * earlier supervisor of this keeper or "" for the first one. Returns the exit code. */
int supervisor_run(int keeper_fd, const char *run_dir, const struct run_options *options);

/* --- wiring.c: what one room says to another --------------------------------------------------- */

extern const struct core_ops supervisor_core_ops;	/* ctx: struct supervisor */
extern const struct keeper_facts supervisor_keeper_facts;
void supervisor_on_drained(void *ctx, struct mail *mail);

/* --- reload.c: orders about the configuration, and what the loader found ------------------------ */

void supervisor_on_order(void *ctx, struct mail *mail);
void supervisor_on_load(void *ctx, struct mail *mail);
/* See that the keeper, too, may open what CONFIG needs. Loading did it for this process. */
void supervisor_claim_descriptors(const struct supervisor *s, const struct config *config);
/* Begin a reload that no client waits for (SIGHUP). */
void supervisor_reload(struct supervisor *s);

/* --- bundle.c: the published configuration's text, kept for the next supervisor ----------------- */

/* The text of all files behind the running configuration and its generation, from the run directory
 * RUN_DIR; false when there is none. */
bool bundle_read(const char *run_dir, struct strbuf *text, uint64_t *generation);
/* Save it; trouble is a warning, because only a later crash of the supervisor would need it. */
void bundle_write(int run_dirfd, const struct strbuf *text, uint64_t generation);
void bundle_remove(int run_dirfd);

#endif
