/* procd's own heap: the same books as in the preload object, in the supervisor, from the moment
 * when somebody asks for them. Until then malloc(3) costs one more look at a switch. */
#ifndef PROFILE_HEAP_OWN_H
#define PROFILE_HEAP_OWN_H

#include <stdbool.h>
#include <stdint.h>

/* Begin. 0; -EALREADY; -ENOTSUP: this build has no malloc of its own (sanitizers); -errno. Any
 * thread. */
int heap_own_start(void);
void heap_own_stop(void);
bool heap_own_is_on(void);
/* Where the books stand in this process, for heap_reader.h. */
uint64_t heap_own_address(void);

#endif
