/* A line that says that a process is ready: each line of its output, from its start on, is compared
 * with a pattern until one matches. Log thread. */
#ifndef OUTPUT_MATCH_H
#define OUTPUT_MATCH_H

#include <stdbool.h>
#include <stdint.h>

struct slot;
struct stream;
struct match;

/* Wait for a line that matches PATTERN (POSIX, extended; it compiles) in what SLOT's present
 * process writes and wrote. Whatever was waited for before is forgotten. */
void match_begin(struct slot *slot, const char *pattern, uint64_t spawn_id);
void match_end(struct slot *slot);
/* There are new bytes in the ring of S. True: the line came; nothing is waited for any more, and
 * *SPAWN_ID is as match_begin() was told. */
bool match_look(struct stream *s, uint64_t *spawn_id);

#endif
