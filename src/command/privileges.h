/* What the supervisor may do beyond an ordinary process: as little as it uses. It has no bearing on
 * children, which the keeper makes. */
#ifndef COMMAND_PRIVILEGES_H
#define COMMAND_PRIVILEGES_H

#include <stdbool.h>

/* First thing, before any thread exists (the kernel keeps these per thread). Without privileges
 * there is nothing to give up. 0, or -errno: then it goes on with all that it was given. */
int privileges_reduce(void);
/* The one capability that is only switched on for a call: speaking to the service manager in the
 * name of the keeper. False: we do not have it. Main thread. */
bool privileges_speak_for_keeper(bool on);
/* Likewise for the calling thread: opening perf events of processes of other users. Any thread. */
bool privileges_sample(bool on);

#endif
