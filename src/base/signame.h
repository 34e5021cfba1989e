/* Signal names. Pure; any thread. */
#ifndef BASE_SIGNAME_H
#define BASE_SIGNAME_H

#include "base/util.h"

/* "SIGTERM", "TERM", "term", "15", "SIGRTMIN+1", "RTMAX-2". Returns the number or -EINVAL. */
int signame_parse(const char *text);
/* "SIGTERM", "SIGRTMIN+3"; "SIG99" for numbers without name. Static or thread-local storage. */
const char *signame(int signo);

#endif
