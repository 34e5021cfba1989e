/* The control socket's file, made again when somebody removes it: without it nobody can say
 * anything to a procd that is well. Main thread. */
#ifndef COMMAND_SOCKET_GUARD_H
#define COMMAND_SOCKET_GUARD_H

struct socket_guard;
struct supervisor;

/* Watch the file of the control socket that S serves, and look whether it is there now. */
struct socket_guard *socket_guard_start(struct supervisor *s);
/* procd is ending: watch no more. Closing an instance waits for 10 to 20 ms until the kernel has
 * done away with its watches, unless that has happened before. NULL is fine. */
void socket_guard_rest(struct socket_guard *g);
void socket_guard_stop(struct socket_guard *g);		/* before the file is removed; NULL is fine */

#endif
