/* The part of a spawn plan that places and confines the program. Main thread; pure. */
#ifndef CORE_LAUNCH_RIGHTS_H
#define CORE_LAUNCH_RIGHTS_H

#include "config/options.h"
#include "keeper/plan.h"

void launch_rights(struct plan_builder *b, const struct subsystem_options *o);

#endif
