/* What events, logs and wait share: numbers from options, lines from the daemon, output in
 * batches. */
#ifndef COMMAND_STREAM_H
#define COMMAND_STREAM_H

#include "command/call.h"

/* The option --NAME as a whole number >= 0; *OUT stays when it was not given. 0, or EXIT_USAGE
 * after the mistake was told. */
int option_count(const struct cli_options *o, const char *name, int64_t *out);

/* From now on only --timeout limits the waiting. */
void stream_unlimited(struct call *call);

/* A supervisor that died has a successor on the same socket: connect to it. 0, or the exit code
 * after the failure was told. RC is what client_line() returned; anything but an end is told at
 * once. */
int stream_again(struct call *call, int rc);

#endif
