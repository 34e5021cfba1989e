/* Unix socket addresses of any length: a path beyond the 107 bytes of sun_path is reached
 * through its directory's descriptor. Any thread. */
#ifndef CONTROL_ADDRESS_H
#define CONTROL_ADDRESS_H

#include <sys/socket.h>
#include <sys/un.h>

/* Fill ADDR for PATH. *DIRFD is -1, or a descriptor that the caller closes after its bind(2) or
 * connect(2). 0 or negative errno. */
int socket_address(const char *path, struct sockaddr_un *addr, int *dirfd);
/* A connected stream socket (close-on-exec; FLAGS: 0, or SOCK_NONBLOCK), or negative errno. */
int socket_connect(const char *path, int flags);

#endif
