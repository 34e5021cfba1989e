/* The books of another process (heap_record.h), copied while it waits for a moment. Needs what
 * ptrace(2) needs: its user, or CAP_SYS_PTRACE. For the client. */
#ifndef PROFILE_HEAP_READER_H
#define PROFILE_HEAP_READER_H

#include <sys/types.h>

#include "base/error.h"
#include "profile/heap_dhat.h"

struct heap_copy {
	struct heap_view view;
	struct heap_site *sites;
	uint64_t *frames;
	struct heap_block *blocks;
};
#define HEAP_COPY_INIT { .sites = NULL }
void heap_copy_fini(struct heap_copy *c);

/* Where the preload object in PID keeps its books. 0, or negative errno with *E set: -ENOENT: it is
 * not loaded there. */
int heap_books_find(pid_t pid, uint64_t *address, struct error *e);
/* A whole and checked copy of the books at ADDRESS of PID. 0, or negative errno with *E set:
 * -ENODATA: nothing is recorded there. Waits at most some seconds. */
int heap_books_copy(pid_t pid, uint64_t address, struct heap_copy *out, struct error *e);

#endif
