/* When descriptors are few: those that only make things quick are given up for those that keep what
 * programs write. Keeper only. */
#ifndef KEEPER_THRIFT_H
#define KEEPER_THRIFT_H

#include <stdbool.h>

struct keeper;

/* May a pidfd with the number FD stay open? Nearly all numbers are taken when not; its process is
 * then found by SIGCHLD (see reap.c). */
bool thrift_has_room(struct keeper *k, int fd);
/* A descriptor with the number FD is to stay open: when it is one of the last, the pidfd of some
 * child is closed for the next one. */
void thrift_make_room(struct keeper *k, int fd);

#endif
