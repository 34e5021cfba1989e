/* What happens, in words, for a human who watches procd's own log. Programs read the events. */
#ifndef CORE_NARRATE_H
#define CORE_NARRATE_H

#include "config/config.h"
#include "core/subsystem.h"

void narrate_state(const struct subsystem *s);
/* A start that waits because procd or the machine is short of something. */
void narrate_deferred(const struct subsystem *s);
/* S is being ended because readiness or watchdog did not hear from it in time. */
void narrate_expired(const struct subsystem *s);
/* What was asked for S and is not in force, at its start. */
void narrate_missing(const struct subsystem *s);
/* S is healthy, or unhealthy, and was not before. */
void narrate_health(const struct subsystem *s);
/* Crash loops together are too quick; they are held to PER_SECOND starts. */
void narrate_budget(unsigned per_second);
void narrate_reload(const struct config_diff *diff, const char *what);
void narrate_recovery(size_t adopted, size_t lost);
void narrate_shutdown(const char *why, unsigned total);

#endif
