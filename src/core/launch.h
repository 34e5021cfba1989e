/* Options to spawn plan: everything resolved here, so that the child's side only makes system
 * calls. Main thread; touches no file and no name service. */
#ifndef CORE_LAUNCH_H
#define CORE_LAUNCH_H

#include "config/start_files.h"
#include "core/sockets.h"
#include "keeper/plan.h"

/* What all starts share, prepared once. */
struct launch {
	char **base;		/* inherited "K=V", procd's own removed; owned */
	size_t nbase;
	const char *base_path;	/* value of PATH in it, or NULL */
};

void launch_init(struct launch *l, char *const *environment);
void launch_fini(struct launch *l);

/* What a main process gets of procd's: how to tell it about itself, and sockets. */
struct launch_ways {
	const char *socket;		/* its own, procd listens; NULL: none */
	bool announce;			/* NOTIFY_SOCKET names it */
	int ready_fd;			/* > 0: this descriptor leads there */
	int64_t watchdog_ms;		/* > 0: it is to give signs of life */
	const struct socket_list *sockets;	/* NULL: none */
	uint32_t capture_of;		/* 0; or it has the second place (core/overlap.h), and 1 + the
					 * slot whose streams it writes to */
};

/* What runs beside a main process (core/task.h) with the options of its owner. */
struct launch_task {
	const struct strlist *command;	/* argv */
	const struct strlist *extra_env;	/* "K=V"; NULL: none */
	const char *name;		/* enumtext of its kind */
	uint32_t owner_slot;		/* whose streams it writes to */
	bool mute;			/* to none */
};

/* The plan for one start. FILES: what was read for it, NULL: nothing had to be. WAYS: NULL when
 * there are none. WORK_DIR: where the child runs without a working_dir of its own, NULL: the
 * keeper's directory. The caller frees the builder with plan_free() on success. -E2BIG: argv and
 * environment do not fit. */
int launch_build(const struct launch *l, const struct subsystem_options *o,
		 const struct start_files *files, const struct launch_ways *ways,
		 const char *work_dir, struct plan_builder **builder, const void **block,
		 size_t *size);
/* The same for T: its own tree, whatever kill_mode says, and nothing on its standard input. */
int launch_build_task(const struct launch *l, const struct subsystem_options *o,
		      const struct start_files *files, const struct launch_task *t,
		      const char *work_dir, struct plan_builder **builder, const void **block,
		      size_t *size);

#endif
