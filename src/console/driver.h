/* The two ways to talk to a terminal, behind console/screen.h. */
#ifndef CONSOLE_DRIVER_H
#define CONSOLE_DRIVER_H

#include "console/screen.h"

struct driver {
	/* NULL, or why it cannot. */
	const char *(*start)(bool colour);
	void (*stop)(void);
	void (*resize)(unsigned columns, unsigned rows);
	void (*draw)(const struct frame *f, bool all);
	int (*key)(void);
};

extern const struct driver curses_driver;	/* START fails where the library is not there */
extern const struct driver plain_driver;

#endif
