/* Between "it is to be started" and the plan: what has to be read first. Main thread. */
#ifndef CORE_PREPARE_H
#define CORE_PREPARE_H

#include "core/subsystem.h"

/* True: the start goes on, or fails, when core_files_read() is called. False: nothing to read. */
bool prepare_begin(struct subsystem *s);
/* The stage that is to blame; F NULL: whatever was to be read could not be asked for. */
enum spawn_stage prepare_stage(const struct subsystem_options *o, const struct start_files *f);
/* True: S was still waiting for its files; that start is over before it began. */
bool prepare_cancel(struct subsystem *s);

#endif
