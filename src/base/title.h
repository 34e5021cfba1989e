/* What ps shows: the argument line and the comm of this process. */
#ifndef BASE_TITLE_H
#define BASE_TITLE_H

#include "base/util.h"

/* Call first in main(): remembers where argv and environ live. The environment is copied to the
 * heap once so that its room can be overwritten. Returns a copy of argv for further use. */
char **title_init(int argc, char **argv);
void title_set(const char *comm, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The same in the room of the arguments alone, for a child of ours: its environment stays to be
 * seen, because it says whose child it is. A longer text is cut. */
void title_set_in_args(const char *comm, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
