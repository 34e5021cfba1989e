/* File descriptors on their way to a client (SCM_RIGHTS). They travel with the bytes of the answer
 * that belongs to them: who reads that line with recvmsg(2) and room for them has them, for others
 * the kernel closes them. Front thread only. */
#ifndef CONTROL_PASSING_H
#define CONTROL_PASSING_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/list.h"

#define PASSING_AT_ONCE 253	/* the kernel's limit for one message */

/* N descriptors, taken over, go out with the byte at AT (of the connection's buffer) and, when they
 * do not fit into one message, with those that follow. Appended to LIST. */
void passing_add(struct list *list, size_t at, int *fds, size_t n);
/* Drop all that has not left. */
void passing_free(struct list *list);
/* As send(FD, BUF, N, ...) of the bytes from SENT on, with what travels with them; may send
 * fewer. */
ssize_t passing_send(struct list *list, int fd, const char *buf, size_t sent, size_t n);

#endif
