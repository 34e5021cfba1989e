/* The two ways to talk to a terminal, behind console/screen.h. */
#ifndef CONSOLE_DRIVER_H
#define CONSOLE_DRIVER_H

#include "console/screen.h"

struct driver {
	/* The state for the others; NULL: *WHY it cannot. */
	void *(*start)(bool colour, const char **why);
	void (*stop)(void *state);	/* frees it */
	void (*resize)(void *state, unsigned columns, unsigned rows);
	void (*draw)(void *state, const struct frame *f, bool all);
	int (*key)(void *state);
};

extern const struct driver curses_driver;	/* START fails where the library is not there */
extern const struct driver plain_driver;

#endif
