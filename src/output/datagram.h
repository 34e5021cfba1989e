/* A daemon that takes log lines as datagrams, each a line in the form of the syslog protocol:
 * syslogd, or journald by its socket of the same kind. Source: RFC 3164, syslog(3),
 * systemd-journald.service(8). Log thread. */
#ifndef OUTPUT_DATAGRAM_H
#define OUTPUT_DATAGRAM_H

#include <stddef.h>
#include <sys/types.h>

#define DATAGRAM_SYSLOG "/dev/log"
#define DATAGRAM_JOURNAL "/run/systemd/journal/dev-log"

/* A socket that sends to PATH and never blocks; the caller closes it. Negative errno. */
int datagram_open(const char *path);
/* Send whole LINES, one each. Returns the bytes of those that were taken; negative errno: none was,
 * -EAGAIN when the daemon has no room now. */
ssize_t datagram_send(int fd, const char *lines, size_t len);

#endif
