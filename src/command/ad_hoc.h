/* `procd run -- CMD`: one command and no configuration file. */
#ifndef COMMAND_AD_HOC_H
#define COMMAND_AD_HOC_H

#include "base/strlist.h"

#define AD_HOC_SUBSYSTEM "run"

/* Append to SETS what a configuration for COMMAND would say: its own name, descriptors passed
 * through, TERM and INT forwarded, RESTART (NULL: never). Put the user's own --set behind. */
void ad_hoc_sets(const struct strlist *command, const char *restart, struct strlist *sets);

#endif
