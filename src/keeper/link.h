/* The keeper's end of the conversation with the supervisor (keeper/proto.h). Never blocks: what the
 * socket does not take stays noted in the slots and is told from the records later. */
#ifndef KEEPER_LINK_H
#define KEEPER_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keeper;

struct link {
	int fd;			/* -1: no supervisor */
	bool want_write;	/* EPOLLOUT is asked for */
	char *buf;		/* one packet */
	uint32_t held_next;	/* from this slot on, the supervisor is still to get what is held */
	uint32_t held_left;	/* and so many descriptors */
};

int link_init(struct link *l);			/* 0 or -errno */
/* Make a socket pair; the supervisor's end becomes LOW_SUPERVISOR. 0 or -errno. */
int link_open(struct keeper *k);
void link_close(struct keeper *k);
/* Take at most MAX packets. False when the other end spoke nonsense. */
bool link_receive(struct keeper *k, int max);
/* Tell what is untold: what slots hold, signals, then facts of the slots. */
void link_tell(struct keeper *k);
/* What slots hold is to be told, before anything else; how many that is. */
uint32_t link_tell_held(struct keeper *k);

/* welcome.c: MSG is a SETUP; answer it. False when it makes no sense. */
bool welcome_take(struct keeper *k, const void *msg, size_t size);

#endif
