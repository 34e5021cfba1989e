/* The text of an environment file. Pure; any thread.
 *
 * One NAME=VALUE per line, "export " before it is passed over. Blank lines and lines that begin
 * with # or ; say nothing. An unquoted value reaches to the end of its line, without the blanks
 * around it. 'Single' quotes keep everything; in "double" ones a backslash stands before " \ $ `
 * and the letters n t r; both may reach over lines, and only blanks or a comment may follow the
 * closing one. Nothing is expanded. The last one of two lines with the same name counts. */
#ifndef CONFIG_ENV_FILE_H
#define CONFIG_ENV_FILE_H

#include "base/strlist.h"

#define ENV_FILE_MAX (64u * 1024)	/* bytes of one file */
#define ENV_FILE_VARIABLES 1024		/* in a list */

struct env_file_error {
	int line, column;		/* from 1; columns count bytes */
	const char *what;		/* static text; never any of the file's */
};

/* Add the variables of TEXT (N bytes, need not end with NUL) to OUT as "NAME=VALUE"; one that is
 * there is replaced. -EINVAL: *E says what is wrong. */
int env_file_parse(const char *text, size_t n, struct strlist *out, struct env_file_error *e);

#endif
