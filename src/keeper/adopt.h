/* Children of a keeper that was killed: found again by their records. Keeper only. */
#ifndef KEEPER_ADOPT_H
#define KEEPER_ADOPT_H

struct keeper;

/* For every record that says RUNNING or EXITED while no parent of it is left: when the process can
 * be proven to be the same (start time, and pidfd identity where the kernel has one), watch it;
 * otherwise it has ended, and how is not known. Once, right after the records were opened. */
void adopt_all(struct keeper *k);

#endif
