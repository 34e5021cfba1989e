/* The sockets through which subsystems speak to procd (sd_notify): one for each that has
 * ready = "notify" or a watchdog, RUN_DIR/notify/SLOT. The keeper holds them, so what is said while
 * there is no supervisor waits for the next one. Main thread. */
#ifndef COMMAND_NOTIFY_SOCKETS_H
#define COMMAND_NOTIFY_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct supervisor;
struct notify_sockets;

struct notify_sockets *notify_sockets_start(struct supervisor *s);
/* Take over FD, which the keeper holds for SLOT; before core_start(). */
void notify_sockets_take(struct notify_sockets *n, uint32_t slot, int fd);
/* After core_start(): those that nobody opened again are of the past. */
void notify_sockets_sweep(struct notify_sockets *n);
/* FOR_GOOD: the names go, too; otherwise the next supervisor goes on with them. */
void notify_sockets_stop(struct notify_sockets *n, bool for_good);

/* As core_ops.notify_open and notify_close. */
int notify_sockets_open(struct notify_sockets *n, uint32_t slot, uid_t uid, bool fresh,
			const char **path);
void notify_sockets_close(struct notify_sockets *n, uint32_t slot);
/* Read what waits in SLOT's socket now: before the news of its end. */
void notify_sockets_read(struct notify_sockets *n, uint32_t slot);

#endif
