/* The loader thread: reads the configuration off the main thread, one job at a time, and watches
 * the files with inotify (every directory on each path's symlink chain, debounced, re-armed by path
 * before each read, slow stat check every 30 s where inotify does not work).
 *
 * It owns its own loop. Results go to the main thread's mailbox. */
#ifndef CONFIG_LOADER_H
#define CONFIG_LOADER_H

#include "base/mailbox.h"
#include "config/config.h"

enum load_why { LOAD_WATCH, LOAD_SIGNAL, LOAD_REQUEST, LOAD_PLAN };

struct load_result {
	struct mail mail;
	enum load_why why;
	void *cookie;			/* of loader_request() */
	int exit_code;			/* 0: CONFIG is set */
	struct config *config;		/* receiver's */
	struct config_diag diag;	/* receiver's */
	struct strbuf bundle;		/* receiver's */
	bool unchanged;			/* same content hash as both the published configuration
					 * and the last good result that was sent */
};
void load_result_free(struct load_result *r);

struct loader;
/* SOURCE's strings are copied; its bundle is not used. GOOD is the current configuration (for the
 * file to read from now on, whatever the default places come to hold, and for the content hash);
 * read only during the call. Main thread. NULL with *E on failure. */
struct loader *loader_start(const struct config_source *source, const struct config *good,
			    struct mailbox *results, struct error *e);
/* Load soon; several LOAD_SIGNAL/LOAD_WATCH that wait are answered by one load. Any thread.
 *
 * A LOAD_WATCH that finds just what the result before it told, good or bad, is not sent: only news
 * wakes the main thread. A main file that is gone or blank gives LOAD_WATCH and LOAD_SIGNAL one
 * issue with line 0, which says that the last good configuration stays. */
void loader_request(struct loader *l, enum load_why why, void *cookie);
/* The main thread published this content with these files: watch them (when WATCH). Main thread. */
void loader_published(struct loader *l, const struct config *config, bool watch);
/* Joins; main thread. Requests that still wait are answered with EXIT_FAILED. NULL is fine. */
void loader_stop(struct loader *l);

#endif
