/* Children whose records are gone: found again by what only they can have. Keeper only. */
#ifndef KEEPER_SALVAGE_H
#define KEEPER_SALVAGE_H

#include <stdbool.h>

struct keeper;

/* Not one record is left, but there are FIFOs of an earlier keeper: write a record for each process
 * that leads a session, carries the name of a subsystem in its environment, and has one of these
 * FIFOs as its standard output or error. Whoever writes elsewhere is not found. True: there is
 * something to adopt. Once, before the first spawn. */
bool salvage_records(struct keeper *k);

#endif
