/* Foreign files, read with distrust. Inside the import room only. */
#ifndef IMPORT_FILES_H
#define IMPORT_FILES_H

#include "import/model.h"

#define IMPORT_FILE_MAX ((size_t)1 << 20)	/* bytes of one */
#define IMPORT_BYTES_MAX ((size_t)16 << 20)	/* of all */
#define IMPORT_FILES_MAX 4096

/* The text of PATH, which replaces what OUT holds: UTF-8 without NUL bytes and control characters,
 * without a BOM, every line ended by LF. -EINVAL: IM has the failure. */
int import_read(struct import *im, const char *path, struct strbuf *out);
/* The same; 1, without a failure, when there is no such file. */
int import_read_if_there(struct import *im, const char *path, struct strbuf *out);

bool import_is_file(const struct import *im, const char *path);
bool import_is_dir(const struct import *im, const char *path);
/* Names in the directory PATH, sorted, without those that begin with a dot. */
int import_list_dir(struct import *im, const char *path, struct strlist *out);
/* What PATTERN (as in glob(3)) matches, sorted. */
int import_glob(struct import *im, const char *pattern, struct strlist *out);

/* DIR/NAME, or NAME when that is absolute. The caller frees. */
char *import_path(const char *dir, const char *name);
/* The directory that PATH is in, and the last part of PATH. The caller frees. */
char *import_dir_of(const char *path);
char *import_base_of(const char *path);

#endif
