/* The client half of `procd profile cpu`. */
#ifndef COMMAND_PROFILE_CPU_H
#define COMMAND_PROFILE_CPU_H

#include "command/cli.h"

int profile_cpu(const struct cli_options *o);	/* the exit code */

#endif
