/* The main process of a slot is another one from now on: a program that goes on in the background
 * named it (MAINPID= of sd_notify). Keeper only. */
#ifndef KEEPER_FOLLOW_H
#define KEEPER_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct keeper;

/* PID is to be what the record of SLOT is about. Nothing happens unless it lives, is proven to be a
 * member of the slot's tree and leads no other slot; the supervisor is told who it is in either
 * case. Also when the first process has ended meanwhile: then that was no end. */
void follow(struct keeper *k, uint32_t slot, pid_t pid);

/* The leader of SLOT was somebody else's child when it was followed or adopted; has it come to us?
 * Then, and only then, we can wait for it. */
bool follow_came_to_us(const struct keeper *k, uint32_t slot);

#endif
