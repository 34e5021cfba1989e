/* From the books to a file that dh_view.html opens: JSON of DHAT, version 2 (mode "heap" with
 * lifetimes, without accesses). Depends on libc only and never allocates from the heap. */
#ifndef PROFILE_HEAP_DHAT_H
#define PROFILE_HEAP_DHAT_H

#include "profile/heap_record.h"

/* The books as they stood at one moment: the owner's own while they are frozen, or a copy. */
struct heap_view {
	struct heap_state state;
	const struct heap_site *sites;
	const uint64_t *frames;
	const struct heap_block *blocks;
	uint64_t now_us;
	int pid;		/* of another process whose books these are; 0: the calling one */
};

/* Takes N bytes; 0, or negative errno, which ends the writing. */
typedef int (*heap_sink)(void *ctx, const char *text, size_t n);

/* Do all numbers of a copy lead into it? */
bool heap_view_check(const struct heap_view *v);
/* V must be good. 0 or negative errno: of SINK, or -ENOMEM. */
int heap_dhat_write(const struct heap_view *v, heap_sink sink, void *ctx);

#endif
