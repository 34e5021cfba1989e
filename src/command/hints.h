/* performance.nice, thread_pinning and numa_aware. */
#ifndef COMMAND_HINTS_H
#define COMMAND_HINTS_H

#include "config/config.h"

/* Do what CONFIG wishes for this process. What could not be done is logged and, a line each,
 * appended to REFUSED. Main thread, before there are others. */
void hints_apply(const struct config *config, struct strbuf *refused);

#endif
