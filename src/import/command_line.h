/* Command lines that were written for a shell. Inside the import room only. */
#ifndef IMPORT_COMMAND_LINE_H
#define IMPORT_COMMAND_LINE_H

#include "import/model.h"

/* KEY = the command line TEXT, which a shell would have got: as words where there is nothing in it
 * for a shell to do, else as a script, with "exec" before it where that is the same, so that the
 * pid is the program's own. A script of more than one command stays under its shell. */
void import_command_line(struct import_service *s, const char *key, const char *text);

/* Would "exec" before TEXT be the same, but for the shell that is gone? */
bool import_is_one_command(const char *text);

#endif
