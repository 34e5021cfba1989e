/* Sections of KEY = VALUE lines, as supervisord and systemd write them. Inside the import room
 * only. The library inih, which reads daemon.toml, tells no line numbers and cuts long lines. */
#ifndef IMPORT_INI_H
#define IMPORT_INI_H

#include <stdbool.h>

#include "import/model.h"

enum ini_flavour {
	INI_SUPERVISORD,	/* "=" or ":", keys in lower case, indented lines go on, " ;" and " #"
				 * begin a comment */
	INI_SYSTEMD,		/* "=", a backslash at the end goes on */
};

struct ini_line {
	const char *section;	/* NULL: before the first one */
	const char *key;	/* NULL: the section's header itself */
	const char *value;
	int line;
};

/* Call ONE for each header and pair of TEXT, whole lines. It returns 0, or ends the reading with
 * -EINVAL. What is neither is IM's failure. */
int ini_read(struct import *im, const char *file, const struct strbuf *text,
	     enum ini_flavour flavour, int (*one)(void *ctx, const struct ini_line *l), void *ctx);

#endif
