/* A log file that procd owns: opened with distrust, rotated at line boundaries, opened again when
 * somebody else renamed or deleted it. One thread. */
#ifndef OUTPUT_FILE_H
#define OUTPUT_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/path.h"
#include "base/util.h"

struct file {
	char *path;		/* owned */
	int fd;			/* -1: not open */
	struct path_parent dir;	/* where it was opened */
	dev_t dev;
	ino_t ino;
	uint64_t size;
	uint64_t max_size;	/* 0: never rotated */
	int64_t max_files;	/* kept rotated files; 0: truncate instead */
	int64_t checked_ns;	/* when its name was last looked at */
	int64_t rotate_after_ns;	/* after a failed rotation */
	bool reopen;
};

void file_init(struct file *f, const char *path);
void file_fini(struct file *f);
void file_reopen(struct file *f);	/* at the next write */

/* Make ready for LINES (LEN bytes of whole lines): open, follow a changed name, rotate. Returns how
 * many of them, whole lines and at least one, may be written now; or negative errno. */
ssize_t file_prepare(struct file *f, const char *lines, size_t len);
/* Write N bytes, as file_prepare() allowed: all of them, or none and negative errno. */
int file_write(struct file *f, const char *lines, size_t n);

#endif
