/* `on_failure`: what is started because something else has failed for good. Main thread. */
#ifndef CORE_ON_FAILURE_H
#define CORE_ON_FAILURE_H

#include "core/subsystem.h"

/* S has failed and is not restarted: start what its on_failure names. May be said twice. */
void on_failure_start(struct subsystem *s);
/* The name of whose failure S was started for; NULL: it was not. Valid until that one is freed. */
const char *on_failure_cause(const struct subsystem *s);

#endif
