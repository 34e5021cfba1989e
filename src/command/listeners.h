/* The sockets that subsystems listen on (config: listen), for as long as the core wants them. The
 * keeper holds them, too: clients wait in the backlog over restarts of the subsystem, deaths of the
 * supervisor and upgrades. Main thread. */
#ifndef COMMAND_LISTENERS_H
#define COMMAND_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct subsystem_options;
struct supervisor;
struct listeners;

struct listeners *listeners_new(struct supervisor *s);
/* Before the mail of workers is closed: who binds ends. */
void listeners_stop(struct listeners *l);
/* FOR_GOOD: the files of unix sockets go, too; otherwise the next supervisor goes on with them. */
void listeners_free(struct listeners *l, bool for_good);
/* The keeper holds FD for SLOT: is it one of these? Then it is taken over. */
bool listeners_take(struct listeners *l, uint32_t slot, int fd);
/* After core_new(): name those to the core; what it does not know is closed. */
void listeners_tell(struct listeners *l);

/* What the keeper found in a process (core_ops.fetch); FDS are taken. */
struct km_fetched;
void listeners_fetched(struct listeners *l, const struct km_fetched *m, const int *fds);

/* As core_ops.listen and unlisten. */
int listeners_open(struct listeners *l, uint32_t slot, const char *address,
		   const struct subsystem_options *o);
void listeners_close(struct listeners *l, uint32_t slot);
/* As core_ops.look and await. */
bool listeners_look(const struct listeners *l, const uint32_t *sockets, size_t n, uint32_t slot,
		    uint64_t id);
void listeners_await(struct listeners *l, uint32_t slot, bool on);

#endif
