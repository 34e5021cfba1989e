/* Is the supervisor still there? One that lives but does nothing is ended, so that the next one
 * comes. Nothing is sent, and nobody woken, while there is nothing to tell. Keeper only. */
#ifndef KEEPER_HEARTBEAT_H
#define KEEPER_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

struct keeper;

struct heartbeat {
	bool waits;		/* it was told something and has not said anything since */
	bool stopped;		/* by a signal */
	int64_t patience_ns;	/* until when; INT64_MAX while neither of the two is so */
};

void heartbeat_init(struct heartbeat *h);	/* a new supervisor, or none */
/* It was told something, or its socket is full. */
void heartbeat_wait(struct keeper *k);
void heartbeat_heard(struct keeper *k);
/* A child changed its state: did the supervisor stop, or go on? */
void heartbeat_look(struct keeper *k);
/* End it when patience is over; returns when to call again, INT64_MAX for never. */
int64_t heartbeat_turn(struct keeper *k, int64_t now_ns);

#endif
