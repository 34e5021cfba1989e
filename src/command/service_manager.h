/* procd as a service of systemd (or of any manager that speaks sd_notify): READY, RELOADING,
 * STOPPING, STATUS and WATCHDOG to $NOTIFY_SOCKET. Without that variable every call does nothing.
 * Main thread. Source: sd_notify(3). */
#ifndef COMMAND_SERVICE_MANAGER_H
#define COMMAND_SERVICE_MANAGER_H

#include "base/loop.h"
#include "event/board.h"

struct service_manager;

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. MAIN_PID is the keeper's: where the kernel
 * lets us, messages carry its credentials, so that NotifyAccess=main is enough. Never fails; what
 * cannot be used is said in one warning. */
struct service_manager *service_manager_new(struct ev_loop *loop, pid_t main_pid);
void service_manager_free(struct service_manager *m);

/* The instance entered STATE; TEXT becomes STATUS=. READY=1 is sent the first time BOOTED is
 * true, and again after each RELOADING. */
void service_manager_state(struct service_manager *m, enum daemon_state state, bool booted,
			   const char *text);

#endif
