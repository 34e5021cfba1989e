/* Bringing up the supervisor, and bringing it back. Keeper only. */
#ifndef KEEPER_SUPERVISE_H
#define KEEPER_SUPERVISE_H

#include <stdint.h>

struct keeper;

/* Start the first supervisor. 0 or -errno. */
int supervise_start(struct keeper *k);
/* The supervisor's process ended, or may have. */
void supervise_exited(struct keeper *k);
/* What it says makes no sense, or it closed its socket: end it, so that a new one can come. */
void supervise_reject(struct keeper *k);
/* Restart when it is time; returns when it wants to be called again, INT64_MAX for never. */
int64_t supervise_turn(struct keeper *k, int64_t now_ns);
/* End every tree (TERM, after GRACE_NS SIGKILL), then leave with CODE. */
void supervise_end_all(struct keeper *k, int code, int64_t grace_ns);
int64_t supervise_ending_turn(struct keeper *k, int64_t now_ns);

#endif
