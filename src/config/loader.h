/* The loader thread: reads the configuration off the main thread, one job at a time, and watches
 * the files with inotify (every directory on each path's symlink chain, debounced, re-armed by path
 * before each read, slow stat check every 30 s where inotify does not work).
 *
 * It owns its own loop. Results go to the main thread's mailbox. */
#ifndef CONFIG_LOADER_H
#define CONFIG_LOADER_H

#include "base/mailbox.h"
#include "config/config.h"
#include "config/scales.h"

enum load_why { LOAD_WATCH, LOAD_SIGNAL, LOAD_REQUEST, LOAD_PLAN, LOAD_SCALE };

struct load_result {
	struct mail mail;
	enum load_why why;
	void *cookie;			/* of loader_request() or loader_scale() */
	uint64_t generation;		/* LOAD_SCALE: of the text that was read; 0: none was */
	int64_t began_mono_ns;		/* when reading began */
	int exit_code;			/* 0: CONFIG is set */
	struct config *config;		/* receiver's */
	struct config_diag diag;	/* receiver's */
	struct strbuf bundle;		/* receiver's */
	char *staged;			/* receiver's: see struct loader_running; NULL: not */
	uint64_t staged_for;		/* the generation in it */
	json_t *plan;			/* LOAD_PLAN: config_plan_json() */
	bool unchanged;			/* same content hash as both the published configuration
					 * and the last good result that was sent */
};
void load_result_free(struct load_result *r);

/* Where the text of the running configuration is. Called on the loader thread. */
struct loader_running {
	/* A bundle, and its generation. 0 or -errno. */
	int (*read)(void *ctx, struct strbuf *text, uint64_t *generation);
	/* BUNDLE may become that of GENERATION: make ready what can be. The name of it, owned by
	 * the caller, or NULL. May be NULL itself. */
	char *(*stage)(void *ctx, const struct strbuf *bundle, uint64_t generation);
	void *ctx;
};

struct loader;
/* SOURCE's strings are copied; its bundle is not used. GOOD is the current configuration (for the
 * file to read from now on, whatever the default places come to hold, and for the content hash);
 * read only during the call. RUNNING is copied. Main thread. NULL with *E on failure. */
struct loader *loader_start(const struct config_source *source, const struct config *good,
			    const struct loader_running *running, struct mailbox *results,
			    struct error *e);
/* Load soon; several LOAD_SIGNAL/LOAD_WATCH that wait are answered by one load. Any thread.
 *
 * A LOAD_WATCH that finds just what the result before it told, good or bad, is not sent: only news
 * wakes the main thread. A main file that is gone or blank gives LOAD_WATCH and LOAD_SIGNAL one
 * issue with line 0, which says that the last good configuration stays. */
void loader_request(struct loader *l, enum load_why why, void *cookie);
/* Load what runs, but with the numbers of WANTED (copied). Whatever is loaded later has them, too,
 * as long as the files declare what they declared. Main thread. */
void loader_scale(struct loader *l, const struct scales *wanted, void *cookie);
/* The main thread published this content with these files: watch them (when WATCH). Main thread. */
void loader_published(struct loader *l, const struct config *config, bool watch);
/* Joins; main thread. Requests that still wait are answered with EXIT_FAILED. NULL is fine. */
void loader_stop(struct loader *l);

#endif
