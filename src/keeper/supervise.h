/* Bringing up the supervisor, and bringing it back. Keeper only. */
#ifndef KEEPER_SUPERVISE_H
#define KEEPER_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>

struct keeper;

/* Start the first supervisor. 0 or -errno. */
int supervise_start(struct keeper *k);
/* The supervisor's process ended, or may have. */
void supervise_exited(struct keeper *k);
/* What it says makes no sense: end it, so that a new one can come. */
void supervise_reject(struct keeper *k);
/* It closed its socket: most likely it just dies. */
void supervise_hung_up(struct keeper *k);
/* Restart when it is time; returns when it wants to be called again, INT64_MAX for never. */
int64_t supervise_turn(struct keeper *k, int64_t now_ns);
/* End every tree (TERM, after GRACE_NS SIGKILL), then leave with CODE. */
void supervise_end_all(struct keeper *k, int code, int64_t grace_ns);
int64_t supervise_ending_turn(struct keeper *k, int64_t now_ns);
/* Does any child, or any of its tree, live? */
bool supervise_anything_left(struct keeper *k);
/* The keeper received SIGNO: the supervisor is to be told, or it is acted upon where none
 * serves. */
void supervise_signal(struct keeper *k, int signo);
/* The supervisor said LEAVE: it has a moment to end. */
void supervise_left(struct keeper *k);

#endif
