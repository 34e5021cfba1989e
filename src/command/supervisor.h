/* The supervisor role: every room, wired together. Only files of this folder see all floors. */
#ifndef COMMAND_SUPERVISOR_H
#define COMMAND_SUPERVISOR_H

#include "base/alarm.h"
#include "base/list.h"
#include "command/notify_sockets.h"
#include "command/listeners.h"
#include "command/service_manager.h"
#include "config/file_watch.h"
#include "config/loader.h"
#include "control/control.h"
#include "core/core.h"
#include "keeper/client.h"
#include "output/output.h"

/* The keeper holds the listening socket under this key. */
#define HOLD_CONTROL "control"

/* Everything that lives as long as the process. Main thread. */
struct supervisor {
	struct ev_loop *loop;
	struct keeper_client *keeper;
	struct km_welcome welcome;
	struct records records;
	int run_dirfd;
	struct chan *chan;
	struct board *board;
	struct tally *tally;
	int tally_fd;
	int memory_fd, notes_fd;	/* what a successor goes on with; -1: none */
	struct output *output;
	struct core *core;
	struct control *control;
	char *socket;			/* the path that CONTROL serves */
	struct socket_guard *guard;
	struct loader *loader;
	struct workers *workers;
	struct file_watch *file_watch;
	struct service_manager *manager;
	struct listeners *listeners;
	struct notify_sockets *notify;
	struct mailbox orders;		/* struct control_order, from the front thread */
	struct mailbox loads;		/* struct load_result, from the loader thread */
	struct mailbox works;		/* struct work, from the workers */
	struct mailbox file_news;	/* struct file_news, from who watches files */
	struct mailbox drained;		/* struct output_drained, from the log thread */
	struct mailbox checked;		/* from the thread that checks a new executable */
	struct upgrade_job *upgrade;	/* one that is being checked, or waits; else NULL */
	struct mailbox profiled;	/* from the thread that opens the events of a profile */
	struct list profiles;		/* struct profile_job: the first is at work, the others wait */
	bool reload_pending;		/* somebody sent SIGHUP: nobody would send it again */
	struct config *before;		/* while starting: see core_setup */
	struct load_result *publishing;	/* whose configuration is in core_apply() */
	struct strbuf hints_refused;	/* a line each; status tells them */
	struct strbuf unsaved;		/* that of the running one, where bundle_save() failed */
	bool yielding;			/* make room for the new executable */
	struct loop_prepare before_sleep;
	bool was_running;		/* the instance, when last looked at */
	uint64_t unmapped_seq;		/* the last event when the ring was let go of */
	struct loop_timer deadline;
	struct alarm *alarm;		/* likewise, by the time of day */
	bool finished;
	int exit_code;
	const char *run_dir;		/* the keeper's; the configuration may say another by now */
	const struct run_options *options;
};

/* What the command line asked for. Strings belong to the caller. */
struct run_options {
	const char *config_path;	/* NULL: the default places */
	const struct strlist *sets;
	bool no_file;			/* `run -- CMD`: SETS say it all */
	const char *main_name;		/* its subsystem, whose end is the end; else NULL */
	int argc;			/* the keeper's own arguments, as the role got them */
	char *const *argv;
};

/* Where the configuration comes from when it is read for them. */
static inline struct config_source supervisor_source(const struct run_options *o)
{
	return (struct config_source){
		.path = o->config_path, .sets = o->sets, .no_file = o->no_file,
	};
}

/* The role's main: KEEPER_FD is our end of the socket pair, RUN_DIR the run directory of an
 * earlier supervisor of this keeper or "" for the first one. Returns the exit code. */
int supervisor_run(int keeper_fd, const char *run_dir, const struct run_options *options);

/* Read the configuration as a supervisor on RUN_DIR would: the saved text after a crash (also of an
 * upgrade), the files otherwise. On failure prints the errors and returns the exit code. */
int supervisor_config(const char *run_dir, const struct run_options *options,
		      struct config **config, struct strbuf *bundle, uint64_t *generation);

/* --- rooms.c: those above keeper and config --------------------------------------------------- */

/* Open them all, the door last. HELD: what the keeper handed over; taken. 0, or the exit code with
 * *E, and some of them may be open. */
int rooms_open(struct supervisor *s, const int held[HOLD_MAX], struct error *e);
void rooms_close(struct supervisor *s);

/* --- run_files.c: what is in the run directory ------------------------------------------------ */

#define EVENTS_FILE_NAME "events"
#define MEMORY_FILE_NAME "memory"
#define NOTES_FILE_NAME "notes"

/* Is there a record of any child? */
bool run_files_recorded(const struct supervisor *s);
/* Open the file NAME, made if need be; -1 when there is to be none. What an earlier supervisor knew
 * is not forgotten because it cannot be opened just now: this one gives way to the next, who tries
 * again. A disk that became read-only stays so; there it goes on without. */
int run_file_open(struct supervisor *s, const char *name);
/* Was the procd before this one killed? An ordered end takes the saved state along. */
bool run_files_killed(const struct supervisor *s);
/* Remove what an earlier procd left: its history is not ours; unless it was killed, and may not
 * have written all of it. */
