/* `procd profile heap`. */
#ifndef COMMAND_PROFILE_HEAP_H
#define COMMAND_PROFILE_HEAP_H

#include "command/cli.h"

int profile_heap(const struct cli_options *o);

#endif
