/* The import room's public face: configurations of other supervisors as a daemon.toml.
 *
 * A reader for each format fills one model (import/model.h); one writer turns that into text, and
 * procd's own loader says what it thinks of it. Blocks (files, name service); no threads. */
#ifndef IMPORT_IMPORT_H
#define IMPORT_IMPORT_H

#include "base/error.h"
#include "base/strbuf.h"

/* Read PATH, a file or a directory, and append a daemon.toml to OUT. FORMAT names the kind of what
 * is there; NULL: it is found out. 0, or an exit code and *E tells, with file and line where there
 * is one: EXIT_NO_CONFIG there is nothing, EXIT_PERMISSION, EXIT_USAGE the format is unknown,
 * EXIT_CONFIG for everything else. OUT is then untouched. */
int import_run(const char *path, const char *format, struct strbuf *out, struct error *e);


/* One text as if it were the file NAME, without a disk: nothing else is read. For fuzzing. */
int import_text(const char *name, const char *text, size_t n, const char *format,
		struct strbuf *out, struct error *e);

#endif
