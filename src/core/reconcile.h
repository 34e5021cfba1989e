/* The settle loop: the one place where what is wanted meets what is. */
#ifndef CORE_RECONCILE_H
#define CORE_RECONCILE_H

#include "core/subsystem.h"

/* Decide until no subsystem is dirty. */
void reconcile(struct core *c);
/* S, not yet in any list, appears: registry, board, event (unless QUIETLY: a recovery). */
void reconcile_add(struct subsystem *s, bool quietly);

#endif