void run_files_reset(const struct supervisor *s);
/* What a supervisor that was killed was just writing (file_replace_at() of base/fd.h). */
void run_files_drop_unfinished(const struct supervisor *s);
/* All is down, and all that was told has been written: remove what nobody will read. */
void run_files_end(const struct supervisor *s);

/* --- wiring.c: what one room says to another --------------------------------------------------- */

extern const struct core_ops supervisor_core_ops;	/* ctx: struct supervisor */
extern const struct keeper_facts supervisor_keeper_facts;
void supervisor_on_drained(void *ctx, struct mail *mail);
void supervisor_on_work(void *ctx, struct mail *mail);
void supervisor_on_file_news(void *ctx, struct mail *mail);

/* --- reload.c: orders about the configuration, and what the loader found ------------------------ */

void supervisor_on_order(void *ctx, struct mail *mail);
void supervisor_on_load(void *ctx, struct mail *mail);
/* The order's answer for a configuration that cannot be used: every error, and the code. */
void supervisor_refused(const struct config_diag *diag, struct error *e, json_t **result);
void supervisor_on_publishing(void *ctx, uint64_t generation);
/* See that the keeper, too, may open what CONFIG needs. Loading did it for this process. */
void supervisor_claim_descriptors(const struct supervisor *s, const struct config *config);
/* Every warning and error of a load, into the log. */
void supervisor_log_issues(const struct config_diag *diag);
/* How the files of CONFIG were read, for who debugs. */
void supervisor_tell_loader(const struct config *config);
/* Begin a reload that no client waits for (SIGHUP). */
void supervisor_reload(struct supervisor *s);

/* --- scale.c: another number of instances, by way of the loader ---------------------------------- */

void scale_request(struct supervisor *s, struct control_order *order);
void scale_on_load(struct supervisor *s, struct load_result *r);	/* R stays the caller's */
/* All of procd was killed, and what it left in RUN_DIR goes on: *CONFIG, just read from the files,
 * and its text get the numbers that were ordered, where the files still declare what they declared
 * then. */
void scale_inherit(const char *run_dir, const struct run_options *options, struct config **config,
		   struct strbuf *bundle);
/* struct loader_running.read; CTX: struct supervisor. Loader thread. */
int scale_read_running(void *ctx, struct strbuf *text, uint64_t *generation);

/* --- upgrade.c: another executable instead of this one ------------------------------------------- */

void upgrade_request(struct supervisor *s, struct control_order *order);
void upgrade_on_checked(void *ctx, struct mail *mail);
/* Say how the latest one went, to whoever reads the log. */
void upgrade_tell(const struct supervisor *s);
/* Tell the keeper; this process exits next. */
void upgrade_yield(struct supervisor *s);
/* The end has come, of this supervisor or of all: no check goes on, whoever ordered it is told. */
void upgrade_cancel(struct supervisor *s);

/* --- profiler.c: perf events for a client ---------------------------------------------------------- */

void profile_request(struct supervisor *s, struct control_order *order);
void profile_on_opened(void *ctx, struct mail *mail);
/* The end has come: who waits is told. */
void profile_cancel(struct supervisor *s);

/* --- bundle.c: the published configuration's text, kept for the next supervisor ----------------- */

/* The text of all files behind the running configuration and its generation, from the run directory
 * RUN_DIR; false when there is none. */
bool bundle_read(const char *run_dir, struct strbuf *text, uint64_t *generation);
/* The same, 0 or -errno, and whatever is wrong with it now, it stays where it is. Any thread. */
int bundle_look(const char *run_dir, struct strbuf *text, uint64_t *generation);
/* Save it, 0 or -errno; trouble is a warning, because only a later crash of the supervisor would
 * need it. */
int bundle_write(int run_dirfd, const struct strbuf *text, uint64_t generation);
/* The same for the running configuration, whose text is kept for another try when it fails; and
 * that try. Main thread. */
void bundle_save(struct supervisor *s, const struct strbuf *text, uint64_t generation);
void bundle_save_again(struct supervisor *s);
/* Save R's in two steps, of which the first takes the time: struct loader_running's stage(), on the
 * loader thread; then, if it is to be published as GENERATION, while what it replaces is kept until
 * bundle_applied(). And: R was not published after all. */
char *bundle_stage(void *supervisor, const struct strbuf *text, uint64_t generation);
void bundle_publish(struct supervisor *s, struct load_result *r, uint64_t generation);
void bundle_unstage(const struct supervisor *s, const struct load_result *r);
/* The saved one is about to be replaced: keep what it says until bundle_applied(). */
void bundle_keep_before(int run_dirfd);
/* The text of a configuration that was being replaced when somebody died; false: there is none. */
bool bundle_read_before(const char *run_dir, struct strbuf *text);
void bundle_applied(int run_dirfd);
bool bundle_there(int run_dirfd);
void bundle_remove(int run_dirfd);

#endif
