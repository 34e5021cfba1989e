/* Children whose records are gone: found again by what only they can have. Keeper only. */
#ifndef KEEPER_SALVAGE_H
#define KEEPER_SALVAGE_H

#include <stdbool.h>

struct keeper;

/* Not one record is left, but there are FIFOs of an earlier keeper, or groups below its cgroup:
 * write a record for each process that leads a session, carries the name of a subsystem in its
 * environment, and has one of these FIFOs as its standard output or error, or is in one of these
 * groups. Without either nothing tells whose it is: the name may be another procd's. True: there is
 * something to adopt. Once, before the first spawn. */
bool salvage_records(struct keeper *k);

#endif
