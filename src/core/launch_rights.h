/* The part of a spawn plan that places and confines the program. Main thread; pure. */
#ifndef CORE_LAUNCH_RIGHTS_H
#define CORE_LAUNCH_RIGHTS_H

#include "config/start_files.h"
#include "keeper/plan.h"

/* FILES: what was read for this start; NULL: nothing had to be. */
void launch_rights(struct plan_builder *b, const struct subsystem_options *o,
		   const struct start_files *files);

#endif
