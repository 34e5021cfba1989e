/* The end of the road for a bug in procd itself. It may be reached in any state, also in a child
 * between vfork and exec, so it uses the stack and write(2) only. */
#include "base/util.h"

#include <unistd.h>

void bug_at(const char *file, int line, const char *what)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "procd: bug at %s:%d: %s\n", file, line, what);

	if (n > 0 && write(STDERR_FILENO, text, MIN((size_t)n, sizeof(text) - 1)) < 0) {
		/* The core dump still tells. */
	}
	abort();
}
