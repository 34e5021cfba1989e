/* What stays in memory of a process that has nothing to do. */
#ifndef BASE_RESIDENT_H
#define BASE_RESIDENT_H

/* Let go of the pages of this program and its libraries that hold code and constants: those that
 * are needed again come back from the page cache, the others are those that only a start has use
 * for, and what the kernel maps around each page that is touched. Any thread; no heap. madvise(2),
 * dl_iterate_phdr(3). (Break points that a debugger put there before are lost.) */
void resident_drop_program(void);

#endif
