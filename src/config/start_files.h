/* What a start reads from the disk, each time anew: the files of env_file and credentials, and for
 * heap_profile the head of the program.
 *
 * Reading can block (a network mount, a dying disk), so a few workers (base/workers.h) do it; the
 * main thread asks and gets the answer by mail. */
#ifndef CONFIG_START_FILES_H
#define CONFIG_START_FILES_H

#include "base/workers.h"
#include "config/options.h"
#include "config/preload.h"

enum start_files_part { START_FILES_OK, START_FILES_ENV, START_FILES_CREDENTIALS };

struct start_credential {
	char *data;
	size_t size;
};

/* One start's files. Heap; belongs to whoever holds it. */
struct start_files {
	struct work work;			/* run: start_files_read(); done: the asker's */
	struct subsystem_options *options;	/* counted */
	uint32_t slot;
	uint64_t spawn_id;
	/* the answer */
	enum start_files_part failed;		/* START_FILES_OK: all is there */
	int errnum;				/* why not */
	char *why;				/* for people: names the file, never its content */
	struct strlist environment;		/* "NAME=VALUE" */
	struct start_credential *credentials;	/* as many as the options name */
	enum preload_verdict profiler;		/* of heap_profile */
	char *profiler_object;			/* PRELOAD_FINE: what is to be preloaded */
};

/* Does a start with these options read anything? */
bool start_files_needed(const struct subsystem_options *o);
/* Takes a reference to OPTIONS. */
struct start_files *start_files_new(struct subsystem_options *options, uint32_t slot,
				    uint64_t spawn_id);
/* Overwrites what was read; NULL is fine. */
void start_files_free(struct start_files *f);
/* Read them, here and now. May block; not on the main thread. */
void start_files_read(struct start_files *f);

#endif
